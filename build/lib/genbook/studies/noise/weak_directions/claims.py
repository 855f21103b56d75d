"""What is claimed of suppressing weak directions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from genbook.studies.measured import half_image_of_half, half_test_image
from genbook.studies.noise.weak_directions.design import HUBERISED, WeakDirectionsSpec, length_of, slower_name
from genbook.tables import readings
from genbook.tables.readings import last_crossing, on_other_seeds
from genbook.tables.statistics import Statistic, claim, difference, half_example, ratio

#: How the names of plain descent with smaller learning rates begin.
SLOWER = "SGD, learning rate"
#: Half of the corrupted labels: where a training counts as having memorised.
HALF = 0.5


def curve(table: pd.DataFrame, quantity: str, group: str = "all") -> pd.DataFrame:
    """One quantity over training: rows (seed, rule), columns steps."""
    return readings.curve(table, quantity, "rule", group=group).unstack("step")


def memorised(table: pd.DataFrame) -> pd.DataFrame:
    """Accuracy on the given labels of the corrupted examples: rows (seed, rule), columns steps."""
    return curve(table, "train accuracy", "corrupted")


def memory_at_end(table: pd.DataFrame) -> pd.DataFrame:
    """What every rule has memorised at the last step: rows seeds, columns rules."""
    return memorised(table).iloc[:, -1].unstack("rule")


def at_end(table: pd.DataFrame) -> pd.DataFrame:
    """Test accuracy at the last step, NaN of what has diverged: rows seeds, columns rules."""
    return curve(table, "test accuracy").iloc[:, -1].unstack("rule")


def half_memorised(table: pd.DataFrame) -> pd.Series:
    """By seed, the step from which plain descent has memorised half of the corrupted labels; NaN where it never has.

    It must stay at half: what the first steps get right by luck is not memory.
    """
    return last_crossing(memorised(table).xs("SGD", level="rule"), HALF)


def at_half(table: pd.DataFrame) -> pd.DataFrame:
    """What every rule has memorised at the step at which plain descent has half: rows seeds, columns rules."""
    half = half_memorised(table)
    memory = memorised(table).stack()
    steps = memory.index.get_level_values("seed").map(half)
    read = memory[memory.index.get_level_values("step") == steps].droplevel("step").unstack("rule")
    return read.reindex(index=half.index, columns=memory.index.unique("rule"))


def stopped(table: pd.DataFrame) -> pd.DataFrame:
    """Test accuracy where the mislabelled held-out examples are predicted best: rows seeds, columns rules.

    No clean label is seen in the choice of the step.
    """
    held_out, test = curve(table, "held-out accuracy"), curve(table, "test accuracy")
    chosen = held_out.idxmax(axis=1)
    return pd.Series({run: test.at[run, step] for run, step in chosen.items()}).rename_axis(test.index.names).unstack()


def best(table: pd.DataFrame) -> pd.DataFrame:
    """Test accuracy at the best step (an oracle): rows seeds, columns rules.

    The step is chosen on the other seeds and on one half of the test set, and read on the other half. The column
    "SGD, tuned" is plain descent with the learning rate, too, that is best so.
    """
    chosen_on, read_on = (curve(table, "test accuracy", half) for half in ("first half", "second half"))

    def at_best(rules: Sequence[str]) -> pd.Series:
        scores, values = (
            half[half.index.get_level_values("rule").isin(rules)].unstack("rule").T for half in (chosen_on, read_on)
        )
        return on_other_seeds(scores, values)

    names = list(chosen_on.index.unique("rule"))
    plain = ["SGD", *(name for name in names if name.startswith(SLOWER))]
    found = {name: at_best([name]) for name in names} | {"SGD, tuned": at_best(plain)}
    return pd.DataFrame(found).rename_axis(index="seed", columns="rule")


def outcomes(table: pd.DataFrame, rules: Sequence[str]) -> pd.DataFrame:
    """Test accuracy of ``rules`` at the end, stopped early and at the best step; tidy, the last two columns those."""
    read = {"best for the others": best(table), "stopped early": stopped(table), "end": at_end(table)}
    parts = [
        values[list(rules)].stack().rename("test accuracy").reset_index().assign(when=w) for w, values in read.items()
    ]
    return pd.concat(parts, ignore_index=True)


def path(table: pd.DataFrame, rule: str) -> pd.DataFrame:
    """From a rule's best step on, means over the seeds: columns ``memorised`` and ``test accuracy``, index steps."""
    read = {"memorised": memorised(table), "test accuracy": curve(table, "test accuracy")}
    means = pd.DataFrame({name: values.xs(rule, level="rule").mean() for name, values in read.items()})
    return means.loc[means["test accuracy"].idxmax() :]


