"""What is claimed of schedules on a network: what gradients make of one, and what training anew by it gains."""

from __future__ import annotations

import pandas as pd

from genbook.studies.batches.network_schedules.spec import MEASURED, NetworkSchedulesSpec
from genbook.studies.batches.shared import CHOSEN, LATE, SCHEDULES, best_of, tuned
from genbook.tables import tidy
from genbook.tables.statistics import Statistic, claim, ratio

#: Half of the step in which a schedule that is kept at so many steps can be read, as a logarithm.
_RESOLVED = 0.5 / MEASURED


def made(table: pd.DataFrame, quantity: str = "factor") -> pd.DataFrame:
    """The refined schedule of each seed, or the gradient norms that it is made of: rows seeds, columns steps."""
    return tidy.wide(table, "seed", "step", quantity=quantity)


def losses(table: pd.DataFrame, quantity: str = "train loss") -> pd.DataFrame:
    """A loss at the end by each schedule, at the peak whose training loss is least on the other seeds."""
    return tuned(table, quantity, by="train loss")


def over(schedule: str, other: str, words: str, quantity: str = "train loss") -> Statistic:
    """A loss by one schedule over that by another, each at its own peak."""

    def statistic(table: pd.DataFrame, spec: NetworkSchedulesSpec) -> pd.Series:
        found = losses(table, quantity)
        return found[schedule] / found[other]

    return ratio(f"times the {words}; {CHOSEN}", statistic)


@ratio(f"times the training loss of the best other schedule; {CHOSEN}, and so is that schedule")
def _linear_over_best(table: pd.DataFrame, spec: NetworkSchedulesSpec) -> pd.Series:
    found = losses(table)
    return found["linear"] / best_of(found[[schedule for schedule in SCHEDULES if schedule != "linear"]])


@ratio("times the first factor", continuity=_RESOLVED)
def warm_up(table: pd.DataFrame, spec: NetworkSchedulesSpec) -> pd.Series:
    """The refined schedule's maximum over its first factor."""
    shapes = made(table)
    return shapes.max(axis=1) / shapes.iloc[:, 0]


@ratio("times what linear decay has left of its maximum")
def left(table: pd.DataFrame, spec: NetworkSchedulesSpec) -> pd.Series:
    """What the refined schedule has left of its maximum late in training, over what linear decay has."""
    shapes = made(table)
    step = min(shapes.columns, key=lambda step: abs(step - LATE * spec.steps))
    return shapes[step] / shapes.max(axis=1) / (1 - step / spec.steps)


_SOURCE = "defazio-et-al-2023"
_REPORTED = "Refined schedules exhibit warm-up and rapid annealing near the end of training."
CLAIMS = (
    claim(
        "network-warms-up",
        "Made of a network's gradient norms, a schedule begins below its maximum: it warms up.",
        _SOURCE,
        warm_up,
        above=1.5,
        control="short steps",
        origin="paper",
        reported=_REPORTED,
    ),
    claim(
        "network-anneals-late",
        "That schedule keeps more of its maximum than linear decay until the last fifth, and so falls faster in it.",
        _SOURCE,
        left,
        above=1.6,
        control="short steps",
        origin="paper",
        reported=_REPORTED,
    ),
    claim(
        "network-refined-beats-linear",
        "A network that is trained anew by that schedule ends at a lower training loss than by linear decay.",
        _SOURCE,
        over("refined", "linear", "training loss by linear decay"),
        below=0.95,
        control="short steps",
        origin="paper",
        reported="Over ten problems of deep learning, refinement gives further improvements.",
        note="The norms come from a run on another draw of examples, weights and batches. Settings with more wrong "
        "labels, whose gradients keep their norm, and with none, whose gradients die, gained nothing in pilots.",
    ),
    claim(
        "network-linear-matches-best",
        "Linear decay ends at as low a training loss as the best of constant, inverse square root, step and cosine.",
        _SOURCE,
        _linear_over_best,
        below=1.05,
        control="short steps",
        origin="paper",
        reported="Linear decay matches or outperforms all commonly used schedules, cosine included.",
    ),
    claim(
        "network-linear-beats-constant",
        "Linear decay ends at a lower training loss than the best constant learning rate.",
        _SOURCE,
        over("linear", "constant", "training loss by a constant rate"),
        below=0.95,
        control="short steps",
        origin="consequence",
    ),
    claim(
        "network-refined-generalizes",
        "A network that is trained anew by the refined schedule has a lower test loss than by linear decay.",
        _SOURCE,
        over("refined", "linear", "test loss by linear decay", "test loss"),
        below=0.97,
        control="short steps",
    ),
)
