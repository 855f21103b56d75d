"""What is claimed of memorisation scores."""

from __future__ import annotations

import numpy as np
import pandas as pd
import scipy

from genbook.studies.noise.memorisation_scores.spec import FREQUENT, RARE, MemorisationScoresSpec
from genbook.tables import tidy
from genbook.tables.statistics import claim, difference, fraction, half_example, order

RIGHT, PARTLY_WRONG = "right", "partly wrong"
MEMORISED, AT_RANDOM = "the most memorised", "as many at random"
HALVES = ("of one half", "of the other half")


def scores(table: pd.DataFrame, labels: str) -> pd.DataFrame:
    """Everything told of each example: indexed by (seed, example), columns quantities, "seen" and "group"."""
    mine = table[(table["labels"] == labels) & (table["example"] >= 0)]
    wide = mine.pivot(index=["seed", "example"], columns="quantity", values="value")
    about = mine.drop_duplicates(["seed", "example"]).set_index(["seed", "example"])[["seen", "group"]]
    return wide.join(about)


def by_seed(values: dict[int, float]) -> pd.Series:
    """One value per seed."""
    return pd.Series(values, dtype=float).rename_axis("seed")


def correlation(table: pd.DataFrame, one: str, other: str, labels: str = RIGHT) -> pd.Series:
    """Spearman's rank correlation of two quantities over the examples, by seed; NaN where one is constant."""
    found = {}
    for seed, mine in scores(table, labels).groupby("seed"):
        pair = mine[[one, other]].dropna()
        varied = len(pair) > 1 and (pair.nunique() > 1).all()
        found[seed] = float(scipy.stats.spearmanr(pair[one], pair[other]).statistic) if varied else np.nan
    return by_seed(found)


def finds_wrong(table: pd.DataFrame, quantity: str = "memorisation", sign: int = 1) -> pd.Series:
    """The chance that a corrupted example's quantity, times the sign, is larger than a clean one's, by seed."""
    found = {}
    for seed, mine in scores(table, PARTLY_WRONG).groupby("seed"):
        mine = mine.dropna(subset=quantity)
        wrong = (mine["group"] == "corrupted").to_numpy()
        many, few = int(wrong.sum()), int((~wrong).sum())
        ranks = scipy.stats.rankdata(sign * mine[quantity])
        found[seed] = float((ranks[wrong].sum() - many * (many + 1) / 2) / (many * few)) if many and few else np.nan
    return by_seed(found)


def of_kinds(table: pd.DataFrame, quantity: str = "memorisation", labels: str = RIGHT) -> pd.DataFrame:
    """Means over the clean examples of rare kinds and of frequent ones: rows seeds."""
    told = scores(table, labels)
    told = told[told["group"] == "clean"]
    kinds = {"rare": told["seen"] <= RARE, "frequent": told["seen"] >= FREQUENT}
    return pd.DataFrame({name: told[mask].groupby("seed")[quantity].mean() for name, mask in kinds.items()})


def accuracies(table: pd.DataFrame, labels: str = RIGHT, group: str = "all") -> pd.DataFrame:
    """Test accuracy by what was removed from the training set: rows seeds."""
    return tidy.wide(table, "seed", "removed", quantity="test accuracy", labels=labels, group=group)


def costs(table: pd.DataFrame, labels: str = RIGHT, group: str = "all") -> pd.Series:
    """What removing the most memorised costs in test accuracy beyond removing as many at random, by seed."""
    accuracy = accuracies(table, labels, group)
    return accuracy[AT_RANDOM] - accuracy[MEMORISED]


def _half_pair(table: pd.DataFrame, spec: MemorisationScoresSpec) -> float:
    """Half of the step of an AUC: one pair of a clean and a corrupted example."""
    corrupted = max(1, round(spec.noise * spec.n_train))
    return half_example(corrupted * max(1, spec.n_train - corrupted))


def _examples(table: pd.DataFrame, spec: MemorisationScoresSpec) -> int:
    return spec.n_train


@fraction("area under the ROC curve", continuity=_half_pair)
def _wrong_found(table: pd.DataFrame, spec: MemorisationScoresSpec) -> pd.Series:
    return finds_wrong(table)


