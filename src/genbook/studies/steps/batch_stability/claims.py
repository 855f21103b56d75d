"""What is claimed of batch size and stability."""

from __future__ import annotations

import numpy as np
import pandas as pd

from genbook.studies.steps.shared import in_units_of_edge
from genbook.tables import readings, tidy
from genbook.tables.statistics import claim, ratio, slope


def scaled(table: pd.DataFrame, quantity: str, run: str, steps: int) -> pd.DataFrame:
    """Trace or sharpness after all ``steps`` of one kind of run, in units of 2 / learning rate: by seed and rate.

    NaN where a run diverged, which has no end.
    """
    ran = in_units_of_edge(readings.rows(table, run=run))
    found = tidy.wide(ran, "seed", "learning rate", quantity=quantity, step=steps)
    return readings.complete(found, ran, "learning rate")


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


def growth(table: pd.DataFrame, first: int, last: int) -> pd.Series:
    """Power of the batch size with which the largest stable learning rate grows between two sizes, told by place."""
    rates = np.log(largest_stable(table))
    low, high = rates.columns[first], rates.columns[last]
    return (rates[high] - rates[low]) / np.log(high / low)


CLAIMS = (
    claim(
        "single-examples-bound-trace",
        "Steps on single examples end where the trace of the Hessian is below 2/η, η the learning rate.",
        "wu-su-2023",
        ratio(
            "of 2/η, at the worst learning rate",
            lambda table, spec: scaled(table, "Hessian trace", "single", spec.steps).max(axis=1, skipna=False),
        ),
        below=1,
        control="whole set",
        reported="A bound for minima at which descent on single examples is stable.",
    ),
    claim(
        "whole-set-bounds-sharpness-alone",
        "Steps on the whole set end where the trace is far above that border.",
        "wu-su-2023",
        ratio(
            "times 2/η, at the largest learning rate",
            lambda table, spec: scaled(table, "Hessian trace", "whole", spec.steps).iloc[:, -1],
        ),
        above=1.2,
        control="single examples",
    ),
    claim(
        "stable-step-grows-with-batch",
        "From single examples on, the largest stable learning rate grows in proportion to the batch.",
        "granziol-et-al-2022",
        slope(
            "is the power of the batch size with which it grows at first",
            lambda table, spec: growth(table, 0, min(3, largest_stable(table).shape[1]) - 1),
        ),
        above=0.7,
        control="large batches",
        reported="Linear growth for SGD, until it levels off.",
    ),
    claim(
        "stable-step-levels-off",
        "Towards the whole set the growth levels off.",
        "granziol-et-al-2022",
        slope("is the power of the batch size with which it grows at last", lambda table, spec: growth(table, -2, -1)),
        below=0.35,
        control="small batches",
    ),
)
