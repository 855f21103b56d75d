"""What is claimed of early stopping."""

from __future__ import annotations

import numpy as np
import pandas as pd

from genbook.studies.measured import half_image_of_half
from genbook.studies.stopping.early_stopping.design import GROUPS, EarlyStoppingSpec
from genbook.tables import readings
from genbook.tables.readings import LEARNING_STARTS, interpolated_crossing, on_other_seeds
from genbook.tables.statistics import Statistic, claim, ratio

#: What is read off at a step is the mean over the measured steps within this factor of it: single steps wobble.
WINDOW = 1.25
_BOTH = ", ".join(GROUPS)


def curve(table: pd.DataFrame, quantity: str, group: str = "all", layer: str = "all") -> pd.DataFrame:
    """One quantity over training: rows seeds, columns steps."""
    return readings.curve(table, quantity, group=group, layer=layer).unstack("step")


def best_steps(table: pd.DataFrame) -> pd.Series:
    """By seed, the step at which the mean test accuracy of the *other* seeds is best; NaN with one seed alone.

    It needs the test set all the same, so it is an oracle.
    """
    accuracy = curve(table, "test accuracy").T
    steps = np.repeat(accuracy.index.to_numpy(float)[:, None], accuracy.shape[1], axis=1)
    return on_other_seeds(accuracy, pd.DataFrame(steps, accuracy.index, accuracy.columns))


def at_best(table: pd.DataFrame, quantity: str, group: str = "all", layer: str = "all") -> pd.Series:
    """A quantity at the best step of each seed, averaged over the measured steps within a factor `WINDOW` of it."""
    values, best = curve(table, quantity, group, layer), best_steps(table)
    steps = np.asarray(values.columns, dtype=float)
    near = {seed: (steps >= best[seed] / WINDOW) & (steps <= best[seed] * WINDOW) for seed in values.index}
    return pd.Series({seed: values.loc[seed, near[seed]].mean() for seed in values.index})


def cosine_at_best(table: pd.DataFrame) -> pd.Series:
    """The cosine of the clean and the corrupted examples' summed gradients at the best step, by seed."""
    return at_best(table, "gradient cosine", _BOTH)


def descent_fraction(table: pd.DataFrame, early: bool, layer: str = "all") -> pd.Series:
    """Fraction of the descent driven by clean examples, summed over the steps before or after the best one, by seed."""
    clean, total = curve(table, "descent", "clean", layer), curve(table, "descent", layer=layer)
    best = best_steps(table)
    steps = np.asarray(total.columns, dtype=float)
    fractions = {}
    for seed in total.index:
        chosen = steps <= best[seed] if early else steps >= best[seed]
        # a measured step stands for those up to its neighbours
        whole = _integral(total.loc[seed], steps, chosen)
        # Where the network has come to rest there is no descent to divide.
        fractions[seed] = _integral(clean.loc[seed], steps, chosen) / whole if whole else np.nan
    return pd.Series(fractions)


def _integral(values: pd.Series, steps: np.ndarray, chosen: np.ndarray) -> float:
    return float(np.trapezoid(values.to_numpy()[chosen], steps[chosen])) if chosen.sum() > 1 else np.nan


def fraction_clean(spec: EarlyStoppingSpec) -> float:
    """The fraction of clean examples: what their fraction of the descent would be if all examples pulled alike."""
    return 1 - np.floor(spec.noise * spec.n_train + 0.5) / spec.n_train


def running_descent_fraction(table: pd.DataFrame, layer: str = "all", reach: int = 3) -> pd.DataFrame:
    """The clean examples' fraction of the descent along training, over ``reach`` measured steps either side.

    Tidy rows for a figure: ``seed``, ``step``, ``clean fraction of descent``.
    """
    window = {"window": 2 * reach + 1, "center": True, "min_periods": 1}
    clean = curve(table, "descent", "clean", layer).T.rolling(**window).sum()
    total = curve(table, "descent", layer=layer).T.rolling(**window).sum()
    return (clean / total).stack().rename("clean fraction of descent").reset_index()


def accuracy_kept(table: pd.DataFrame) -> pd.DataFrame:
    """Test accuracy at the best step and at the last one: rows seeds, columns ``best`` and ``end``.

    The best step is chosen on the other seeds and one half of the test set, and both are read on the other half.
    """
    chosen_on, read_on = (curve(table, "test accuracy", half).T for half in ("first half", "second half"))
    return pd.DataFrame({"best": on_other_seeds(chosen_on, read_on), "end": read_on.iloc[-1]})


def _half_example_of_errors(table: pd.DataFrame, spec: EarlyStoppingSpec) -> float:
    """Half an example over the fewest errors, in which the logarithm of a ratio of errors is measured."""
    errors = float((1 - accuracy_kept(table)).min(axis=None))
    step = half_image_of_half(table, spec)
    return step / max(errors, step) if errors == errors else step


@ratio("times the test error of the best step, at the end", continuity=_half_example_of_errors)
def _overtraining(table: pd.DataFrame, spec: EarlyStoppingSpec) -> pd.Series:
    kept = accuracy_kept(table)
    return (1 - kept["end"]) / (1 - kept["best"])


@ratio("times the length of the clean examples' sum")
def _length_ratio(table: pd.DataFrame, spec: EarlyStoppingSpec) -> pd.Series:
    """How long the corrupted examples' summed gradient is at the best step, over that of the clean ones."""
    clean, corrupted = (at_best(table, "gradient length", group) for group in GROUPS)
    return corrupted / clean


