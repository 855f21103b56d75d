"""What is claimed of permuted labels."""

from __future__ import annotations

import numpy as np
import pandas as pd

from genbook.studies.memorisation.label_permutations.design import LabelPermutationsSpec
from genbook.tables.readings import at_equal_loss, curve, final, geometric_mean
from genbook.tables.statistics import claim, ratio, slope

#: Until when the small steps are given to calm a network, as a fraction of the time that it is watched.
CALM = 0.05


def steps_to_level(table: pd.DataFrame) -> pd.DataFrame:
    """Steps until the networks were stopped, NaN where they never got there: rows seeds, columns blocks (0: real)."""
    return final(table, "steps to fit", "blocks")


def calm(table: pd.DataFrame, spec: LabelPermutationsSpec, quantity: str, phase: str) -> pd.Series:
    """A quantity in a phase once small steps would have calmed the network, indexed by (seed, blocks, step)."""
    values = curve(table, quantity, "blocks", phase=phase)
    time = values.index.get_level_values("step") * spec.learning_rate_of(phase)
    return values[time >= CALM * time.max()]


def going_on(table: pd.DataFrame, spec: LabelPermutationsSpec, phase: str) -> pd.DataFrame:
    """Geometric mean of m-coherence in a phase, once small steps would have calmed it: seeds by blocks."""
    return geometric_mean(calm(table, spec, "m-coherence", phase), ["seed", "blocks"]).unstack("blocks")


def calm_at_equal_loss(table: pd.DataFrame, spec: LabelPermutationsSpec) -> pd.DataFrame:
    """m-coherence in small steps at the training losses that all networks of a seed pass: seeds by blocks."""
    courses = {name: calm(table, spec, name, "small steps") for name in ("train loss", "m-coherence")}
    wide = pd.DataFrame({"loss": courses["train loss"], "value": courses["m-coherence"]})
    return at_equal_loss(wide.reset_index("step", drop=True))


def power(values: pd.DataFrame) -> pd.Series:
    """Power of the number of blocks with which a quantity grows, by least squares on logarithms; real labels left out.

    NaN where fewer than two cuts have a value.
    """
    logs = np.log(values.drop(columns=0))

    def fitted(row: pd.Series) -> float:
        row = row.dropna()
        return np.polyfit(np.log(row.index.to_numpy(float)), row, 1)[0] if len(row) > 1 else np.nan

    return logs.apply(fitted, axis=1)


def renamed(values: pd.DataFrame) -> pd.Series:
    """The largest blocks over real labels, by seed."""
    return values.iloc[:, 1] / values[0]


def added(table: pd.DataFrame, spec: LabelPermutationsSpec) -> pd.DataFrame:
    """m-coherence going on as before over that in small steps, from the same weights on: rows seeds, columns blocks."""
    return going_on(table, spec, "as before") / going_on(table, spec, "small steps")


CLAIMS = (
    claim(
        "renaming-costs-no-time",
        "Classes that exchange their names are learned as fast as before.",
        "zhang-et-al-2017",
        ratio("times the real labels' steps", lambda table, spec: renamed(steps_to_level(table))),
        equals=1,
        within=2,
        control="blocks at random",
    ),
    claim(
        "renaming-keeps-coherence",
        "Their gradients agree as much as before.",
        "chatterjee-zielinski-2022",
        ratio(
            "times the real labels' m-coherence, at equal training loss",
            lambda table, spec: renamed(calm_at_equal_loss(table, spec)),
        ),
        equals=1,
        within=2,
        control="blocks at random",
    ),
    claim(
        "time-follows-blocks",
        "The smaller the blocks of like images that share a label, the longer it takes to learn the labels.",
        "chatterjee-zielinski-2022",
        slope(
            "is the power of the number of blocks with which the time grows",
            lambda table, spec: power(steps_to_level(table)),
        ),
        above=0.4,
        control="blocks at random",
    ),
    claim(
        "calm-coherence-follows-blocks",
        "The smaller the blocks, the less gradients agree once the oscillation is calmed.",
        "chatterjee-zielinski-2022",
        slope(
            "is the power of the number of blocks with which m-coherence falls, at equal training loss",
            lambda table, spec: power(calm_at_equal_loss(table, spec)),
        ),
        below=-0.5,
        control="blocks at random",
    ),
    claim(
        "steps-add-where-nothing-is-shared",
        "What large steps add to m-coherence grows as the blocks shrink: it follows no pattern.",
        "chatterjee-zielinski-2020",
        slope(
            "is the power of the number of blocks with which the factor grows that large steps add",
            lambda table, spec: power(added(table, spec)),
        ),
        above=0.4,
        control="blocks at random",
    ),
)
