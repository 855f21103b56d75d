"""What is claimed of batch size and stability."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from genbook.studies.steps.batch_stability.design import BatchStabilitySpec
from genbook.studies.steps.shared import in_units_of_edge
from genbook.tables import readings, tidy
from genbook.tables.statistics import Statistic, claim, half_rung, ratio, slope

#: The theorem is about minima at which every example is fitted: what is left of the first loss there, at most.
INTERPOLATES = 0.01


def scaled(table: pd.DataFrame, quantity: str, run: str, steps: int) -> pd.DataFrame:
    """Trace or sharpness after all ``steps`` of one kind of run, in units of 2 / learning rate: by seed and rate.

    NaN where a run diverged, which has no end, and where it has not come to a minimum that interpolates.
    """
    ran = in_units_of_edge(readings.rows(table, run=run))
    found = tidy.wide(ran, "seed", "learning rate", quantity=quantity, step=steps)
    found = readings.complete(found, ran, "learning rate")
    return found.where(left_of_loss(table, run, steps).reindex_like(found) < INTERPOLATES)


def climbing(table: pd.DataFrame, quantity: str, steps: int) -> pd.DataFrame:
    """The same for single examples at all learning rates, up to those that do not train: by seed and rate."""
    found = pd.concat([scaled(table, quantity, run, steps) for run in ("single", "climbing")], axis=1)
    return found.loc[:, ~found.columns.duplicated()].sort_index(axis=1)


def left_of_loss(table: pd.DataFrame, run: str, steps: int) -> pd.DataFrame:
    """The training loss after all ``steps`` over the first: rows seeds, columns learning rates."""
    ran = readings.rows(table, run=run, quantity="train loss")
    first, last = (tidy.wide(ran, "seed", "learning rate", step=step) for step in (0, steps))
    return readings.complete(last, ran, "learning rate") / first


def largest_stable(table: pd.DataFrame) -> pd.DataFrame:
    """Up to which learning rate the loss has fallen at the end: rows seeds, columns batch sizes.

    NaN where no learning rate that was tried, or every one, is stable (censored).
    """
    ran = readings.rows(table, run="batches", quantity="train loss")
    losses = tidy.wide(ran, ["seed", "batch size", "learning rate"], "step")
    fell = losses.iloc[:, -1] < losses.iloc[:, 0]  # a missing loss is that of a run that diverged

    def edge(rows: pd.Series) -> float:
        failed = np.flatnonzero(~rows.to_numpy())
        return float(rows.index[failed[0] - 1][-1]) if len(failed) and failed[0] else np.nan

    return fell.groupby(["seed", "batch size"]).apply(edge).unstack("batch size")


def in_proportion(table: pd.DataFrame) -> pd.Series:
    """Learning rates in proportion to the batch from the smallest one on, for a line as long as the data are high."""
    stable = largest_stable(table)
    means = readings.geometric_mean(stable).dropna()
    if means.empty:
        return means
    size, rate = means.index[0], means.iloc[0]
    end = min(means.index[-1], size * 1.6 * stable.max(axis=None) / rate)
    return pd.Series({size: rate, end: rate * end / size})


def growth(words: str, first: int, last: int) -> Statistic:
    """Power of the batch size with which the largest stable learning rate grows between two sizes, told by place.

    Either rate lies within half a rung of the middle between the last stable one and the next, so that the power is
    known to a rung over the logarithm of the sizes' ratio.
    """

    def sizes(table: pd.DataFrame) -> tuple[int, int]:
        found = np.sort(readings.rows(table, run="batches")["batch size"].unique())
        return found[max(first, -len(found))], found[min(last, len(found) - 1)]

    def power(table: pd.DataFrame, spec: BatchStabilitySpec) -> pd.Series:
        (low, high), rates = sizes(table), np.log(largest_stable(table))
        return (rates[high] - rates[low]) / (math.log(high / low) or math.nan)

    def a_rung(table: pd.DataFrame, spec: BatchStabilitySpec) -> float:
        low, high = sizes(table)
        return 2 * half_rung(spec.tried) / math.log(high / low) if low < high else math.inf  # one size has no power

    return slope(words, power, continuity=a_rung)


@ratio("times 2/η, at the largest learning rate that comes to a minimum")
def highest_minimum(table: pd.DataFrame, spec: BatchStabilitySpec) -> pd.Series:
    """The trace in units of 2 / learning rate at each seed's largest rate at which single examples come to rest."""
    found = climbing(table, "Hessian trace", spec.steps)
    return found.ffill(axis=1).iloc[:, -1]


CLAIMS = (
    claim(
        "single-examples-bound-trace",
        "Steps on single examples end at minima where the trace of the Hessian is below 2/η, η the learning rate.",
        "wu-su-2023",
        ratio(
            "of 2/η, at the worst learning rate",
            lambda table, spec: scaled(table, "Hessian trace", "single", spec.steps).max(axis=1, skipna=False),
        ),
        below=1,
        control="whole set",
        origin="paper",
        reported="A bound for minima at which descent on single examples is stable.",
        note="Judged where every network has come below 1 % of its first loss, since the theorem is about such minima.",
    ),
    claim(
        "trace-comes-to-border",
        "As the learning rate of single examples grows, the trace at the minima comes to 2/η and stops there.",
        "wu-su-2023",
        highest_minimum,
        equals=1,
        within=1.05,
        control="whole set",
        note="The theorem bounds the trace; whether the bound is reached is the question here.",
    ),
    claim(
        "whole-set-bounds-sharpness-alone",
        "Steps on the whole set end at minima where the trace of the Hessian is far above 2/η, the border of "
        "single examples.",
        "wu-su-2023",
        ratio(
            "times 2/η, at the largest learning rate",
            lambda table, spec: scaled(table, "Hessian trace", "whole", spec.steps).iloc[:, -1],
        ),
        above=1.2,
        control="single examples",
        origin="consequence",
        reported="Stability of gradient descent bounds the largest eigenvalue alone.",
        note="Judged where every network has come below 1 % of its first loss.",
    ),
    claim(
        "stable-step-grows-with-batch",
        "From single examples on, the largest stable learning rate grows in proportion to the batch.",
        "granziol-et-al-2022",
        growth("(the power of the batch size with which it grows at first)", 0, 2),
        above=0.7,
        control="large batches",
        origin="paper",
        reported="Linear growth for SGD, until it levels off.",
    ),
    claim(
        "stable-step-levels-off",
        "As the batch comes near to the whole set, the largest stable learning rate grows no further.",
        "granziol-et-al-2022",
        growth("(the power of the batch size with which it grows at last)", -2, -1),
        below=0.35,
        control="small batches",
        origin="paper",
    ),
)