def learning_coherence(table: pd.DataFrame) -> pd.DataFrame:
    """Geometric mean m-coherence of each group from a loss fallen by a tenth until the best step: rows seeds."""
    loss, best = curve(table, "train loss"), best_steps(table)
    steps = np.asarray(loss.columns, dtype=float)
    result = {}
    for seed, row in loss.iterrows():
        started = (row <= LEARNING_STARTS * row.iloc[0]).cummax().to_numpy()
        chosen = started & (steps <= best[seed])
        result[seed] = {
            group: np.exp(
                np.log(curve(table, "m-coherence at equal size", group).loc[seed][chosen].clip(lower=1e-3)).mean()
            )
            for group in GROUPS
        }
    return pd.DataFrame.from_dict(result, orient="index")


def distance_at_half(table: pd.DataFrame) -> pd.DataFrame:
    """Distance from initialisation when half of a group's labels are first fitted, NaN if never: rows seeds.

    Between measured steps both are interpolated, linear in the logarithm of the step.
    """
    distance = curve(table, "distance")
    distance = distance.loc[:, distance.columns > 0]
    steps = np.log(distance.columns.to_numpy(dtype=float))
    reached = {}
    for group in GROUPS:
        first = np.log(interpolated_crossing(curve(table, "train accuracy", group), 0.5, first=True))
        reached[group] = {seed: np.interp(first[seed], steps, row) for seed, row in distance.iterrows()}
    return pd.DataFrame(reached)


def late_fractions(table: pd.DataFrame) -> pd.DataFrame:
    """The corrupted examples' fraction of each layer's descent, summed over the steps after the best: rows seeds."""
    return pd.DataFrame({layer: 1 - descent_fraction(table, False, layer) for layer in readings.layers(table)})


@ratio("times the first layer's fraction of descent driven by corrupted examples")
def _output_over_first(table: pd.DataFrame, spec: EarlyStoppingSpec) -> pd.Series:
    fractions = late_fractions(table)
    return fractions.iloc[:, -1] / fractions.iloc[:, 0]


def _corrupted_over_clean(values: pd.DataFrame) -> pd.Series:
    return values["corrupted"] / values["clean"]


CLAIMS = (
    claim(
        "overtraining",
        "Under label noise, training on past the best step costs test accuracy.",
        "liu-et-al-2023",
        _overtraining,
        origin="paper",
        above=1.5,
        control="clean labels",
        note="Half again as many errors: with less, few would watch a training for it.",
    ),
    claim(
        "clean-drive-early",
        "Until the best step, clean examples drive more of the descent than is their fraction.",
        "chatterjee-2020",
        ratio(
            "times their fraction of the examples",
            lambda table, spec: descent_fraction(table, early=True) / fraction_clean(spec),
        ),
        origin="paper",
        above=1.1,
        control="shuffled tags",
        note="A tenth more than their number, at which groups dealt out at random stay.",
    ),
    claim(
        "corrupted-drive-late",
        "After the best step, clean examples drive less of the descent than is their fraction: corrupted ones "
        "take over.",
        "chatterjee-2020",
        ratio(
            "times their fraction of the examples",
            lambda table, spec: descent_fraction(table, early=False) / fraction_clean(spec),
        ),
        origin="paper",
        below=0.9,
        control="shuffled tags",
        note="A tenth less than their number, at which groups dealt out at random stay.",
    ),
    claim(
        "opposed-at-best",
        "At the best step the summed gradients of clean and of corrupted examples pull against each other.",
        "liu-et-al-2023",
        Statistic(lambda table, spec: cosine_at_best(table), "mean", "atanh", "cosine of the two sums"),
        origin="consequence",
        below=-0.25,
        control="shuffled tags",
        note="More than a hundred degrees: at right angles the groups would not be in each other's way.",
    ),
    claim(
        "equal-at-best",
        "At the best step the summed gradients of clean and of corrupted examples are about equally long, unequal "
        "as the groups are.",
        "liu-et-al-2023",
        _length_ratio,
        origin="consequence",
        equals=1,
        within=1.5,
        control="shuffled tags",
        note="Of as unequal numbers, orthogonal gradients of one length would have sums whose lengths differ by more.",
    ),
    claim(
        "clean-more-coherent",
        "Until the best step, gradients of clean examples agree more than as many of corrupted ones.",
        "chatterjee-2020",
        ratio(
            "times the m-coherence of corrupted examples, at equal m",
            lambda table, spec: 1 / _corrupted_over_clean(learning_coherence(table)),
        ),
        origin="consequence",
        above=1.3,
        control="shuffled tags",
    ),
    claim(
        "memorising-is-far",
        "To fit corrupted labels the weights must go much farther from their start than to fit clean ones.",
        "li-et-al-2020",
        ratio(
            "times the distance, when half of the labels are fitted",
            lambda table, spec: _corrupted_over_clean(distance_at_half(table)),
        ),
        origin="paper",
        above=3,
        control="shuffled tags",
        note="Groups dealt out at random are half fitted at the same distance, give or take a tenth; three times is "
        "well clear of that. No reason was written when the level was set.",
    ),
    claim(
        "output-layer-turns-most",
        "When corrupted examples take over, they take over the output layer more than the first.",
        "bai-et-al-2021",
        _output_over_first,
        origin="ours",
        above=1.05,
        control="shuffled tags",
        note="The paper judges layers by what freezing and retraining them does to test accuracy; this is who drives "
        "the descent. The level is one that the control stays clear of, no more.",
    ),
)
