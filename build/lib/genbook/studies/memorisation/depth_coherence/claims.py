"""What is claimed of depth: what it does to the coherence of gradients, on real and on random labels."""

from __future__ import annotations

import pandas as pd

from genbook.studies.memorisation.depth_coherence.design import DepthCoherenceSpec
from genbook.tables import readings
from genbook.tables.statistics import claim, ratio

LABELS = ("real", "random")


def learning(table: pd.DataFrame, labels: str) -> pd.DataFrame:
    """m-coherence against training loss on one kind of labels, by (seed, hidden layers)."""
    return readings.while_learning(table, "m-coherence", "hidden layers", **{"trained on": labels})


def at_equal_loss(table: pd.DataFrame) -> pd.DataFrame:
    """m-coherence over the training losses that all networks of a seed pass: columns (labels, hidden layers)."""
    depths = sorted(table["hidden layers"].unique())
    networks = [(labels, depth) for labels in LABELS for depth in depths]
    courses = {labels: learning(table, labels) for labels in LABELS}
    parts = {
        place: courses[labels].xs(depth, level="hidden layers", drop_level=True)
        for place, (labels, depth) in enumerate(networks)
        if depth in courses[labels].index.get_level_values("hidden layers")
    }
    seeds = sorted(table["seed"].unique())
    columns = pd.MultiIndex.from_tuples(networks, names=["trained on", "hidden layers"])
    if len(parts) < len(networks):  # a network that learned nothing is compared with none
        return pd.DataFrame(float("nan"), seeds, columns)
    together = pd.concat(parts, names=["network"]).reorder_levels(["seed", "network"]).sort_index(kind="stable")
    counts = together.reset_index().groupby("seed")["network"].nunique()
    found = readings.at_equal_loss(together).reindex(seeds)
    found.columns = columns
    return found.where(counts.reindex(seeds).eq(len(networks)), axis=0)


def contrasts(table: pd.DataFrame) -> pd.DataFrame:
    """m-coherence on real labels over that on random ones, at equal loss: rows seeds, columns hidden layers."""
    values = at_equal_loss(table)
    return values["real"] / values["random"]


def _deepest_over_shallowest(values: pd.DataFrame) -> pd.Series:
    return values.iloc[:, -1] / values.iloc[:, 0]


@ratio("times the shallowest network's ratio of real to random m-coherence")
def _contrast(table: pd.DataFrame, spec: DepthCoherenceSpec) -> pd.Series:
    return _deepest_over_shallowest(contrasts(table))


@ratio("times the shallowest network's m-coherence, on real labels")
def _real(table: pd.DataFrame, spec: DepthCoherenceSpec) -> pd.Series:
    return _deepest_over_shallowest(at_equal_loss(table)["real"])


@ratio("times the shallowest network's m-coherence, on random labels")
def _random(table: pd.DataFrame, spec: DepthCoherenceSpec) -> pd.Series:
    return _deepest_over_shallowest(at_equal_loss(table)["random"])


_NOTE = (
    "That depth amplifies directions which examples share is derived in this book for products of small weights; the "
    "paper is where the question comes from. The direction of this claim was "
)

CLAIMS = (
    claim(
        "depth-amplifies-contrast",
        "The deeper the network, the further are gradients on real labels more coherent than on random ones, at equal "
        "training loss.",
        "chatterjee-zielinski-2022",
        _contrast,
        above=1.25,
        control="few labels random",
        note=_NOTE + "asked before any run, and it failed on the first seeds.",
    ),
    claim(
        "depth-raises-random",
        "On random labels, gradients of the deepest network agree several times more than those of the shallowest.",
        "chatterjee-zielinski-2020",
        _random,
        above=2,
        control="few labels random",
        note=_NOTE + "seen on the first seeds. The paper sees coherence made by training on random labels.",
    ),
    claim(
        "depth-lowers-real",
        "On real labels, gradients of the deepest network agree less than those of the shallowest.",
        "chatterjee-zielinski-2022",
        _real,
        below=1,
        control="shuffled labels",
        note=_NOTE + "seen on the first seeds.",
    ),
)