@difference("difference of mean scores")
def _rare_over_frequent(table: pd.DataFrame, spec: MemorisationScoresSpec) -> pd.Series:
    means = of_kinds(table)
    return means["rare"] - means["frequent"]


@difference("of test accuracy, beyond the cost of as many at random")
def _removal_costs(table: pd.DataFrame, spec: MemorisationScoresSpec) -> pd.Series:
    return costs(table)


@difference("of test accuracy on rare kinds, beyond the same on frequent ones")
def _tail_pays(table: pd.DataFrame, spec: MemorisationScoresSpec) -> pd.Series:
    return costs(table, group="rare") - costs(table, group="frequent")


@difference("of test accuracy, beyond the gain by removing as many at random")
def _removal_helps(table: pd.DataFrame, spec: MemorisationScoresSpec) -> pd.Series:
    return -costs(table, PARTLY_WRONG)


@order("rank correlation", ranked=_examples)
def _own_share_tells(table: pd.DataFrame, spec: MemorisationScoresSpec) -> pd.Series:
    return correlation(table, "memorisation", "own share")


@order("rank correlation", ranked=_examples)
def _el2n_tells(table: pd.DataFrame, spec: MemorisationScoresSpec) -> pd.Series:
    return correlation(table, "memorisation", "EL2N")


@order("rank correlation", ranked=_examples)
def _cosine_tells(table: pd.DataFrame, spec: MemorisationScoresSpec) -> pd.Series:
    return correlation(table, "memorisation", "cosine with the others")


@order("rank correlation", ranked=_examples)
def _halves_agree(table: pd.DataFrame, spec: MemorisationScoresSpec) -> pd.Series:
    return correlation(table, *HALVES, labels=PARTLY_WRONG)


CLAIMS = (
    claim(
        "wrong-labels-memorised",
        "Where some labels are wrong, these are the most memorised examples.",
        "feldman-zhang-2020",
        _wrong_found,
        origin="consequence",
        above=0.85,
        control="shuffled labels",
    ),
    claim(
        "rare-memorised",
        "Where all labels are right, images of rare kinds are memorised more than images of frequent ones.",
        "feldman-zhang-2020",
        _rare_over_frequent,
        origin="paper",
        above=0.05,
        control="shuffled scores",
    ),
    claim(
        "removing-memorised-costs",
        "Where all labels are right, training without the most memorised examples costs more test accuracy than "
        "training without as many at random.",
        "feldman-zhang-2020",
        _removal_costs,
        origin="paper",
        above=0.01,
        control="shuffled scores",
        note="The threshold was chosen on the first seeds and is clear of the control, in which classes that are "
        "memorised more still lose more examples.",
    ),
    claim(
        "tail-pays-removal",
        "Training without the most memorised examples costs new images of rare kinds more than new images of "
        "frequent ones.",
        "feldman-zhang-2020",
        _tail_pays,
        origin="consequence",
        above=0.01,
        control="shuffled scores",
    ),
    claim(
        "removing-memorised-helps-noisy",
        "Where some labels are wrong, training without the most memorised examples helps.",
        "feldman-zhang-2020",
        _removal_helps,
        origin="ours",
        above=0.01,
        control="shuffled scores",
    ),
    claim(
        "memorised-by-own-gradient",
        "The more of what training does for an example is done by its own gradient, the more it is memorised.",
        "chatterjee-zielinski-2022",
        _own_share_tells,
        origin="ours",
        above=0.5,
        control="shuffled scores",
        note="Asked after trials on the first seeds, in which the cosine with the others' gradients at one step said "
        "little.",
    ),
    claim(
        "memorised-lack-coherence",
        "Early in training the gradients of memorised examples point away from those of the others.",
        "chatterjee-zielinski-2022",
        _cosine_tells,
        origin="consequence",
        below=-0.1,
        control="shuffled scores",
    ),
    claim(
        "el2n-foretells-memory",
        "What has a large error early in training is what will be memorised.",
        "paul-et-al-2021",
        _el2n_tells,
        origin="ours",
        above=0.5,
        control="shuffled scores",
    ),
    claim(
        "memory-scores-agree",
        "Two halves of the networks rank the examples alike: the scores are of the examples, not of the networks.",
        "feldman-zhang-2020",
        _halves_agree,
        origin="consequence",
        above=0.7,
        control="shuffled scores",
    ),
)
