"""What is claimed of sharpness and learning rate."""

from __future__ import annotations

import numpy as np
import pandas as pd

from genbook.studies.steps.edge_of_stability.design import EdgeOfStabilitySpec
from genbook.studies.steps.shared import in_units_of_edge
from genbook.tables import readings
from genbook.tables.statistics import Statistic, claim, ratio

_LATE = 0.6  # fraction of the training after which the sharpness counts as settled


def scaled_sharpness(table: pd.DataFrame, run: str) -> pd.DataFrame:
    """Tidy rows of one kind of run: sharpness in units of 2 / learning rate, 1 at the edge."""
    return in_units_of_edge(readings.rows(table, quantity="sharpness", run=run))


def late(rows: pd.DataFrame, by: str, steps: int) -> pd.DataFrame:
    """Mean over the last part of a training of ``steps``: rows seeds, columns the levels of ``by``.

    NaN where it had diverged by then.
    """
    means = rows[rows["step"] >= _LATE * steps].groupby(["seed", by])["value"].mean().unstack(by)
    return readings.complete(means, rows, by)


def initial(rows: pd.DataFrame, by: str) -> pd.DataFrame:
    """Value at the start: rows seeds, columns the levels of ``by``."""
    return rows[rows["step"] == 0].pivot(index="seed", columns=by, values="value")


def highest(rows: pd.DataFrame) -> pd.Series:
    """Value where the mean over the other seeds is highest, by seed: its own highest would be higher by chance."""
    curves = rows.pivot(index="step", columns="seed", values="value")
    return readings.on_other_seeds(curves.dropna()).reindex(np.sort(rows["seed"].unique()))


def farthest(settled: pd.DataFrame) -> pd.Series:
    """Each seed's value at the learning rate that on the other seeds is farthest from the edge; NaN where one diverged.

    Args:
        settled: [seeds, rates], sharpness in units of 2 / learning rate.
    """
    off = np.log(settled).abs()
    return readings.on_other_seeds(off.T, settled.T).where(settled.notna().all(axis=1))


def _edge(run: str) -> Statistic:
    return ratio(
        "of 2/η, at the learning rate that is farthest from it on the other seeds",
        lambda table, spec: farthest(late(scaled_sharpness(table, run), "learning rate", spec.steps)),
    )


def _at_smallest(table: pd.DataFrame, spec: EdgeOfStabilitySpec) -> pd.Series:
    """Late sharpness of full batches at the smallest learning rate."""
    return late(scaled_sharpness(table, "full batch"), "learning rate", spec.steps)[spec.learning_rates[0]]


@ratio("times its initial value, at the smallest learning rate")
def sharpening(table: pd.DataFrame, spec: EdgeOfStabilitySpec) -> pd.Series:
    """Late over initial sharpness at the smallest learning rate."""
    start = initial(scaled_sharpness(table, "full batch"), "learning rate")
    return _at_smallest(table, spec) / start[spec.learning_rates[0]]


@ratio("of its highest value")
def fall(table: pd.DataFrame, spec: EdgeOfStabilitySpec) -> pd.Series:
    """Late sharpness under the other loss over that at the step where it is highest on the other seeds."""
    rows = scaled_sharpness(table, "other loss")
    return late(rows, "learning rate", spec.steps).iloc[:, 0] / highest(rows)


@ratio("of the full batch's trace")
def trace(table: pd.DataFrame, spec: EdgeOfStabilitySpec) -> pd.Series:
    """The Hessian's trace at the end with the smallest batches over that with the whole set, at one learning rate."""
    small, whole = (
        readings.complete(readings.final(table, "Hessian trace", "batch size", **of), table, "batch size", **of)
        for of in ({"run": run, "learning rate": spec.learning_rates[0]} for run in ("mini-batch", "full batch"))
    )
    return small.iloc[:, 0] / whole.iloc[:, 0]


CLAIMS = (
    claim(
        "edge",
        "Under full-batch descent the sharpness ends at 2/η, whatever the learning rate η.",
        "cohen-et-al-2021",
        _edge("full batch"),
        equals=1,
        within=1.15,
        control="small learning rates",
        origin="paper",
    ),
    claim(
        "edge-relu",
        "With ReLU units, whose loss is not smooth, the sharpness under full-batch descent ends at 2/η as well.",
        "cohen-et-al-2021",
        _edge("ReLU"),
        equals=1,
        within=1.15,
        control="small learning rates",
        origin="paper",
    ),
    claim(
        "progressive-sharpening",
        "Where the sharpness begins below 2/η, full-batch descent raises it to that edge.",
        "cohen-et-al-2021",
        sharpening,
        above=1.2,
        control="large learning rates",
        origin="paper",
    ),
    claim(
        "cross-entropy-falls",
        "Under cross-entropy the sharpness falls again once the examples are fitted.",
        "cohen-et-al-2021",
        fall,
        below=0.5,
        control="small learning rates",
        origin="paper",
    ),
    claim(
        "batch-moves-edge",
        "Small batches settle at a lower sharpness than the whole set does at the same learning rate.",
        "andreyev-beneventano-2024",
        ratio(
            "of the full batch's sharpness",
            lambda table, spec: (
                late(scaled_sharpness(table, "mini-batch"), "batch size", spec.steps).iloc[:, 0]
                / _at_smallest(table, spec)
            ),
        ),
        below=0.85,
        control="small learning rates",
        origin="paper",
        reported="What stabilizes at 2/η is the curvature of the batches; the sharpness is suppressed.",
    ),
    claim(
        "batch-lowers-trace",
        "Small batches end at a smaller trace of the Hessian than the whole set does at the same learning rate.",
        "wu-su-2023",
        trace,
        below=0.9,
        control="small learning rates",
        origin="consequence",
        reported="Batches of one example bound the trace by 2/η; the full batch bounds the sharpness alone.",
    ),
)
