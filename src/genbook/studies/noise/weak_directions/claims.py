"""What is claimed of suppressing weak directions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from genbook.base.stats import kendall_tau
from genbook.studies.noise.weak_directions.design import WeakDirectionsSpec, slower_name
from genbook.tables import readings
from genbook.tables.readings import last_crossing
from genbook.tables.statistics import claim, difference, order, ratio

#: Half of the corrupted labels: where a training counts as having memorised.
HALF = 0.5
#: A memory below this counts as this: there are not so many corrupted labels.
LEAST = 1e-3


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
    """Test accuracy at its best step, picked on the test set itself (an oracle): rows seeds, columns rules.

    The column "SGD, tuned" is plain descent with the learning rate, too, that the oracle likes best.
    """
    result = curve(table, "test accuracy").max(axis=1).unstack("rule")
    plain = [rule for rule in result.columns if rule.startswith("SGD")]
    return result.assign(**{"SGD, tuned": result[plain].max(axis=1)})


def outcomes(table: pd.DataFrame, rules: Sequence[str]) -> pd.DataFrame:
    """Test accuracy of ``rules`` at the end, stopped early and at the best step; tidy, the last two columns those."""
    read = {"best step (oracle)": best(table), "stopped early": stopped(table), "end": at_end(table)}
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
    """By seed, plain descent's test accuracy when it has memorised as much as ``rule`` has at its end.

    Interpolated between the measured steps, on the way from plain descent's best step on; where it has never memorised
    less, that step's accuracy, and where never so much, its last.
    """
    memory, accuracy = (read.xs("SGD", level="rule") for read in (memorised(table), curve(table, "test accuracy")))
    found = {}
    for seed, reached in memory_at_end(table)[rule].items():
        way = accuracy.loc[seed].loc[accuracy.loc[seed].idxmax() :].dropna()
        least_from_here = memory.loc[seed].loc[way.index].iloc[::-1].cummin().iloc[::-1]
        found[seed] = float(np.interp(reached, least_from_here, way))
    return pd.Series(found).rename_axis("seed")


def strongest(spec: WeakDirectionsSpec) -> str:
    """Name of the strongest winsorising."""
    return f"winsorised {spec.winsorised[-1]}"


def _memory(values: pd.DataFrame, rule: str, other: str) -> pd.Series:
    floored = values.clip(lower=LEAST)
    return floored[rule] / floored[other]


@order("Kendall's τ of suppression and memory", ranked=lambda table, spec: 1 + len(spec.winsorised))
def _suppression(table: pd.DataFrame, spec: WeakDirectionsSpec) -> pd.Series:
    levels = [0, *spec.winsorised]
    memory = at_half(table)[["SGD", *(f"winsorised {c}" for c in spec.winsorised)]]
    return memory.apply(lambda row: kendall_tau(levels, row) if row.notna().all() else np.nan, axis=1)


@difference("difference in test accuracy at the end")
def _ends_better(table: pd.DataFrame, spec: WeakDirectionsSpec) -> pd.Series:
    ends = at_end(table)
    return ends[strongest(spec)] - ends["SGD"]


@difference("difference in test accuracy")
def _peaks_higher(table: pd.DataFrame, spec: WeakDirectionsSpec) -> pd.Series:
    values = best(table)
    return values[strongest(spec)] - values["SGD"]


@difference("difference in test accuracy at the end")
def _beats_smaller_step(table: pd.DataFrame, spec: WeakDirectionsSpec) -> pd.Series:
    ends = at_end(table)
    return ends[strongest(spec)] - ends[slower_name(min(spec.learning_rate_factors))]


@difference("difference in test accuracy")
def _clipping_over_tuned(table: pd.DataFrame, spec: WeakDirectionsSpec) -> pd.Series:
    values = best(table)
    return values["clipped"] - values["SGD, tuned"]


CLAIMS = (
    claim(
        "winsorised-memorises-less",
        "Winsorised gradients leave corrupted labels unmemorised to the end of a training in which plain descent "
        "memorises them.",
        "chatterjee-zielinski-2022",
        ratio(
            "times what plain descent has memorised at the end",
            lambda table, spec: _memory(memory_at_end(table), strongest(spec), "SGD"),
        ),
        below=0.5,
        control="plain averages",
    ),
    claim(
        "suppression-orders",
        "The more gradients are winsorised, the less is memorised by the time plain descent has half.",
        "chatterjee-zielinski-2022",
        _suppression,
        below=-0.8,
        control="plain averages",
    ),
    claim(
        "winsorised-ends-better",
        "Winsorised descent ends better on new images than plain descent does.",
        "chatterjee-zielinski-2022",
        _ends_better,
        above=0.05,
        control="plain averages",
    ),
    claim(
        "winsorised-peaks-higher",
        "It is better, too, at its best step than plain descent at its own, both picked by an oracle.",
        "chatterjee-zielinski-2022",
        _peaks_higher,
        above=0.02,
        control="plain averages",
    ),
    claim(
        "winsorised-leaves-the-path",
        "At the end it is better on new images than plain descent was when it had memorised as much.",
        "chatterjee-zielinski-2022",
        difference(
            "difference in test accuracy at equal memory",
            lambda table, spec: at_end(table)[strongest(spec)] - at_equal_memory(table, strongest(spec)),
        ),
        above=0.02,
        control="plain averages",
    ),
    claim(
        "winsorised-beats-stopping",
        "It ends better than plain descent that is stopped early by mislabelled held-out examples.",
        "chatterjee-zielinski-2022",
        difference(
            "difference in test accuracy",
            lambda table, spec: at_end(table)[strongest(spec)] - stopped(table)["SGD"],
        ),
        above=0.02,
        control="plain averages",
    ),
    claim(
        "winsorised-beats-smaller-step",
        "And it ends better than plain descent that takes as many, but smaller steps.",
        "chatterjee-zielinski-2022",
        _beats_smaller_step,
        above=0.02,
        control="plain averages",
    ),
    claim(
        "m3-slows-memory",
        "The median of three partial means (M3) has memorised much less by the time plain descent has half.",
        "zielinski-et-al-2020",
        ratio(
            "times what plain descent has memorised",
            lambda table, spec: _memory(at_half(table), "M3", "SGD"),
        ),
        below=0.5,
        control="plain averages",
    ),
    claim(
        "rm3-slows-memory",
        "So has the running median of three gradients (RM3).",
        "zielinski-et-al-2020",
        ratio(
            "times what plain descent has memorised",
            lambda table, spec: _memory(at_half(table), "RM3", "SGD"),
        ),
        below=0.5,
        control="plain averages",
    ),
    claim(
        "rm3-beyond-averaging",
        "RM3 has memorised much less than the running mean of three gradients (RA3): it is the median that counts.",
        "zielinski-et-al-2020",
        ratio(
            "times what the running mean has memorised",
            lambda table, spec: _memory(at_half(table), "RM3", "RA3"),
        ),
        below=0.5,
        control="plain averages",
    ),
    claim(
        "clipping-memorises-less",
        "Clipping each example's gradient leaves corrupted labels unmemorised to the end.",
        "li-et-al-2022",
        ratio(
            "times what plain descent has memorised at the end",
            lambda table, spec: _memory(memory_at_end(table), "clipped", "SGD"),
        ),
        below=0.5,
        control="plain averages",
    ),
    claim(
        "clipping-beats-tuning",
        "At its best step clipped descent is better on new images than plain descent is at the best of its "
        "steps and learning rates, all picked by an oracle.",
        "li-et-al-2022",
        _clipping_over_tuned,
        above=0.02,
        control="plain averages",
    ),
)
