"""What is claimed of permuted labels."""

from __future__ import annotations

import pandas as pd

from genbook.studies.memorisation.label_permutations.design import LabelPermutationsSpec
from genbook.studies.memorisation.shared import annealed, annealed_against_loss
from genbook.tables.readings import at_equal_loss, complete, final, geometric_mean, power
from genbook.tables.statistics import claim, ratio, slope


def steps_to_level(table: pd.DataFrame) -> pd.DataFrame:
    """Steps until the networks were stopped, NaN where they never got there: rows seeds, columns blocks (0: real)."""
    return final(table, "steps to fit", "blocks")


def going_on(table: pd.DataFrame, spec: LabelPermutationsSpec, phase: str) -> pd.DataFrame:
    """Geometric mean of m-coherence in a phase, once small steps would have annealed it: seeds by blocks."""
    values = geometric_mean(annealed(table, spec, "m-coherence", "blocks", phase), ["seed", "blocks"])
    return complete(values.unstack("blocks"), table, "blocks")


def annealed_at_equal_loss(table: pd.DataFrame, spec: LabelPermutationsSpec) -> pd.DataFrame:
    """m-coherence in small steps at the training losses that all networks of a seed pass: seeds by blocks."""
    return complete(at_equal_loss(annealed_against_loss(table, spec, "blocks")), table, "blocks")


def renamed(values: pd.DataFrame) -> pd.Series:
    """The largest blocks over real labels, by seed."""
    return values.iloc[:, 1] / values[0]


def added(table: pd.DataFrame, spec: LabelPermutationsSpec) -> pd.DataFrame:
    """m-coherence going on as before over that in small steps, from the same weights on: rows seeds, columns blocks."""
    return going_on(table, spec, "as before") / going_on(table, spec, "small steps")


def _half_check(table: pd.DataFrame, spec: LabelPermutationsSpec) -> float:
    """Half of the step in which the logarithm of a time is measured: accuracy is checked every few steps."""
    return spec.stopped().check_every / 2 / float(steps_to_level(table)[0].fillna(spec.steps).min())


_OURS = "Neither paper exchanges labels between blocks."
CLAIMS = (
    claim(
        "renaming-costs-no-time",
        "Classes that exchange their names are learned as fast as before.",
        "zhang-et-al-2017",
        ratio("times the real labels' steps", lambda table, spec: renamed(steps_to_level(table)), _half_check),
        equals=1,
        within=2,
        control="blocks at random",
        origin="ours",
        note=_OURS,
    ),
    claim(
        "annealed-coherence-follows-blocks",
        "The smaller the blocks of like images that share a label, the less gradients agree once the oscillation is "
        "annealed.",
        "chatterjee-zielinski-2022",
        slope(
            "(the power of the number of blocks with which m-coherence changes, at equal training loss)",
            lambda table, spec: power(annealed_at_equal_loss(table, spec).drop(columns=0)),
        ),
        below=-0.5,
        control="blocks at random",
        origin="ours",
        note=f"{_OURS} That smaller blocks take longer is the same observation: at equal loss coherence is speed over "
        "the mean squared gradient.",
    ),
    claim(
        "steps-add-where-nothing-is-shared",
        "What large steps add to m-coherence grows as the blocks shrink: it follows no pattern.",
        "chatterjee-zielinski-2020",
        slope(
            "(the power of the number of blocks with which the factor grows that large steps add)",
            lambda table, spec: power(added(table, spec).drop(columns=0)),
        ),
        above=0.4,
        control="blocks at random",
        origin="ours",
        note=_OURS,
    ),
)