def at_equal_memory(table: pd.DataFrame, rule: str) -> pd.Series:
    """By seed, how much better a rule is at its end than plain descent was when it had memorised as much.

    Interpolated between the measured steps, on the way from plain descent's best step on, which is chosen on one half
    of the test set; accuracies are those on the other half. Where it has never memorised less, that step's accuracy,
    and where never so much, its last.
    """
    memory, chosen_on = (
        read.xs("SGD", level="rule") for read in (memorised(table), curve(table, "test accuracy", "first half"))
    )
    read_on = curve(table, "test accuracy", "second half")
    accuracy, ends = read_on.xs("SGD", level="rule"), read_on.xs(rule, level="rule").iloc[:, -1]
    found = {}
    for seed, reached in memory_at_end(table)[rule].items():
        way = accuracy.loc[seed].loc[chosen_on.loc[seed].idxmax() :].dropna()
        least_from_here = memory.loc[seed].loc[way.index].iloc[::-1].cummin().iloc[::-1]
        found[seed] = ends[seed] - float(np.interp(reached, least_from_here, way))
    return pd.Series(found).rename_axis("seed")


def strongest(spec: WeakDirectionsSpec) -> str:
    """Name of the strongest winsorising."""
    return f"winsorised {spec.winsorised[-1]}"


def _least(spec: WeakDirectionsSpec) -> float:
    """Half a corrupted label: a memory below this counts as this."""
    return half_example(spec.noise * spec.n_train)


def _half_label(memories: pd.DataFrame, spec: WeakDirectionsSpec) -> float:
    """Half a corrupted label over the least memory, in which the logarithm of a ratio of memories is measured."""
    least = memories.min(axis=None)
    return _least(spec) / (least if least == least else 1.0)


def _less(words: str, read: Callable[[pd.DataFrame], pd.DataFrame], rule: str, other: str = "SGD") -> Statistic:
    """What a rule has memorised over what another has, by ``read``; a rule "winsorised" is the strongest."""

    def memories(table: pd.DataFrame, spec: WeakDirectionsSpec) -> pd.DataFrame:
        name = strongest(spec) if rule == "winsorised" else rule
        return read(table).reindex(columns=[name, other]).clip(lower=_least(spec))

    def found(table: pd.DataFrame, spec: WeakDirectionsSpec) -> pd.Series:
        values = memories(table, spec)
        return values.iloc[:, 0] / values.iloc[:, 1]

    return ratio(words, found, continuity=lambda table, spec: _half_label(memories(table, spec), spec))


def _levels(table: pd.DataFrame, spec: WeakDirectionsSpec) -> pd.DataFrame:
    """What the levels of winsorising have memorised when plain descent, level 0, has half: rows seeds."""
    levels = ["SGD", *(f"winsorised {c}" for c in spec.winsorised)]
    return at_half(table).reindex(columns=levels).clip(lower=_least(spec))


@ratio(
    "times what the level of winsorising below has memorised, at most",
    continuity=lambda table, spec: _half_label(_levels(table, spec), spec),
)
def _suppression(table: pd.DataFrame, spec: WeakDirectionsSpec) -> pd.Series:
    """The largest ratio of what two neighbouring levels have memorised."""
    memory = _levels(table, spec)
    ratios = memory.iloc[:, 1:].to_numpy() / memory.iloc[:, :-1].to_numpy()
    return pd.Series(ratios.max(axis=1), memory.index)


@difference("difference in test accuracy at the end", continuity=half_test_image)
def _ends_better(table: pd.DataFrame, spec: WeakDirectionsSpec) -> pd.Series:
    ends = at_end(table)
    return ends[strongest(spec)] - ends["SGD"]


@difference("difference in test accuracy", continuity=half_image_of_half)
def _peaks_higher(table: pd.DataFrame, spec: WeakDirectionsSpec) -> pd.Series:
    values = best(table)
    return values[strongest(spec)] - values["SGD"]


@difference("difference in test accuracy", continuity=half_test_image)
def _beats_stopping(table: pd.DataFrame, spec: WeakDirectionsSpec) -> pd.Series:
    return at_end(table)[strongest(spec)] - stopped(table)["SGD"]


@difference("difference in test accuracy at the end", continuity=half_test_image)
def _beats_smaller_step(table: pd.DataFrame, spec: WeakDirectionsSpec) -> pd.Series:
    ends = at_end(table)
    return ends[strongest(spec)] - ends[slower_name(min(spec.learning_rate_factors))]


@difference("difference in test accuracy", continuity=half_image_of_half)
def _clipping_over_tuned(table: pd.DataFrame, spec: WeakDirectionsSpec) -> pd.Series:
    values = best(table)
    return values["clipped"] - values["SGD, tuned"]


@difference("difference in test accuracy at the end", continuity=half_test_image)
def _huberised_ends_better(table: pd.DataFrame, spec: WeakDirectionsSpec) -> pd.Series:
    ends = at_end(table).reindex(columns=[HUBERISED, "SGD"])
    return ends[HUBERISED] - ends["SGD"]


_THAN_PLAIN = "times what plain descent has memorised at the end"
_THAN_MEAN = "times what steps along the mean have memorised, as long as these"

