"""What is claimed of suppressing weak directions, as statistics of the study's table."""

from __future__ import annotations

import numpy as np
import pandas as pd

from genbook.base import stats
from genbook.base.claims import Claim, Statistic
from genbook.studies.noise.weak_directions.spec import WeakDirectionsSpec
from genbook.tables import tidy

#: Half of the corrupted labels: where a training counts as having memorised.
HALF = 0.5


def curve(table: pd.DataFrame, quantity: str, group: str = "all") -> pd.DataFrame:
    """One quantity over training: rows (seed, rule), columns steps in their order."""
    return tidy.wide(table, ("seed", "rule"), "step", quantity=quantity, group=group)


def memorised(table: pd.DataFrame) -> pd.DataFrame:
    """Fraction of the corrupted labels given as they are: rows (seed, rule), columns steps."""
    return curve(table, "as given", "corrupted")


def at_end(table: pd.DataFrame, quantity: str = "test accuracy", group: str = "all") -> pd.DataFrame:
    """The last value of a quantity: rows seeds, columns rules."""
    return curve(table, quantity, group).iloc[:, -1].unstack("rule")


def half_memorised(table: pd.DataFrame) -> pd.Series:
    """By seed, the step at which plain descent has memorised half of the corrupted labels; NaN where it never has.

    It is the first measured step from which it stays at half: what the first steps get right by luck is not memory.
    """
    plain = memorised(table).xs("SGD", level="rule")
    stays = (plain >= HALF).iloc[:, ::-1].cummin(axis=1).iloc[:, ::-1]
    return stays.idxmax(axis=1).where(stays.any(axis=1)).astype(float)


def at_half(table: pd.DataFrame) -> pd.DataFrame:
    """What every rule has memorised at the step at which plain descent has half: rows seeds, columns rules."""
    fractions, steps = memorised(table), half_memorised(table)
    return pd.DataFrame(
        {
            seed: rows.droplevel("seed")[steps[seed]] if np.isfinite(steps[seed]) else np.nan
            for seed, rows in fractions.groupby(level="seed")
        },
        dtype=float,
        index=fractions.index.unique("rule"),
    ).T.rename_axis("seed")


def stopped(table: pd.DataFrame) -> pd.DataFrame:
    """Test accuracy where the mislabelled held-out examples are predicted best: rows seeds, columns rules.

    No clean label is seen in the choice of the step.
    """
    held_out, test = curve(table, "held-out accuracy"), curve(table, "test accuracy")
    chosen = held_out.idxmax(axis=1)
    values = pd.Series({key: test.loc[key, step] for key, step in chosen.items()}).rename_axis(["seed", "rule"])
    return values.unstack("rule")


def strongest(spec: WeakDirectionsSpec) -> str:
    """Name of the strongest winsorising."""
    return f"winsorised {spec.winsorised[-1]}"


def _less_memory(table: pd.DataFrame, spec: WeakDirectionsSpec) -> pd.Series:
    fractions = at_end(table, "as given", "corrupted")
    return fractions[strongest(spec)].clip(lower=1e-3) / fractions["SGD"].clip(lower=1e-3)


def _order(table: pd.DataFrame, spec: WeakDirectionsSpec) -> pd.Series:
    fractions = at_half(table)[["SGD", *(f"winsorised {c}" for c in spec.winsorised)]]
    levels = [0, *spec.winsorised]
    return fractions.apply(lambda row: stats.kendall_tau(levels, row) if row.notna().all() else np.nan, axis=1)


def _end_gain(table: pd.DataFrame, spec: WeakDirectionsSpec) -> pd.Series:
    ends = at_end(table)
    return ends[strongest(spec)] - ends["SGD"]


def _beats_stopping(table: pd.DataFrame, spec: WeakDirectionsSpec) -> pd.Series:
    return at_end(table)[strongest(spec)] - stopped(table)["SGD"]


def _beats_smaller_step(table: pd.DataFrame, spec: WeakDirectionsSpec) -> pd.Series:
    ends = at_end(table)
    return ends[strongest(spec)] - ends[f"SGD, step x {min(spec.learning_rate_factors):g}"]


def _m3(table: pd.DataFrame, spec: WeakDirectionsSpec) -> pd.Series:
    fractions = at_half(table).clip(lower=1e-3)
    return fractions["M3"] / fractions["SGD"]


def _rm3(table: pd.DataFrame, spec: WeakDirectionsSpec) -> pd.Series:
    fractions = at_half(table).clip(lower=1e-3)
    return fractions["RM3"] / fractions["SGD"]


def _rm3_over_ra3(table: pd.DataFrame, spec: WeakDirectionsSpec) -> pd.Series:
    fractions = at_half(table).clip(lower=1e-3)
    return fractions["RM3"] / fractions["RA3"]


def _clipping_memory(table: pd.DataFrame, spec: WeakDirectionsSpec) -> pd.Series:
    fractions = at_end(table, "as given", "corrupted").clip(lower=1e-3)
    return fractions["clipped"] / fractions["SGD"]


def best(table: pd.DataFrame) -> pd.DataFrame:
    """Test accuracy at its best step, picked on the test set itself (an oracle): rows seeds, columns rules.

    The column "SGD, tuned" is plain descent with the learning rate, too, that the oracle likes best.
    """
    result = curve(table, "test accuracy").max(axis=1).unstack("rule")
    plain = [rule for rule in result.columns if rule.startswith("SGD")]
    return result.assign(**{"SGD, tuned": result[plain].max(axis=1)})


