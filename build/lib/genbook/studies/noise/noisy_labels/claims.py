"""What is claimed of learning from noisy labels."""

from __future__ import annotations

import numpy as np
import pandas as pd

from genbook.studies.noise.noisy_labels.spec import NoisyLabelsSpec
from genbook.tables import readings, tidy
from genbook.tables.readings import chance, geometric_mean, interpolated_crossing, on_other_seeds
from genbook.tables.statistics import Statistic, claim, fraction, half_example, ratio

#: Fractions of the corrupted labels: a foothold, and half of the way to memory.
FOOTHOLD, HALF = 0.2, 0.5
#: Epochs after which the scores are taken: early, but not so early that they are those of the initial weights.
EPOCHS = 10
#: A score that is misled less often counts as misled so often: there are not so many pairs.
LEAST_MISLED = 1e-6


def curve(table: pd.DataFrame, quantity: str, group: str = "all") -> pd.DataFrame:
    """One quantity over training: rows (seed, mistakes), columns steps."""
    return readings.curve(table, quantity, "mistakes", group=group).unstack("step")


def of_uniform(table: pd.DataFrame, quantity: str, group: str = "all") -> pd.DataFrame:
    """One quantity over training on uniform mistakes: rows seeds, columns steps."""
    return curve(table, quantity, group).xs("uniform", level="mistakes")


def memorised(table: pd.DataFrame, group: str = "corrupted") -> pd.DataFrame:
    """Accuracy on a group's given labels, less what labels drawn alike get on other images: as `curve`.

    What a network says of images that it was not trained on is no memory: it mistakes a lookalike for what it looks
    like. Where this was not measured, and of clean examples, nothing is subtracted.
    """
    given = curve(table, "train accuracy", group)
    elsewhere = readings.rows(table, quantity="wrong labels given elsewhere")
    if group != "corrupted" or elsewhere.empty:
        return given
    return given - curve(table, "wrong labels given elsewhere")


def steps_to(table: pd.DataFrame, level: float, group: str = "corrupted") -> pd.DataFrame:
    """Steps until ``level`` of a group's given labels is memorised for good: rows seeds, columns kinds of mistakes.

    What a network gets right by luck in its first steps, and forgets again, does not count.
    """
    return interpolated_crossing(memorised(table, group), level).unstack("mistakes")


def sooner(table: pd.DataFrame, level: float) -> pd.Series:
    """How many times as soon as under uniform mistakes that is for corrupted examples, by kind of mistakes."""
    times = steps_to(table, level)
    return geometric_mean(1 / times.div(times["uniform"], axis=0))


