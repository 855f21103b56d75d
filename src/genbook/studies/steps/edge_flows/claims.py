"""What is claimed of the flows that stand for gradient descent at the edge of stability."""

from __future__ import annotations

import pandas as pd

from genbook.studies.steps.edge_flows.spec import EdgeFlowsSpec
from genbook.tables import readings
from genbook.tables.statistics import Statistic, claim, ratio

#: Part of the training after which descent has been at the edge for a while.
LATE = 0.5


#: How well ratios are known, as a logarithm: flows are integrated in a few parts of a step.
_RESOLVED = 0.01


def late(table: pd.DataFrame, quantity: str, spec: EdgeFlowsSpec) -> pd.DataFrame:
    """The mean over the last part of the training: rows seeds, columns paths; NaN where a path diverged."""
    rows = readings.rows(table, quantity=quantity)
    rows = rows[rows["step"] >= LATE * spec.steps]
    return rows.groupby(["seed", "path"])["value"].mean().unstack("path")


def _over(words: str, quantity: str, path: str, other: str) -> Statistic:
    """A late quantity of one path over that of another."""

    def statistic(table: pd.DataFrame, spec: EdgeFlowsSpec) -> pd.Series:
        found = late(table, quantity, spec)
        return found[path] / found[other]

    return ratio(words, statistic, continuity=_RESOLVED)


CLAIMS = (
    claim(
        "gradient-flow-leaves",
        "Where descent is held at the edge, gradient flow from the same start goes on to far sharper places.",
        "cohen-et-al-2021",
        _over("times the sharpness of descent", "sharpness", "gradient flow", "descent"),
        above=1.3,
        control="far from the edge",
        origin="paper",
    ),
    claim(
        "central-flow-follows",
        "At the edge of stability the central flow stays nearer to descent than gradient flow does.",
        "cohen-et-al-2025",
        _over("times the distance of gradient flow", "distance", "central flow", "gradient flow"),
        below=0.6,
        control="far from the edge",
        origin="paper",
        reported="Central flows predict long-term trajectories of networks with a high degree of accuracy.",
    ),
    claim(
        "central-flow-as-sharp",
        "The central flow is as sharp as descent at the edge of stability is on average.",
        "cohen-et-al-2025",
        _over("times the sharpness of descent", "sharpness", "central flow", "descent"),
        equals=1,
        within=1.1,
        control="without the force",
        origin="paper",
    ),
    claim(
        "rod-flow-as-close",
        "Rod flow stays as near to descent at the edge of stability as the central flow does.",
        "regis-chewi-2026",
        _over("times the distance of the central flow", "distance", "rod flow", "central flow"),
        equals=1,
        within=1.5,
        control="far from the edge",
        origin="paper",
        reported="It matches the accuracy of the central flow for representative networks.",
        note="Their networks are larger; in a small one a single oscillation can carry descent far.",
    ),
    claim(
        "edge-flow-as-close",
        "Edge flow stays at least as near to descent at the edge of stability as the central flow does.",
        "marion-2026",
        _over("times the distance of the central flow", "distance", "edge flow", "central flow"),
        below=1.25,
        control="a fixed direction",
        origin="paper",
        reported="It tracks descent at least as faithfully as earlier continuous-time models.",
        note="The flow is made from the description in the paper's abstract, with rates of our choice. The threshold "
        "was set when six of the seeds had been seen.",
    ),
    claim(
        "edge-flow-as-sharp",
        "Edge flow is as sharp as descent at the edge of stability is on average.",
        "marion-2026",
        _over("times the sharpness of descent", "sharpness", "edge flow", "descent"),
        equals=1,
        within=1.1,
        control="a fixed direction",
        origin="consequence",
    ),
)
