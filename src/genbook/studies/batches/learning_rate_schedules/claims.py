"""What is claimed of schedules of the learning rate on a convex problem."""

from __future__ import annotations

import numpy as np
import pandas as pd

from genbook.studies.batches.learning_rate_schedules.spec import LearningRateSchedulesSpec
from genbook.studies.batches.shared import CHOSEN, LATE, SCHEDULES, best_of, tuned
from genbook.tables import tidy
from genbook.tables.statistics import Statistic, claim, ratio


def factors(table: pd.DataFrame) -> pd.DataFrame:
    """The refined schedule of each seed: rows seeds, columns steps."""
    return tidy.wide(table, "seed", "step", quantity="factor", schedule="refined")


def highest_over_bound(table: pd.DataFrame) -> pd.Series:
    """The excess loss over its bound, the highest of all schedules and peaks, by seed."""
    places = ["seed", "schedule", "peak"]
    return (
        (tidy.series(table, places, quantity="excess loss") / tidy.series(table, places, quantity="bound"))
        .groupby("seed")
        .max()
    )


def _linear_over(other: str, words: str) -> Statistic:
    def statistic(table: pd.DataFrame, spec: LearningRateSchedulesSpec) -> pd.Series:
        losses = tuned(table)
        return losses["linear"] / losses[other]

    return ratio(f"{words}; {CHOSEN}", statistic)


@ratio(f"times the excess loss of the best other schedule; {CHOSEN}, and so is that schedule")
def _linear_over_best(table: pd.DataFrame, spec: LearningRateSchedulesSpec) -> pd.Series:
    losses = tuned(table)
    others = [schedule for schedule in SCHEDULES if schedule != "linear"]
    return losses["linear"] / best_of(losses[others])


@ratio(f"times the excess loss of the constant rate's average; {CHOSEN}")
def _linear_over_average(table: pd.DataFrame, spec: LearningRateSchedulesSpec) -> pd.Series:
    return tuned(table)["linear"] / tuned(table, "excess loss of the average")["constant"]


@ratio("times the bound, the highest over all schedules and peaks")
def _over_bound(table: pd.DataFrame, spec: LearningRateSchedulesSpec) -> pd.Series:
    return highest_over_bound(table)


#: Half of the step in which a schedule that is kept at a hundred steps can be read, as a logarithm.
_RESOLVED = 0.005


@ratio("times the first factor", continuity=_RESOLVED)
def _warm_up(table: pd.DataFrame, spec: LearningRateSchedulesSpec) -> pd.Series:
    shapes = factors(table)
    return shapes.max(axis=1) / shapes.iloc[:, 0]


@ratio("times what linear decay has left of its maximum")
def _left(table: pd.DataFrame, spec: LearningRateSchedulesSpec) -> pd.Series:
    shapes = factors(table)
    steps = shapes.columns.to_numpy(dtype=float)
    at = int(np.abs(steps - LATE * spec.steps).argmin())
    return shapes.iloc[:, at] / shapes.max(axis=1) / (1 - steps[at] / spec.steps)


@ratio(f"times the excess loss of linear decay; {CHOSEN}")
def _refined_over_linear(table: pd.DataFrame, spec: LearningRateSchedulesSpec) -> pd.Series:
    losses = tuned(table)
    return losses["refined"] / losses["linear"]


_SOURCE = "defazio-et-al-2023"
CLAIMS = (
    claim(
        "linear-matches-best",
        "Linear decay to zero ends as low as the best of constant, inverse square root, step and cosine does.",
        _SOURCE,
        _linear_over_best,
        below=1.05,
        control="one class after the other",
        origin="paper",
        reported="Over all its problems linear decay matches or outperforms every common schedule, cosine included.",
        note="The paper trains networks and a suite of logistic regressions; this is logistic regression on images.",
    ),
    claim(
        "linear-beats-constant",
        "The last iterate of linear decay has a lower loss than that of the best constant learning rate.",
        _SOURCE,
        _linear_over("constant", "times the excess loss of a constant rate"),
        below=0.7,
        control="averaged iterates",
        origin="consequence",
    ),
    claim(
        "linear-beats-inverse-root",
        "The last iterate of linear decay has a lower loss than that of a rate that falls as one over the square root.",
        _SOURCE,
        _linear_over("inverse square root", "times the excess loss of an inverse square root"),
        below=0.7,
        control="averaged iterates",
        origin="consequence",
    ),
    claim(
        "linear-matches-average",
        "The last iterate of linear decay is as good as the average of all iterates of a constant learning rate.",
        _SOURCE,
        _linear_over_average,
        below=1.05,
        control="one class after the other",
        origin="consequence",
        reported="For both the bound is the distance times the gradients' norm over the root of the steps.",
    ),
    claim(
        "bound-holds",
        "For every schedule and every peak the loss of the last iterate lies below its bound.",
        _SOURCE,
        _over_bound,
        below=1,
        control="one class after the other",
        origin="paper",
    ),
    claim(
        "refined-warms-up",
        "A schedule that is made of the gradient norms of a first run begins below its maximum: it warms up.",
        _SOURCE,
        _warm_up,
        above=2,
        control="nothing to learn",
        origin="paper",
    ),
    claim(
        "refined-anneals-late",
        "That schedule keeps more of its maximum than linear decay until the last fifth, and so falls faster in it.",
        _SOURCE,
        _left,
        above=1.6,
        control="nothing to learn",
        origin="paper",
    ),
    claim(
        "refined-beats-linear",
        "Trained anew by that schedule, the loss ends lower than by linear decay.",
        _SOURCE,
        _refined_over_linear,
        below=0.95,
        control="nothing to learn",
        origin="paper",
        reported="Refinement gives further improvements over linear decay.",
    ),
)
