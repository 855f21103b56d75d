"""What is claimed of the curvature of batches."""

from __future__ import annotations

import pandas as pd

from genbook.studies.steps.shared import in_units_of_edge
from genbook.studies.steps.stochastic_edge.design import StochasticEdgeSpec
from genbook.tables import readings
from genbook.tables.statistics import claim, ratio

#: Part of the training after which curvature counts as settled.
LATE = 0.65


def scaled(table: pd.DataFrame, quantity: str) -> pd.DataFrame:
    """Tidy rows of one kind of curvature in units of 2 / learning rate, 1 at the edge."""
    return in_units_of_edge(readings.rows(table, quantity=quantity))


def late(table: pd.DataFrame, quantity: str, spec: StochasticEdgeSpec) -> pd.DataFrame:
    """Its mean over the last part of the training: rows seeds, columns batch sizes; NaN where it had diverged."""
    rows = scaled(table, quantity)
    settled = rows[rows["step"] >= LATE * spec.steps].groupby(["seed", "batch size"])["value"].mean().unstack()
    return readings.complete(settled, rows, "batch size")


def smallest(table: pd.DataFrame, quantity: str, spec: StochasticEdgeSpec) -> pd.Series:
    """The same with the smallest batches."""
    return late(table, quantity, spec).iloc[:, 0]


@ratio("of 2/η")
def batches_at_edge(table: pd.DataFrame, spec: StochasticEdgeSpec) -> pd.Series:
    """Late batch sharpness with the smallest batches, in units of 2 / learning rate."""
    return smallest(table, "batch sharpness", spec)


@ratio("of 2/η")
def loss_below_edge(table: pd.DataFrame, spec: StochasticEdgeSpec) -> pd.Series:
    """Late sharpness of the whole loss with the smallest batches, in units of 2 / learning rate."""
    return smallest(table, "sharpness", spec)


@ratio("times the sharpness of the whole loss")
def apart(table: pd.DataFrame, spec: StochasticEdgeSpec) -> pd.Series:
    """Late batch sharpness over late sharpness, with the smallest batches."""
    return smallest(table, "batch sharpness", spec) / smallest(table, "sharpness", spec)


CLAIMS = (
    claim(
        "batch-sharpness-at-edge",
        "With small batches the mean curvature of the batches along their own gradients settles at 2/η.",
        "andreyev-beneventano-2024",
        batches_at_edge,
        equals=1,
        within=1.25,
        control="small learning rate",
        origin="paper",
        reported="Batch sharpness stabilizes at 2/η.",
    ),
    claim(
        "sharpness-held-below",
        "With small batches the sharpness of the whole loss stays well below 2/η.",
        "andreyev-beneventano-2024",
        loss_below_edge,
        below=0.85,
        control="whole set",
        origin="paper",
        reported="The largest eigenvalue is suppressed.",
    ),
    claim(
        "batches-curve-more",
        "Along their own gradients batches curve more than the whole loss does in its sharpest direction.",
        "andreyev-beneventano-2024",
        apart,
        above=1.15,
        control="whole set",
        origin="paper",
        reported="The largest eigenvalue is generally smaller than batch sharpness.",
    ),
)
