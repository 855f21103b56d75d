"""What is claimed of easy and hard examples."""

from __future__ import annotations

import numpy as np
import pandas as pd

from genbook.tables import tidy
from genbook.tables.readings import LEARNING_ENDS, LEARNING_STARTS
from genbook.tables.statistics import claim, difference, order, ratio


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
    """Fraction of the images that k networks are right on early: rows seeds, columns k from 0 on."""
    return pd.DataFrame({k: values(table, f"right in {k}")["all"] for k in range(networks + 1)})


def coherence_ratio(table: pd.DataFrame) -> pd.Series:
    """m-coherence of the easy over that of the hard images while both are learned, geometric mean over the steps."""
    loss, accuracy = together(table, "loss"), together(table, "accuracy")
    started = loss.le(LEARNING_STARTS * loss.iloc[:, 0], axis=0).cummax(axis=1)
    learning = started & ~(accuracy >= LEARNING_ENDS).cummax(axis=1)
    ratios = np.log(together(table, "m-coherence", "easy") / together(table, "m-coherence", "hard"))
    return np.exp(ratios.where(learning).mean(axis=1))


CLAIMS = (
    claim(
        "same-are-easy",
        "Networks with other first weights and other orders of the batches agree on which images are easy.",
        "arpit-et-al-2017",
        order(
            "rank correlation of two juries of networks",
            lambda table, spec: values(table, "agreement of two juries")["all"],
        ),
        above=0.6,
        control="shuffled labels",
    ),
    claim(
        "easy-agree-more",
        "While all images are learned together, gradients of easy ones agree more than those of hard ones.",
        "chatterjee-zielinski-2022",
        ratio("times the m-coherence of as many hard images", lambda table, spec: coherence_ratio(table)),
        above=1.25,
        control="random halves",
    ),
    claim(
        "easy-generalize",
        "What is learned from easy images carries over to other easy ones; from hard ones, less.",
        "zielinski-et-al-2020",
        difference(
            "difference of the generalization gaps", lambda table, spec: gaps(table)["hard"] - gaps(table)["easy"]
        ),
        above=0.05,
        control="random halves",
    ),
    claim(
        "easy-suffice",
        "Easy images draw the boundary: trained on them, the network is better on new images of every kind.",
        "chatterjee-zielinski-2022",
        difference(
            "difference in test accuracy to training on hard images",
            lambda table, spec: values(table, "test accuracy")["easy"] - values(table, "test accuracy")["hard"],
        ),
        above=0.05,
        control="random halves",
    ),
)
