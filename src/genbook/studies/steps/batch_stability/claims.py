"""What is claimed of batch size and stability, as statistics of the study's table."""

from __future__ import annotations

import numpy as np
import pandas as pd

from genbook.base.claims import Claim
from genbook.studies.steps.batch_stability.spec import BatchStabilitySpec
from genbook.tables import tidy


def scaled(table: pd.DataFrame, quantity: str, run: str) -> pd.DataFrame:
    """Trace or sharpness × step / 2 at the end of one kind of run, 1 at the border: rows seeds, columns steps.

    NaN where a run diverged, which has no end.
    """
    ran = tidy.select(table, run=run)
    last = ran["step"].max()
    found = tidy.wide(ran, "seed", "rate", quantity=quantity, step=last)
    every = sorted(ran["rate"].unique())
    return found.reindex(columns=every, index=sorted(ran["seed"].unique())) * np.array(every) / 2


def largest_stable(table: pd.DataFrame) -> pd.DataFrame:
    """Up to which step the loss has fallen at the end: rows seeds, columns batch sizes.

    NaN where no step that was tried, or every one, is stable (censored).
    """
    losses = tidy.wide(table, ["seed", "batch", "rate"], "step", run="ladder", quantity="train loss")
    fell = losses.iloc[:, -1] < losses.iloc[:, 0]  # a missing loss is that of a run that diverged

    def edge(rows: pd.Series) -> float:
        failed = np.flatnonzero(~rows.to_numpy())
        return float(rows.index[failed[0] - 1][-1]) if len(failed) and failed[0] else np.nan

    return fell.groupby(["seed", "batch"]).apply(edge).unstack("batch")


def _worst_trace(table: pd.DataFrame, spec: BatchStabilitySpec) -> pd.Series:
    return scaled(table, "Hessian trace", "single").max(axis=1, skipna=False)


def _whole_trace(table: pd.DataFrame, spec: BatchStabilitySpec) -> pd.Series:
    return scaled(table, "Hessian trace", "whole").iloc[:, -1]


def _slope(table: pd.DataFrame, spec: BatchStabilitySpec) -> pd.Series:
    """Power of the batch size with which the largest stable step grows, from the first size to the third."""
    steps = np.log(largest_stable(table))
    small = steps.columns[: min(3, steps.shape[1])]
    return (steps[small[-1]] - steps[small[0]]) / np.log(small[-1] / small[0])


def _last_slope(table: pd.DataFrame, spec: BatchStabilitySpec) -> pd.Series:
    """The same from the last size but one to the last."""
    steps = np.log(largest_stable(table))
    before, last = steps.columns[-2:]
    return (steps[last] - steps[before]) / np.log(last / before)


CLAIMS = (
    Claim(
        id="single-examples-bound-trace",
        statement="Steps on single examples end where the trace of the Hessian is below 2/step.",
        source="wu-su-2023",
        statistic=_worst_trace,
        relation="<",
        threshold=1,
        threshold_text="of 2/step, at the worst step size",
        scale="log",
        null="whole set",
        reported="A bound for minima at which descent on single examples is stable.",
    ),
    Claim(
        id="whole-set-bounds-sharpness-alone",
        statement="Steps on the whole set end where the trace is far above that border.",
        source="wu-su-2023",
        statistic=_whole_trace,
        relation=">",
        threshold=1.2,
        threshold_text="times 2/step, at the largest step size",
        scale="log",
        null="single examples",
    ),
    Claim(
        id="stable-step-grows-with-batch",
        statement="From single examples on, the largest stable step grows in proportion to the batch.",
        source="granziol-et-al-2022",
        statistic=_slope,
        relation=">",
        threshold=0.7,
        threshold_text="is the power of the batch size with which it grows at first",
        null="large batches",
        reported="Linear growth for SGD, until it levels off.",
    ),
    Claim(
        id="stable-step-levels-off",
        statement="Towards the whole set the growth levels off.",
        source="granziol-et-al-2022",
        statistic=_last_slope,
        relation="<",
        threshold=0.35,
        threshold_text="is the power of the batch size with which it grows at last",
        null="small batches",
    ),
)