CLAIMS = (
    claim(
        "winsorised-memorises-less",
        "Winsorised gradients leave corrupted labels unmemorised to the end of a training in which plain descent "
        "memorises them.",
        "chatterjee-zielinski-2022",
        _less(_THAN_PLAIN, memory_at_end, "winsorised"),
        origin="paper",
        below=0.5,
        control="shuffled tags",
    ),
    claim(
        "winsorised-beyond-length",
        "What keeps wrong labels out is the direction of the winsorised mean, not its length: steps as long along "
        "the mean memorise them.",
        "chatterjee-zielinski-2022",
        _less(_THAN_MEAN, memory_at_end, "winsorised", length_of("winsorised")),
        below=0.5,
        control="shuffled tags",
    ),
    claim(
        "suppression-orders",
        "Each level of winsorising has memorised less than the level below by the time plain descent has half.",
        "chatterjee-zielinski-2022",
        _suppression,
        origin="paper",
        below=0.8,
        control="shuffled tags",
        note="Was a rank correlation of three levels, which five seeds cannot tell from chance.",
    ),
    claim(
        "winsorised-ends-better",
        "Winsorised descent ends better on new images than plain descent does.",
        "chatterjee-zielinski-2022",
        _ends_better,
        origin="paper",
        above=0.05,
        control="clean labels",
    ),
    claim(
        "winsorised-peaks-higher",
        "At its best step winsorised descent is better on new images than plain descent is at its own, both "
        "picked by an oracle.",
        "chatterjee-zielinski-2022",
        _peaks_higher,
        above=0.02,
        control="clean labels",
    ),
    claim(
        "winsorised-leaves-the-path",
        "At its end winsorised descent is better on new images than plain descent was when it had memorised as much.",
        "chatterjee-zielinski-2022",
        difference(
            "difference in test accuracy at equal memory",
            lambda table, spec: at_equal_memory(table, strongest(spec)),
            continuity=half_image_of_half,
        ),
        above=0.02,
        control="clean labels",
    ),
    claim(
        "winsorised-beats-stopping",
        "Winsorised descent ends better than plain descent that is stopped early by mislabelled held-out examples.",
        "chatterjee-zielinski-2022",
        _beats_stopping,
        above=0.02,
        control="clean labels",
    ),
    claim(
        "winsorised-beats-smaller-step",
        "Winsorised descent ends better than plain descent that takes as many, but smaller steps.",
        "chatterjee-zielinski-2022",
        _beats_smaller_step,
        above=0.02,
        control="clean labels",
    ),
    claim(
        "m3-slows-memory",
        "The median of three partial means (M3) has memorised much less by the time plain descent has half.",
        "zielinski-et-al-2020",
        _less("times what plain descent has memorised", at_half, "M3"),
        origin="paper",
        below=0.5,
        control="shuffled tags",
    ),
    claim(
        "rm3-slows-memory",
        "The running median of three gradients (RM3) has memorised much less by the time plain descent has half.",
        "zielinski-et-al-2020",
        _less("times what plain descent has memorised", at_half, "RM3"),
        origin="paper",
        below=0.5,
        control="shuffled tags",
    ),
    claim(
        "rm3-beyond-averaging",
        "RM3 has memorised much less than the running mean of three gradients (RA3): it is the median that counts.",
        "zielinski-et-al-2020",
        _less("times what the running mean has memorised", at_half, "RM3", "RA3"),
        origin="consequence",
        below=0.5,
        control="shuffled tags",
    ),
    claim(
        "clipping-memorises-less",
        "Clipping each example's gradient leaves corrupted labels unmemorised to the end.",
        "menon-et-al-2020",
        _less(_THAN_PLAIN, memory_at_end, "clipped"),
        below=0.5,
        control="shuffled tags",
        note="The paper proves that clipping does not make a training robust to wrong labels in general.",
    ),
    claim(
        "clipping-beyond-length",
        "Clipping does not work by short steps alone: steps as long along the mean memorise wrong labels.",
        "menon-et-al-2020",
        _less(_THAN_MEAN, memory_at_end, "clipped", length_of("clipped")),
        below=0.5,
        control="shuffled tags",
    ),
    claim(
        "clipping-beats-tuning",
        "At its best step clipped descent is better on new images than plain descent is at the best of its "
        "steps and learning rates, all picked by an oracle.",
        "menon-et-al-2020",
        _clipping_over_tuned,
        above=0.02,
        control="clean labels",
    ),
    claim(
        "huberised-memorises-less",
        "The partially Huberised loss leaves corrupted labels unmemorised to the end.",
        "menon-et-al-2020",
        _less(_THAN_PLAIN, memory_at_end, HUBERISED),
        origin="paper",
        below=0.5,
        control="shuffled tags",
    ),
    claim(
        "huberised-ends-better",
        "With the partially Huberised loss descent ends better on new images than with the cross-entropy.",
        "menon-et-al-2020",
        _huberised_ends_better,
        origin="paper",
        above=0.05,
        control="clean labels",
    ),
)
