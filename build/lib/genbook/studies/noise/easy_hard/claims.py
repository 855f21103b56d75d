"""What is claimed of easy and hard examples."""

from __future__ import annotations

import pandas as pd

from genbook.studies.measured import half_test_image
from genbook.studies.noise.easy_hard.spec import EasyHardSpec
from genbook.tables import readings
from genbook.tables.readings import LEARNING_ENDS, LEARNING_STARTS, geometric_mean
from genbook.tables.statistics import claim, difference, half_example, order, ratio

#: What is trained on.
TRAINED_ON = ("easy", "hard", "mixed", "all")


def values(table: pd.DataFrame, quantity: str) -> pd.DataFrame:
    """A quantity at the end of the training, NaN of what has diverged: rows seeds, columns what was trained on."""
    seeds = pd.Index(sorted(table["seed"].unique()), name="seed")
    return readings.final(table, quantity, "trained on").reindex(index=seeds, columns=TRAINED_ON)


def told(table: pd.DataFrame, quantity: str) -> pd.Series:
    """What there is one number of for all images, by seed."""
    return values(table, quantity)["all"]


def of_all(table: pd.DataFrame, quantity: str, group: str = "all") -> pd.DataFrame:
    """A quantity along the training on all images: rows seeds, columns steps."""
    return readings.curve(table, quantity, group=group, **{"trained on": "all"}).unstack("step")


def gaps(table: pd.DataFrame) -> pd.DataFrame:
    """Training accuracy less accuracy on other images of the same kind: rows seeds, columns halves."""
    return values(table, "train accuracy") - values(table, "own kind accuracy")


def counts(table: pd.DataFrame, networks: int) -> pd.DataFrame:
    """Fraction of the images that k networks are right on early: rows seeds, columns k from 0 on."""
    return pd.DataFrame({k: told(table, f"right in {k}") for k in range(networks + 1)})


def coherence_ratio(table: pd.DataFrame) -> pd.Series:
    """m-coherence of what is easy to read over that of what is hard while learned, geometric mean over the steps."""
    loss, accuracy = of_all(table, "train loss"), of_all(table, "train accuracy")
    started = loss.le(LEARNING_STARTS * loss.iloc[:, 0], axis=0).cummax(axis=1)
    learning = started & ~(accuracy >= LEARNING_ENDS).cummax(axis=1)
    ratios = of_all(table, "m-coherence", "easy") / of_all(table, "m-coherence", "hard")
    return geometric_mean(ratios.where(learning).T)


def _half_of_rest(table: pd.DataFrame, spec: EasyHardSpec) -> float:
    """Half of the step of an accuracy on half of a half."""
    return half_example(spec.n_train // 4)


@difference("difference of the generalization gaps", continuity=_half_of_rest)
def _easy_generalize(table: pd.DataFrame, spec: EasyHardSpec) -> pd.Series:
    return gaps(table)["hard"] - gaps(table)["easy"]


@difference("difference in test accuracy to training on hard images", continuity=half_test_image)
def _easy_suffice(table: pd.DataFrame, spec: EasyHardSpec) -> pd.Series:
    test = values(table, "test accuracy")
    return test["easy"] - test["hard"]


CLAIMS = (
    claim(
        "same-are-easy",
        "Networks with other first weights and other orders of the batches agree on which images are easy.",
        "arpit-et-al-2017",
        order(
            "rank correlation of two juries of networks",
            lambda table, spec: told(table, "agreement of two juries"),
            ranked=lambda table, spec: spec.n_train,
        ),
        origin="paper",
        above=0.6,
        control="shuffled labels",
    ),
    claim(
        "easy-agree-more",
        "While all images are learned together, gradients of those that are easy to read agree more than those of "
        "hard ones.",
        "chatterjee-zielinski-2022",
        ratio("times the m-coherence of as many hard images", lambda table, spec: coherence_ratio(table)),
        origin="consequence",
        above=1.25,
        control="random halves",
        note="Easy was what networks of the same kind learn first, which is what has a larger product with the mean "
        "gradient; now a linear reader of the other images says it.",
    ),
    claim(
        "easy-generalize",
        "What is learned from easy images carries over to other easy ones; from hard ones, less.",
        "zielinski-et-al-2020",
        _easy_generalize,
        origin="paper",
        above=0.05,
        control="random halves",
    ),
    claim(
        "easy-suffice",
        "Easy images draw the boundary: trained on them, the network is better on new images of every kind.",
        "chatterjee-zielinski-2022",
        _easy_suffice,
        origin="paper",
        above=0.05,
        control="random halves",
    ),
)
