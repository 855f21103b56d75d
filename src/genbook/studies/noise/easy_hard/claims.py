"""What is claimed of easy and hard examples, as statistics of the study's table."""

from __future__ import annotations

import numpy as np
import pandas as pd

from genbook.base.claims import Claim
from genbook.studies.noise.easy_hard.spec import EasyHardSpec
from genbook.tables import tidy

#: Learning has begun when a tenth of the initial loss is gone, and is over when nine in ten labels are fitted.
LEARNING_STARTS, LEARNING_ENDS = 0.9, 0.9


def values(table: pd.DataFrame, quantity: str) -> pd.DataFrame:
    """A quantity that there is one number of for each half: rows seeds, columns halves."""
    return tidy.wide(table, "seed", "half", quantity=quantity)


def together(table: pd.DataFrame, quantity: str, half: str = "all") -> pd.DataFrame:
    """A quantity of the training on all images: rows seeds, columns steps."""
    return tidy.wide(table, "seed", "step", quantity=f"together: {quantity}", half=half)


def gaps(table: pd.DataFrame) -> pd.DataFrame:
    """Training accuracy less accuracy on other images of the same kind: rows seeds, columns halves."""
    return values(table, "train accuracy") - values(table, "own kind accuracy")


def counts(table: pd.DataFrame, networks: int) -> pd.DataFrame:
    """Share of the images that k networks are right on early: rows seeds, columns k from 0 on."""
    return pd.DataFrame({k: values(table, f"right in {k}")["all"] for k in range(networks + 1)})


def coherence_ratio(table: pd.DataFrame) -> pd.Series:
    """m-coherence of the easy over that of the hard images while both are learned, geometric mean over the looks."""
    loss, accuracy = together(table, "loss"), together(table, "accuracy")
    started = loss.le(LEARNING_STARTS * loss.iloc[:, 0], axis=0).cummax(axis=1)
    learning = started & ~(accuracy >= LEARNING_ENDS).cummax(axis=1)
    ratio = np.log(together(table, "m-coherence", "easy") / together(table, "m-coherence", "hard"))
    return np.exp(ratio.where(learning).mean(axis=1))


def _agreement(table: pd.DataFrame, spec: EasyHardSpec) -> pd.Series:
    return values(table, "agreement of two juries")["all"]


def _coherence(table: pd.DataFrame, spec: EasyHardSpec) -> pd.Series:
    return coherence_ratio(table)


def _gap(table: pd.DataFrame, spec: EasyHardSpec) -> pd.Series:
    found = gaps(table)
    return found["hard"] - found["easy"]


def _easy_suffices(table: pd.DataFrame, spec: EasyHardSpec) -> pd.Series:
    found = values(table, "test accuracy")
    return found["easy"] - found["hard"]


CLAIMS = (
    Claim(
        id="same-are-easy",
        statement="Networks with other first weights and other orders of the batches agree on which images are easy.",
        source="arpit-et-al-2017",
        statistic=_agreement,
        relation=">",
        threshold=0.6,
        threshold_text="rank correlation of two juries of networks",
        null="shuffled labels",
    ),
    Claim(
        id="easy-agree-more",
        statement="While all images are learned together, gradients of easy ones agree more than those of hard ones.",
        source="chatterjee-zielinski-2022",
        statistic=_coherence,
        relation=">",
        threshold=1.25,
        threshold_text="times the m-coherence of as many hard images",
        scale="log",
        null="random halves",
    ),
    Claim(
        id="easy-generalize",
        statement="What is learned from easy images carries over to other easy ones; from hard ones, less.",
        source="zielinski-et-al-2020",
        statistic=_gap,
        relation=">",
        threshold=0.05,
        threshold_text="difference of the generalization gaps",
        null="random halves",
    ),
    Claim(
        id="easy-suffice",
        statement="Easy images draw the boundary: trained on them, the network is better on new images of every kind.",
        source="chatterjee-zielinski-2022",
        statistic=_easy_suffices,
        relation=">",
        threshold=0.05,
        threshold_text="difference in test accuracy to training on hard images",
        null="random halves",
    ),
)
