"""What is claimed of logistic regression with large steps, as statistics of the study's table."""

from __future__ import annotations

import numpy as np
import pandas as pd

from genbook.base import stats
from genbook.base.claims import Claim
from genbook.studies.steps.perceptron_limit.spec import PerceptronLimitSpec
from genbook.tables import tidy

#: Source of all of them.
_SOURCE = "tyurin-2024"


def summary(table: pd.DataFrame, quantity: str) -> pd.DataFrame:
    """One number a run: rows seeds, columns step sizes (infinity is the perceptron)."""
    return tidy.wide(table, "seed", "step_size", quantity=quantity)


def _distance(table: pd.DataFrame, spec: PerceptronLimitSpec) -> pd.Series:
    return summary(table, "distance from the perceptron").iloc[:, -1]


def _speedup(table: pd.DataFrame, spec: PerceptronLimitSpec) -> pd.Series:
    steps = summary(table, "steps to zero error")[list(spec.step_sizes)]
    return steps.iloc[:, -1] / steps.iloc[:, 0]


def _price(table: pd.DataFrame, spec: PerceptronLimitSpec) -> pd.Series:
    """Highest loss before the last error goes, at the largest step, over log 2, the loss at the start."""
    return summary(table, "highest loss").iloc[:, -1] / np.log(2)


def _misled(table: pd.DataFrame, spec: PerceptronLimitSpec) -> pd.Series:
    """Kendall's τ over step sizes of the highest loss on the way and the steps that were needed."""
    losses = summary(table, "highest loss")
    steps = summary(table, "steps to zero error")[list(losses.columns)]
    complete = steps.notna().all(axis=1)
    taus = {seed: stats.kendall_tau(losses.loc[seed], steps.loc[seed]) for seed in losses.index[complete]}
    return pd.Series(taus, dtype=float).reindex(losses.index)


CLAIMS = (
    Claim(
        id="becomes-perceptron",
        statement="With enormous steps gradient descent on the logistic loss is the batch perceptron, step by step.",
        source=_SOURCE,
        statistic=_distance,
        kind="exact",
        relation="=",
        threshold=0,
        tolerance=1e-3,
        threshold_text="relative distance of $w/\\eta$ from the perceptron's weights",
        null="small steps",
    ),
    Claim(
        id="large-steps-sooner",
        statement="The largest step reaches zero training error in far fewer steps than the smallest.",
        source=_SOURCE,
        statistic=_speedup,
        relation="<",
        threshold=0.2,
        threshold_text="of the smallest step's number",
        scale="log",
        null="large steps",
    ),
    Claim(
        id="loss-rises-first",
        statement="On its way there the largest step raises the loss far above where it began.",
        source=_SOURCE,
        statistic=_price,
        relation=">",
        threshold=3,
        threshold_text="times the loss at the start",
        scale="log",
        null="small steps",
    ),
    Claim(
        id="loss-misleads",
        statement="Among step sizes, the higher the loss on the way, the sooner the last error is gone.",
        source=_SOURCE,
        statistic=_misled,
        relation="<",
        threshold=-0.5,
        threshold_text="Kendall's τ of highest loss and steps needed",
        null="large steps",
    ),
)
