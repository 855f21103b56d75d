"""What is claimed of an adversarial start: it leads to a bad minimum, regularisers undo it, other examples are easy."""

from __future__ import annotations

import pandas as pd

from genbook.studies.measured import half_test_image, half_training_image
from genbook.studies.memorisation.adversarial_start.design import (
    ALL,
    CROPS,
    DECAY,
    MOMENTUM,
    PLAIN,
    UNTIL_MOST,
    AdversarialStartSpec,
)
from genbook.tables import readings
from genbook.tables.statistics import Statistic, claim, difference, fraction, ratio

FIRST, PRETRAINED, OTHER = "first weights", "pretrained", "other first weights"


def ends(table: pd.DataFrame, quantity: str, learned: str) -> pd.DataFrame:
    """The last value of a quantity, with one way to learn the real labels: rows seeds, columns starts."""
    where = {"with": learned}
    return readings.complete(readings.final(table, quantity, "start", **where), table, "start", **where)


def lost(table: pd.DataFrame, learned: str) -> pd.Series:
    """Test accuracy from first weights less that from the pretrained ones, by seed."""
    accuracy = ends(table, "test accuracy", learned)
    return accuracy[FIRST] - accuracy[PRETRAINED]


def regained(learned: str) -> Statistic:
    """The statistic of how much of what is lost is not lost where the real labels are learned so."""
    return difference(
        "of test accuracy less lost than with nothing",
        lambda table, spec: lost(table, PLAIN) - lost(table, learned),
        half_test_image,
    )


def learning(table: pd.DataFrame) -> pd.DataFrame:
    """m-coherence against training loss while the real labels are learned, by (seed, start)."""
    return readings.while_learning(table, "m-coherence", "start", **{"with": PLAIN})


def at_equal_loss(table: pd.DataFrame) -> pd.DataFrame:
    """m-coherence over the training losses that both networks of a seed pass: rows seeds, columns starts."""
    return readings.complete(readings.at_equal_loss(learning(table)), table, "start", **{"with": PLAIN})


def example_losses(table: pd.DataFrame) -> pd.DataFrame:
    """Losses of single examples where most of them are learned: rows (seed, example), columns starts."""
    rows = table[(table["quantity"] == "example loss") & (table["with"] == UNTIL_MOST)]
    return rows.pivot(index=["seed", "group"], columns="start", values="value")


def agreement(table: pd.DataFrame, one: str, other: str) -> pd.Series:
    """Rank correlation over the examples of their losses from two starts, by seed; NaN where one has none.

    Each network has learned nine in ten of the examples: those with the smaller losses.
    """
    losses, found = example_losses(table), {}
    for seed in sorted(table["seed"].unique()):
        own = losses.loc[seed] if seed in losses.index.get_level_values("seed") else pd.DataFrame()
        both = {one, other} <= set(own.columns)
        found[seed] = float(own[one].rank().corr(own[other].rank())) if both else float("nan")
    return pd.Series(found, dtype=float)


@difference("of test accuracy", continuity=half_test_image)
def _lost(table: pd.DataFrame, spec: AdversarialStartSpec) -> pd.Series:
    return lost(table, PLAIN)


@difference("of test accuracy", continuity=half_test_image)
def _lost_with_all(table: pd.DataFrame, spec: AdversarialStartSpec) -> pd.Series:
    return lost(table, ALL)


@fraction("of the training labels", continuity=half_training_image)
def _fitted(table: pd.DataFrame, spec: AdversarialStartSpec) -> pd.Series:
    return ends(table, "train accuracy", PLAIN)[PRETRAINED]


@ratio("times the m-coherence from first weights")
def _coherence(table: pd.DataFrame, spec: AdversarialStartSpec) -> pd.Series:
    values = at_equal_loss(table)
    return values[PRETRAINED] / values[FIRST]


@difference("of rank correlation less than with other first weights")
def _other_order(table: pd.DataFrame, spec: AdversarialStartSpec) -> pd.Series:
    """How much less the pretrained network agrees with those from first weights than these do with each other."""
    pretrained = (agreement(table, FIRST, PRETRAINED) + agreement(table, OTHER, PRETRAINED)) / 2
    return agreement(table, FIRST, OTHER) - pretrained


_PAPER = "liu-papailiopoulos-achlioptas-2020"

CLAIMS = (
    claim(
        "adversarial-start-hurts",
        "Real labels that are learned after random labels on copies of the images lead to a lower test accuracy.",
        _PAPER,
        _lost,
        above=0.1,
        control="real labels before",
        origin="paper",
        reported="Up to 40 % of test accuracy (CIFAR, CINIC10, Restricted ImageNet).",
        note="Settings and thresholds were chosen in trials on the first seeds.",
    ),
    claim(
        "bad-minimum-fits",
        "From a start that has memorised random labels, the real training labels are fitted all the same.",
        _PAPER,
        _fitted,
        above=0.95,
        control="few steps",
        origin="paper",
    ),
    claim(
        "regularisers-undo",
        "With crops, weight decay and momentum together, a start that has memorised random labels costs little.",
        _PAPER,
        _lost_with_all,
        below=0.1,
        control="no regularisers",
        origin="paper",
        reported="No effect on test accuracy.",
    ),
    claim(
        "crops-undo",
        "After a start that has memorised random labels, crops alone win back test accuracy.",
        _PAPER,
        regained(CROPS),
        above=0.1,
        control="no regularisers",
        origin="consequence",
    ),
    claim(
        "decay-undoes",
        "After a start that has memorised random labels, weight decay alone wins back test accuracy.",
        _PAPER,
        regained(DECAY),
        above=0.1,
        control="no regularisers",
        origin="consequence",
    ),
    claim(
        "momentum-undoes",
        "After a start that has memorised random labels, momentum alone wins back test accuracy.",
        _PAPER,
        regained(MOMENTUM),
        above=0.1,
        control="no regularisers",
        note="Momentum is one of the three that the paper's training has; that it does so by itself is asked here.",
    ),
    claim(
        "adversarial-start-incoherent",
        "From a start that has memorised random labels, per-example gradients agree less on the same real labels, "
        "at equal training loss.",
        "chatterjee-zielinski-2022",
        _coherence,
        below=0.9,
        control="hardly any before",
        note="The same images and labels: what differs is the network that meets them.",
    ),
    claim(
        "other-examples-last",
        "Which examples are learned last depends more on whether the start has memorised random labels than on "
        "the draw of the first weights.",
        "chatterjee-zielinski-2022",
        _other_order,
        above=0.05,
        control="hardly any before",
    ),
)
