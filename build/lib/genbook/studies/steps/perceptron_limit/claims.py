"""What is claimed of logistic regression at large learning rates."""

from __future__ import annotations

import numpy as np
import pandas as pd

from genbook.base import stats
from genbook.studies.steps.perceptron_limit.spec import PerceptronLimitSpec
from genbook.tables import tidy
from genbook.tables.statistics import claim, identity, order, ratio

#: Source of all of them.
_SOURCE = "tyurin-2024"


def summary(table: pd.DataFrame, quantity: str) -> pd.DataFrame:
    """One number a run: rows seeds, columns learning rates (infinity is the perceptron)."""
    return tidy.wide(table, "seed", "learning rate", quantity=quantity)


def by_rate(table: pd.DataFrame, quantity: str) -> pd.DataFrame:
    """The same as tidy rows, for figures: those of gradient descent that are not missing."""
    found = summary(table, quantity)
    return tidy.long(found[[rate for rate in found if np.isfinite(rate)]], "learning rate")


def _half_step(table: pd.DataFrame, spec: PerceptronLimitSpec) -> float:
    """Half of a gradient step, as a part of the fewest that were needed."""
    fewest = summary(table, "steps to zero error").min(axis=None)
    return float(np.log1p(0.5 / fewest)) if fewest > 0 else np.log(2)


@ratio("of the smallest learning rate's number", continuity=_half_step)
def speedup(table: pd.DataFrame, spec: PerceptronLimitSpec) -> pd.Series:
    """Steps to zero error at the largest learning rate over those at the smallest."""
    steps = summary(table, "steps to zero error")[list(spec.learning_rates)]
    return steps.iloc[:, -1] / steps.iloc[:, 0]


@order("Kendall's τ of highest loss and steps needed", ranked=lambda table, spec: len(spec.learning_rates))
def misled(table: pd.DataFrame, spec: PerceptronLimitSpec) -> pd.Series:
    """Kendall's τ over learning rates of the highest loss on the way and the steps that were needed."""
    losses = summary(table, "highest loss")
    steps = summary(table, "steps to zero error")[list(losses.columns)]
    complete = steps.notna().all(axis=1)
    taus = {seed: stats.kendall_tau(losses.loc[seed], steps.loc[seed]) for seed in losses.index[complete]}
    return pd.Series(taus, dtype=float).reindex(losses.index)


@ratio("times the loss at the start")
def rise(table: pd.DataFrame, spec: PerceptronLimitSpec) -> pd.Series:
    """Highest loss after the first step, among the steps that are kept, at the largest learning rate."""
    losses = tidy.wide(table, "seed", "step", quantity="loss", **{"learning rate": spec.learning_rates[-1]})
    return losses.loc[:, losses.columns > 0].max(axis=1) / np.log(2)


CLAIMS = (
    claim(
        "becomes-perceptron",
        "At an enormous learning rate descent on the logistic loss is the batch perceptron, step by step.",
        _SOURCE,
        identity(
            "relative distance of $w/\\eta$ from the perceptron's weights",
            lambda table, spec: summary(table, "distance from the perceptron").iloc[:, -1],
        ),
        equals=0,
        within=1e-3,
        control="small learning rates",
        origin="paper",
    ),
    claim(
        "large-steps-sooner",
        "The largest learning rate reaches zero training error in far fewer steps than the smallest.",
        _SOURCE,
        speedup,
        below=0.2,
        control="large learning rates",
        origin="paper",
    ),
    claim(
        "loss-rises-first",
        "On its way to zero training error the largest learning rate raises the loss far above where it began.",
        _SOURCE,
        rise,
        above=3,
        control="small learning rates",
        origin="paper",
    ),
    claim(
        "loss-misleads",
        "Among learning rates on separable data, the higher the loss on the way, the sooner the last error is gone.",
        _SOURCE,
        misled,
        below=-0.5,
        control="large learning rates",
        origin="consequence",
        reported="High loss values can indicate faster convergence.",
    ),
)