def early(table: pd.DataFrame, spec: NoisyLabelsSpec, score: str = "EL2N") -> pd.DataFrame:
    """AUC of a score after `EPOCHS`, or the measured step nearest to that: rows seeds, columns kinds of mistakes."""
    areas = curve(table, f"AUC of {score}", "corrupted")
    steps = areas.columns[areas.columns > 0]
    wanted = EPOCHS * max(1, spec.n_train // spec.batch_size)
    return areas[steps[np.abs(np.log(steps.to_numpy(dtype=float) / wanted)).argmin()]].unstack("mistakes")


def missed(table: pd.DataFrame, spec: NoisyLabelsSpec, score: str = "EL2N") -> pd.DataFrame:
    """One less that AUC: how often a clean example looks worse than a corrupted one."""
    return (1 - early(table, spec, score)).clip(lower=LEAST_MISLED)


def misled(table: pd.DataFrame) -> pd.DataFrame:
    """One less the AUC of EL2N from the first step on, tidy: seed, mistakes, step, value."""
    areas = curve(table, "AUC of EL2N", "corrupted")
    return tidy.long((1 - areas.loc[:, areas.columns > 0]).clip(lower=1e-4), "step")


def more_misled(table: pd.DataFrame, spec: NoisyLabelsSpec) -> pd.Series:
    """How many times as often as by uniform mistakes EL2N is misled then, by kind of mistakes."""
    rates = missed(table, spec)
    return geometric_mean(rates.div(rates["uniform"], axis=0))


def best_test(table: pd.DataFrame) -> pd.DataFrame:
    """Test accuracy at its best step, picked on the test set (an oracle): rows seeds, columns kinds of mistakes."""
    return curve(table, "test accuracy").max(axis=1).unstack("mistakes")


@ratio("times as many steps to half of the corrupted labels as to half of the clean ones")
def _corrupted_later(table: pd.DataFrame, spec: NoisyLabelsSpec) -> pd.Series:
    return steps_to(table, HALF, "corrupted")["uniform"] / steps_to(table, HALF, "clean")["uniform"]


@ratio("times as often misled at the end of training as early on")
def _fades(table: pd.DataFrame, spec: NoisyLabelsSpec) -> pd.Series:
    at_end = of_uniform(table, "AUC of EL2N", "corrupted").iloc[:, -1]
    return (1 - at_end).clip(lower=LEAST_MISLED) / missed(table, spec)["uniform"]


@ratio("times as many steps to a fifth of the corrupted labels under uniform noise")
def _sooner(table: pd.DataFrame, spec: NoisyLabelsSpec) -> pd.Series:
    times = steps_to(table, FOOTHOLD)
    return times["uniform"] / times[spec.mistakes[-1]]


@ratio("times as often misled as under uniform noise")
def _hides(table: pd.DataFrame, spec: NoisyLabelsSpec) -> pd.Series:
    rates = missed(table, spec)
    return rates[spec.mistakes[-1]] / rates["uniform"]


def _half_label(table: pd.DataFrame, spec: NoisyLabelsSpec) -> float:
    """Half of the step of the logarithm of a fraction of the corrupted labels, where nearly all of them are in it."""
    return half_example(spec.noise * spec.n_train)


@ratio("times chance, at a step chosen on the other seeds", continuity=_half_label)
def _true_first(table: pd.DataFrame, spec: NoisyLabelsSpec) -> pd.Series:
    return on_other_seeds(of_uniform(table, "train accuracy on true labels", "corrupted").T) / chance(table)


def _half_pair(table: pd.DataFrame, spec: NoisyLabelsSpec) -> float:
    """Half of the step of an AUC: one pair of a clean and a corrupted example."""
    corrupted = max(1, round(spec.noise * spec.n_train))
    return half_example(corrupted * (spec.n_train - corrupted))


def _finds(score: str) -> Statistic:
    return fraction(
        f"area under the ROC curve, after {EPOCHS} epochs",
        lambda table, spec: early(table, spec, score)["uniform"],
        continuity=_half_pair,
    )


CLAIMS = (
    claim(
        "clean-first",
        "Clean examples are learned long before corrupted ones are memorised.",
        "arpit-et-al-2017",
        _corrupted_later,
        origin="paper",
        above=5,
        control="shuffled labels",
        note="More than what random labels cost in steps against real ones (chapter two).",
    ),
    claim(
        "true-first",
        "Before the network memorises corrupted examples, it classifies them by the label they lost.",
        "liu-et-al-2020",
        _true_first,
        origin="paper",
        above=3,
        control="shuffled labels",
    ),
    claim(
        "el2n-finds",
        "The length of an example's error vector, early in training, tells whether its label is wrong.",
        "paul-et-al-2021",
        _finds("EL2N"),
        origin="consequence",
        above=0.8,
        control="shuffled labels",
        note="At .8 one pair in five is the wrong way round; with more, sorting by the score would hardly pay. Was "
        "read at the step that is best for the other seeds.",
    ),
    claim(
        "gradient-norm-finds",
        "The norm of an example's gradient, early in training, tells whether its label is wrong.",
        "paul-et-al-2021",
        _finds("gradient norm"),
        origin="consequence",
        above=0.8,
        control="shuffled labels",
        note="At .8 one pair in five is the wrong way round; with more, sorting by the score would hardly pay. Was "
        "read at the step that is best for the other seeds.",
    ),
    claim(
        "scores-fade",
        "Scores that find wrong labels must be taken early: once these are memorised, they hide.",
        "paul-et-al-2021",
        _fades,
        above=3,
        control="shuffled labels",
    ),
    claim(
        "structured-sooner",
        "Mistakes that follow the look of the image are memorised sooner than uniform ones.",
        "rolnick-et-al-2017",
        _sooner,
        above=1.25,
        control="uninformed annotator",
        note="What images that were not trained on are taken for is subtracted; it was not, before.",
    ),
    claim(
        "structured-hides",
        "Mistakes that follow the look of the image are harder to find than uniform ones.",
        "wei-et-al-2022",
        _hides,
        origin="consequence",
        above=2,
        control="uninformed annotator",
    ),
)
