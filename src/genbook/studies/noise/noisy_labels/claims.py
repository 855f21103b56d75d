"""What is claimed of learning from noisy labels."""

from __future__ import annotations

import pandas as pd

from genbook.studies.noise.noisy_labels.spec import NoisyLabelsSpec
from genbook.tables import readings, tidy
from genbook.tables.readings import chance, geometric_mean, interpolated_crossing, on_other_seeds
from genbook.tables.statistics import claim, fraction, ratio

#: Fractions of the corrupted labels: a foothold, and half of the way to memory.
FOOTHOLD, HALF = 0.2, 0.5
#: A score that is misled less often counts as misled so often: there are not so many pairs.
LEAST_MISLED = 1e-6


def curve(table: pd.DataFrame, quantity: str, group: str = "all") -> pd.DataFrame:
    """One quantity over training: rows (seed, mistakes), columns steps."""
    return readings.curve(table, quantity, "mistakes", group=group).unstack("step")


def of_uniform(table: pd.DataFrame, quantity: str, group: str = "all") -> pd.DataFrame:
    """One quantity over training on uniform mistakes: rows seeds, columns steps."""
    return curve(table, quantity, group).xs("uniform", level="mistakes")


def steps_to(table: pd.DataFrame, level: float, group: str = "corrupted") -> pd.DataFrame:
    """Steps until accuracy on a group's given labels is ``level`` for good: rows seeds, columns kinds of mistakes.

    What a network gets right by luck in its first steps, and forgets again, does not count.
    """
    return interpolated_crossing(curve(table, "train accuracy", group), level).unstack("mistakes")


def sooner(table: pd.DataFrame, level: float) -> pd.Series:
    """How many times as soon as under uniform mistakes that is for corrupted examples, by kind of mistakes."""
    times = steps_to(table, level)
    return geometric_mean(1 / times.div(times["uniform"], axis=0))


def best_found(table: pd.DataFrame, score: str = "EL2N") -> pd.DataFrame:
    """AUC of a score at the step at which it is best for the other seeds: rows seeds, columns kinds of mistakes."""
    curves = curve(table, f"AUC of {score}", "corrupted").groupby(level="mistakes")
    found = {kind: on_other_seeds(mine.droplevel("mistakes").T) for kind, mine in curves}
    return pd.DataFrame(found).rename_axis(index="seed", columns="mistakes")


def missed(table: pd.DataFrame, score: str = "EL2N") -> pd.DataFrame:
    """One less the AUC at the best step: how often a clean example looks worse than a corrupted one."""
    return (1 - best_found(table, score)).clip(lower=LEAST_MISLED)


def misled(table: pd.DataFrame) -> pd.DataFrame:
    """One less the AUC of EL2N from the first step on, tidy: seed, mistakes, step, value."""
    areas = curve(table, "AUC of EL2N", "corrupted")
    return tidy.long((1 - areas.loc[:, areas.columns > 0]).clip(lower=1e-4), "step")


def more_misled(table: pd.DataFrame) -> pd.Series:
    """How many times as often as by uniform mistakes EL2N is misled at its best step, by kind of mistakes."""
    rates = missed(table)
    return geometric_mean(rates.div(rates["uniform"], axis=0))


def best_test(table: pd.DataFrame) -> pd.DataFrame:
    """Test accuracy at its best step, picked on the test set (an oracle): rows seeds, columns kinds of mistakes."""
    return curve(table, "test accuracy").max(axis=1).unstack("mistakes")


@ratio("times as many steps to half of the corrupted labels as to half of the clean ones")
def _corrupted_later(table: pd.DataFrame, spec: NoisyLabelsSpec) -> pd.Series:
    return steps_to(table, HALF, "corrupted")["uniform"] / steps_to(table, HALF, "clean")["uniform"]


@ratio("times as often misled at the end of training as at the best step")
def _fades(table: pd.DataFrame, spec: NoisyLabelsSpec) -> pd.Series:
    at_end = of_uniform(table, "AUC of EL2N", "corrupted").iloc[:, -1]
    return (1 - at_end).clip(lower=LEAST_MISLED) / missed(table)["uniform"]


@ratio("times as many steps to a fifth of the corrupted labels under uniform noise")
def _sooner(table: pd.DataFrame, spec: NoisyLabelsSpec) -> pd.Series:
    times = steps_to(table, FOOTHOLD)
    return times["uniform"] / times[spec.mistakes[-1]]


@ratio("times as often misled as under uniform noise")
def _hides(table: pd.DataFrame, spec: NoisyLabelsSpec) -> pd.Series:
    rates = missed(table)
    return rates[spec.mistakes[-1]] / rates["uniform"]


_AREA = "area under the ROC curve, at a step chosen on the other seeds"

CLAIMS = (
    claim(
        "clean-first",
        "Clean examples are learned long before corrupted ones are memorised.",
        "arpit-et-al-2017",
        _corrupted_later,
        above=5,
        control="shuffled labels",
    ),
    claim(
        "true-first",
        "Before it memorises them, the network classifies corrupted examples by the label they lost.",
        "liu-et-al-2020",
        ratio(
            "times chance, at the best step",
            lambda table, spec: (
                of_uniform(table, "train accuracy on true labels", "corrupted").max(axis=1) / chance(table)
            ),
        ),
        above=3,
        control="shuffled labels",
    ),
    claim(
        "el2n-finds",
        "The length of its error vector, early in training, tells whether an example's label is wrong.",
        "paul-et-al-2021",
        fraction(_AREA, lambda table, spec: best_found(table, "EL2N")["uniform"], continuity=1e-4),
        above=0.8,
        control="shuffled labels",
    ),
    claim(
        "gradient-norm-finds",
        "So does the norm of an example's gradient.",
        "paul-et-al-2021",
        fraction(_AREA, lambda table, spec: best_found(table, "gradient norm")["uniform"], continuity=1e-4),
        above=0.8,
        control="shuffled labels",
    ),
    claim(
        "scores-fade",
        "The scores must be taken early: once the wrong labels are memorised, they hide.",
        "paul-et-al-2021",
        _fades,
        above=3,
        control="shuffled labels",
    ),
    claim(
        "structured-sooner",
        "Mistakes that follow the look of the image get their foothold sooner than uniform ones.",
        "rolnick-et-al-2017",
        _sooner,
        above=1.25,
        control="uninformed annotator",
    ),
    claim(
        "structured-hides",
        "Mistakes that follow the look of the image are harder to find than uniform ones.",
        "wei-et-al-2022",
        _hides,
        above=2,
        control="uninformed annotator",
    ),
)