def _clipping_over_tuned(table: pd.DataFrame, spec: WeakDirectionsSpec) -> pd.Series:
    values = best(table)
    return values["clipped"] - values["SGD, tuned"]


def at_equal_memory(table: pd.DataFrame, rule: str) -> pd.Series:
    """By seed, plain descent's test accuracy when it has memorised as much as ``rule`` has at its end.

    Interpolated between the measured steps, on the way from plain descent's best step on; where it has never memorised
    less, that step's accuracy, and where never so much, its last.
    """
    found, ends = {}, at_end(table, "as given", "corrupted")[rule]
    fractions, accuracy = memorised(table), curve(table, "test accuracy")
    for seed, fraction in ends.items():
        path = accuracy.loc[(seed, "SGD")]
        start = path.idxmax()
        memory = fractions.loc[(seed, "SGD")].loc[start:].iloc[::-1].cummin().iloc[::-1]
        found[seed] = float(np.interp(fraction, memory, path.loc[start:]))
    return pd.Series(found).rename_axis("seed")


def _better_at_equal_memory(table: pd.DataFrame, spec: WeakDirectionsSpec) -> pd.Series:
    return at_end(table)[strongest(spec)] - at_equal_memory(table, strongest(spec))


def _peaks_higher(table: pd.DataFrame, spec: WeakDirectionsSpec) -> pd.Series:
    values = best(table)
    return values[strongest(spec)] - values["SGD"]


def _ratio(
    id: str,
    statement: str,
    statistic: Statistic,
    threshold: float,
    words: str,
    source: str = "chatterjee-zielinski-2022",
) -> Claim:
    """A claim that a rule has at most ``threshold`` times the memory of another."""
    return Claim(
        id=id,
        statement=statement,
        source=source,
        statistic=statistic,
        relation="<",
        threshold=threshold,
        threshold_text=words,
        scale="log",
        null="plain averages",
    )


CLAIMS = (
    _ratio(
        "winsorised-memorises-less",
        "Winsorised gradients leave corrupted labels unmemorised to the end of a training in which plain descent "
        "memorises them.",
        _less_memory,
        0.5,
        "times what plain descent has memorised at the end",
    ),
    Claim(
        id="suppression-orders",
        statement="The more gradients are winsorised, the less is memorised by the time plain descent has half.",
        source="chatterjee-zielinski-2022",
        statistic=_order,
        relation="<",
        threshold=-0.8,
        threshold_text="Kendall's τ of suppression and memory",
        null="plain averages",
    ),
    Claim(
        id="winsorised-ends-better",
        statement="Winsorised descent ends better on new images than plain descent does.",
        source="chatterjee-zielinski-2022",
        statistic=_end_gain,
        relation=">",
        threshold=0.05,
        threshold_text="difference in test accuracy at the end",
        null="plain averages",
    ),
    Claim(
        id="winsorised-peaks-higher",
        statement="It is better, too, at its best step than plain descent at its own, both picked by an oracle.",
        source="chatterjee-zielinski-2022",
        statistic=_peaks_higher,
        relation=">",
        threshold=0.02,
        threshold_text="difference in test accuracy",
        null="plain averages",
    ),
    Claim(
        id="winsorised-leaves-the-path",
        statement="At the end it is better on new images than plain descent was when it had memorised as much.",
        source="chatterjee-zielinski-2022",
        statistic=_better_at_equal_memory,
        relation=">",
        threshold=0.02,
        threshold_text="difference in test accuracy at equal memory",
        null="plain averages",
    ),
    Claim(
        id="winsorised-beats-stopping",
        statement="It ends better than plain descent that is stopped early by mislabelled held-out examples.",
        source="chatterjee-zielinski-2022",
        statistic=_beats_stopping,
        relation=">",
        threshold=0.02,
        threshold_text="difference in test accuracy",
        null="plain averages",
    ),
    Claim(
        id="winsorised-beats-smaller-step",
        statement="And it ends better than plain descent that takes as many, but smaller steps.",
        source="chatterjee-zielinski-2022",
        statistic=_beats_smaller_step,
        relation=">",
        threshold=0.02,
        threshold_text="difference in test accuracy at the end",
        null="plain averages",
    ),
    _ratio(
        "m3-slows-memory",
        "The median of three partial means (M3) has memorised much less by the time plain descent has half.",
        _m3,
        0.5,
        "times what plain descent has memorised",
        "zielinski-et-al-2020",
    ),
    _ratio(
        "rm3-slows-memory",
        "So has the running median of three gradients (RM3).",
        _rm3,
        0.5,
        "times what plain descent has memorised",
        "zielinski-et-al-2020",
    ),
    _ratio(
        "rm3-beyond-averaging",
        "RM3 has memorised much less than the running mean of three gradients (RA3): it is the median that counts.",
        _rm3_over_ra3,
        0.5,
        "times what the running mean has memorised",
        "zielinski-et-al-2020",
    ),
    _ratio(
        "clipping-memorises-less",
        "Clipping each example's gradient leaves corrupted labels unmemorised to the end.",
        _clipping_memory,
        0.5,
        "times what plain descent has memorised at the end",
        "li-et-al-2022",
    ),
    Claim(
        id="clipping-beats-tuning",
        statement="At its best step clipped descent is better on new images than plain descent is at the best of its "
        "steps and learning rates, all picked by an oracle.",
        source="li-et-al-2022",
        statistic=_clipping_over_tuned,
        relation=">",
        threshold=0.02,
        threshold_text="difference in test accuracy",
        null="plain averages",
    ),
)
