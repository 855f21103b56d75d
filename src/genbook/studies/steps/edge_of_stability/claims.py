"""What is claimed of sharpness and step size, as statistics of the study's table."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from genbook.base.claims import Claim
from genbook.studies.steps.edge_of_stability.spec import EdgeOfStabilitySpec
from genbook.tables import tidy

_LATE = 0.6  # part of the training after which the sharpness counts as settled


def scaled_sharpness(table: pd.DataFrame, run: str) -> pd.DataFrame:
    """Sharpness × step size / 2 of one kind of run, 1 at the edge: rows with seed, rate, batch, step, value."""
    rows = tidy.select(table, quantity="sharpness", run=run)
    return rows.assign(value=rows["value"] * rows["rate"] / 2)


def late(rows: pd.DataFrame, by: str) -> pd.DataFrame:
    """Mean over the last part of the training: rows seeds, columns the levels of ``by``."""
    return rows[rows["step"] >= _LATE * rows["step"].max()].groupby(["seed", by])["value"].mean().unstack(by)


def trace(table: pd.DataFrame, run: str) -> pd.DataFrame:
    """Trace of the Hessian at the end, times step size / 2: rows seeds, columns batch sizes."""
    rows = tidy.select(table, quantity="Hessian trace", run=run)
    if run == "full batch":
        rows = rows[rows["rate"] == rows["rate"].min()]
    return rows.assign(value=rows["value"] * rows["rate"] / 2).pivot(index="seed", columns="batch", values="value")


def _edge(run: str) -> Callable[[pd.DataFrame, EdgeOfStabilitySpec], pd.Series]:
    """Largest distance from the edge among the step sizes of full-batch descent."""
    return lambda table, spec: (late(scaled_sharpness(table, run), "rate") - 1).abs().max(axis=1)


def _sharpening(table: pd.DataFrame, spec: EdgeOfStabilitySpec) -> pd.Series:
    """Late over initial sharpness at the smallest step size."""
    rows = scaled_sharpness(table, "full batch")
    start = rows[(rows["step"] == 0) & (rows["rate"] == spec.edge_rates[0])].set_index("seed")["value"]
    return late(rows, "rate")[spec.edge_rates[0]] / start


def _falls(table: pd.DataFrame, spec: EdgeOfStabilitySpec) -> pd.Series:
    """Late sharpness of the other loss over its highest."""
    rows = scaled_sharpness(table, "other loss")
    return late(rows, "rate").iloc[:, 0] / rows.groupby("seed")["value"].max()


def _batch(table: pd.DataFrame, spec: EdgeOfStabilitySpec) -> pd.Series:
    small = late(scaled_sharpness(table, "mini-batch"), "batch").iloc[:, 0]
    return small / late(scaled_sharpness(table, "full batch"), "rate")[spec.edge_rates[0]]


def _trace(table: pd.DataFrame, spec: EdgeOfStabilitySpec) -> pd.Series:
    return trace(table, "mini-batch").iloc[:, 0] / trace(table, "full batch").iloc[:, 0]


CLAIMS = (
    Claim(
        id="edge",
        statement="Under full-batch descent the sharpness ends at 2/step, whatever the step.",
        source="cohen-et-al-2021",
        statistic=_edge("full batch"),
        relation="<",
        threshold=0.15,
        threshold_text="relative distance from 2/step, at the worst step size",
        null="calm",
    ),
    Claim(
        id="edge-relu",
        statement="So it does with ReLU units, whose loss is not smooth.",
        source="cohen-et-al-2021",
        statistic=_edge("ReLU"),
        relation="<",
        threshold=0.15,
        threshold_text="relative distance from 2/step, at the worst step size",
        null="calm",
    ),
    Claim(
        id="progressive-sharpening",
        statement="Where it begins below the edge, the sharpness rises to it.",
        source="cohen-et-al-2021",
        statistic=_sharpening,
        relation=">",
        threshold=1.2,
        threshold_text="times its initial value, at the smallest step",
        scale="log",
        null="large steps",
    ),
    Claim(
        id="cross-entropy-falls",
        statement="Under cross-entropy the sharpness falls again once the examples are fitted.",
        source="cohen-et-al-2021",
        statistic=_falls,
        relation="<",
        threshold=0.5,
        threshold_text="of its highest value",
        scale="log",
        null="calm",
    ),
    Claim(
        id="batch-moves-edge",
        statement="Small batches settle at a lower sharpness than the whole set does at the same step.",
        source="cohen-et-al-2021",
        statistic=_batch,
        relation="<",
        threshold=0.85,
        threshold_text="of the full batch's sharpness",
        scale="log",
        null="calm",
    ),
    Claim(
        id="batch-lowers-trace",
        statement="Small batches end at a smaller trace of the Hessian than the whole set does at the same step.",
        source="wu-su-2023",
        statistic=_trace,
        relation="<",
        threshold=0.9,
        threshold_text="of the full batch's trace",
        scale="log",
        null="calm",
        reported="Batches of one example bound the trace by 2/step; the full batch bounds the sharpness alone.",
    ),
)
