"""What is claimed of random and real labels."""

from __future__ import annotations

import numpy as np
import pandas as pd

from genbook.base import stats
from genbook.studies.memorisation.random_labels.design import RandomLabelsSpec
from genbook.tables import readings
from genbook.tables.statistics import claim, difference, order, proportion, ratio


def final(table: pd.DataFrame, quantity: str, network: str = "base") -> pd.DataFrame:
    """The last value of a quantity: rows seeds, columns noise levels."""
    values = readings.final(table, quantity, "noise", network=network)
    return readings.complete(values, table, "noise", network=network)


def gap(table: pd.DataFrame, network: str = "base") -> pd.DataFrame:
    """Generalization gap at the end, training accuracy less test accuracy: rows seeds, columns noise levels."""
    return final(table, "train accuracy", network) - final(table, "test accuracy", network)


def steps_to_fit(table: pd.DataFrame) -> pd.DataFrame:
    """Steps until the training set is fitted, NaN where it was not (censored): rows seeds, columns noise levels."""
    return final(table, "steps to fit")


def slowdown(table: pd.DataFrame) -> pd.Series:
    """Steps to fit the most random labels over those to fit the real ones, by seed."""
    return steps_to_fit(table).iloc[:, -1] / steps_to_fit(table).iloc[:, 0]


def learning(table: pd.DataFrame, layer: str = "all") -> pd.DataFrame:
    """m-coherence against training loss while learning, indexed by (seed, noise): see `readings.while_learning`."""
    return readings.while_learning(table, "m-coherence", "noise", network="base", layer=layer)


def at_equal_loss(table: pd.DataFrame, layer: str = "all") -> pd.DataFrame:
    """m-coherence over the training losses that all noise levels of a seed pass: rows seeds, columns noise levels."""
    return readings.complete(readings.at_equal_loss(learning(table, layer)), table, "noise", network="base")


def coherence_ratio(table: pd.DataFrame, layer: str = "all") -> pd.Series:
    """m-coherence of real over that of the most random labels, at equal loss, by seed."""
    values = at_equal_loss(table, layer)
    return values.iloc[:, 0] / values.iloc[:, -1]


def first_layer(table: pd.DataFrame) -> str:
    """Name of the layer next to the inputs."""
    return min(set(table["layer"]) - {"all"}, key=int)


@order("(Kendall's τ of gap and fraction)", ranked=lambda table, spec: len(spec.noise_levels))
def _gap_order(table: pd.DataFrame, spec: RandomLabelsSpec) -> pd.Series:
    gaps = gap(table)
    return gaps.apply(lambda row: stats.kendall_tau(gaps.columns, row), axis=1)


@ratio("times its value at the beginning of learning")
def _late_rise(table: pd.DataFrame, spec: RandomLabelsSpec) -> pd.Series:
    """m-coherence of the most random labels late over early: the last third of their way in log loss over the first."""
    courses = learning(table)
    most_random = courses[courses.index.get_level_values("noise") == max(spec.noise_levels)]

    def late_over_early(course: pd.DataFrame) -> float:
        fallen = np.log(course["loss"].iloc[0] / course["loss"])
        way = fallen / fallen.iloc[-1]
        late, early = course["value"][way > 2 / 3], course["value"][way < 1 / 3]
        return float(np.exp(np.log(late).mean() - np.log(early).mean()))

    rises = {seed: late_over_early(course) for seed, course in most_random.groupby("seed")}
    return pd.Series(rises, dtype=float).reindex(steps_to_fit(table).index)


#: For each measure that does not see the labels: the networks on real and on the most random labels between which it
#: is asked which one generalizes, and what it is then claimed to say wrongly.
MISLEADING = {
    "weight norm": (
        ("larger start", "base"),
        "With a larger start on real labels, the network with larger weights generalizes better.",
    ),
    "sharpness": (
        ("base", "larger steps"),
        "With larger steps on random labels, the network with the sharper minimum generalizes better.",
    ),
    "distance": (
        ("base", "larger start"),
        "With a larger start on random labels, the network that went farther generalizes better.",
    ),
}


def misled(table: pd.DataFrame, measure: str) -> pd.Series:
    """How much smaller the generalization gap of the network is in which the ``measure`` is larger, one per seed."""
    (on_real, on_random), _ = MISLEADING[measure]
    real, random = final(table, measure, on_real).iloc[:, 0], final(table, measure, on_random).iloc[:, -1]
    smaller = gap(table, on_random).iloc[:, -1] - gap(table, on_real).iloc[:, 0]
    return np.sign(real - random) * smaller


CLAIMS = (
    claim(
        "all-fit",
        "The same network fits its training set completely, whatever fraction of the labels is random.",
        "zhang-et-al-2017",
        proportion("of the seeds, with 95 % confidence", lambda table, spec: steps_to_fit(table).notna().all(axis=1)),
        above=0.75,
        control="too small",
        reported="Training accuracy of 99 to 100 % on random labels, for every architecture tried.",
    ),
    claim(
        "real-above-chance",
        "Trained on real labels, the network classifies new examples far above chance.",
        "zhang-et-al-2017",
        ratio("times chance", lambda table, spec: final(table, "test accuracy").iloc[:, 0] / readings.chance(table)),
        above=3,
        control="shuffled labels",
    ),
    claim(
        "random-at-chance",
        "Trained on random labels to the same training accuracy, it classifies new examples at chance.",
        "zhang-et-al-2017",
        ratio("times chance", lambda table, spec: final(table, "test accuracy").iloc[:, -1] / readings.chance(table)),
        below=1.5,
        control="labels kept",
    ),
    claim(
        "gap-orders",
        "The generalization gap grows with the fraction of random labels.",
        "zhang-et-al-2017",
        _gap_order,
        above=0.8,
        control="shuffled labels",
    ),
    claim(
        "random-slower",
        "Random labels take longer to fit than real ones.",
        "zhang-et-al-2017",
        ratio("times as many steps", lambda table, spec: slowdown(table)),
        above=1.5,
        control="shuffled labels",
    ),
    claim(
        "coherence-real-above-random",
        "While learning, at equal training loss and m, per-example gradients agree more on real labels.",
        "chatterjee-zielinski-2022",
        ratio("times the m-coherence of random labels", lambda table, spec: coherence_ratio(table)),
        above=2.5,
        control="shuffled labels",
    ),
    claim(
        "random-rises-late",
        "On random labels m-coherence rises late, while they are being memorised.",
        "chatterjee-zielinski-2020",
        _late_rise,
        above=2,
        control="labels kept",
    ),
    claim(
        "first-layer-tells-more",
        "The layer next to the inputs tells real from random labels more clearly than the whole network.",
        "chatterjee-zielinski-2022",
        ratio(
            "times the whole network's ratio of real to random m-coherence, at equal training loss",
            lambda table, spec: coherence_ratio(table, first_layer(table)) / coherence_ratio(table),
        ),
        above=1.15,
        control="shuffled labels",
        note="The paper advises the layer's view and does not say which layer; ours was named on the first seeds.",
    ),
    *(
        claim(
            f"{measure.replace(' ', '-')}-misleads",
            statement,
            "gastpar-et-al-2024",
            difference(
                "smaller generalization gap where the measure is larger",
                lambda table, spec, measure=measure: misled(table, measure),
            ),
            above=0.3,
            control="shuffled labels",
        )
        for measure, (_, statement) in MISLEADING.items()
    ),
)
