"""What is claimed of clean and corrupted examples from no noise to nothing but noise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import scipy

from genbook.studies.noise.noise_sweep.design import GIVEN, GROUPS, RIGHT, NoiseSweepSpec
from genbook.tables import readings
from genbook.tables.readings import interpolated_crossing
from genbook.tables.statistics import claim, difference, ratio

#: A group is learned once so many of its labels are known for good.
LEVEL = 0.5
#: The level of noise at which all labels are drawn at random.
ALL = 1.0


def learned_at(table: pd.DataFrame, group: str, trained_on: str = GIVEN) -> pd.DataFrame:
    """Steps until half of a group is learned, NaN where it never is: rows seeds, columns levels of noise."""
    curves = readings.curve(table, "train accuracy", "noise", group=group, **{"trained on": trained_on})
    # A network that has stopped knows what it knew.
    return interpolated_crossing(curves.unstack("step").ffill(axis=1), LEVEL).unstack("noise")


def fractions(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """By group, what fraction of a network's examples it is: rows seeds, columns levels of noise."""
    corrupted = readings.final(table, "wrong labels", "noise", **{"trained on": GIVEN})
    return dict(zip(GROUPS, (1 - corrupted, corrupted), strict=True))


def slower_than_right(table: pd.DataFrame) -> pd.DataFrame:
    """Steps until clean examples are learned, over those of the same ones where all labels are right."""
    return learned_at(table, "clean").drop(columns=ALL, errors="ignore") / learned_at(table, "clean", RIGHT)


def slower_than_random(table: pd.DataFrame) -> pd.DataFrame:
    """Steps until corrupted examples are learned, over those of a network that has nothing but random labels."""
    steps = learned_at(table, "corrupted")
    return steps.drop(columns=ALL, errors="ignore").div(steps[ALL], axis=0)


def on_the_way(table: pd.DataFrame) -> pd.DataFrame:
    """Where the pace of clean examples lies from that without noise (0) to that of random labels (1), in log steps."""
    widest = learned_at(table, "clean", RIGHT).rdiv(learned_at(table, "corrupted")[ALL], axis=0)
    return np.log(slower_than_right(table)) / np.log(widest)


def owed(table: pd.DataFrame, group: str = "all") -> pd.DataFrame:
    """What of the descent is owed to a group, summed over training: rows (seed, noise), columns steps."""
    descent = readings.curve(table, "descent", "noise", group=group, **{"trained on": GIVEN}).unstack("step")
    steps = descent.columns.to_numpy(dtype=float)
    return pd.DataFrame(scipy.integrate.cumulative_trapezoid(descent, steps, initial=0), descent.index, descent.columns)


def per_capita(table: pd.DataFrame, group: str) -> pd.DataFrame:
    """What is owed so far to each example of a group, over the mean of all examples: as `owed`, from step 1 on."""
    fraction = owed(table, group) / owed(table)
    return fraction.div(_stacked(fractions(table)[group], fraction), axis=0).iloc[:, 1:]


def per_capita_then(table: pd.DataFrame) -> pd.DataFrame:
    """`per_capita` of clean examples at the step at which half of them are learned: rows seeds, columns levels."""
    return read_at(per_capita(table, "clean"), learned_at(table, "clean")).drop(columns=ALL, errors="ignore")


def late_ratio(table: pd.DataFrame) -> pd.DataFrame:
    """What each corrupted example is owed, over each clean one, once half of the corrupted ones are learned.

    Rows seeds, columns levels of noise; missing where either group as a whole pulls back.
    """
    since, late = learned_at(table, "corrupted"), {}
    for group in GROUPS:
        summed = owed(table, group)
        late[group] = (summed.iloc[:, -1].unstack("noise") - read_at(summed, since)) / fractions(table)[group]
    return (
        (late["corrupted"] / late["clean"])
        .where((late["corrupted"] > 0) & (late["clean"] > 0))
        .drop(columns=ALL, errors="ignore")
    )


def read_at(curves: pd.DataFrame, steps: pd.DataFrame) -> pd.DataFrame:
    """Curves, rows (seed, noise), each at a step of its own, linear in log(1 + step): rows seeds, columns levels."""
    places = np.log1p(curves.columns.to_numpy(dtype=float))
    wanted = np.log1p(_stacked(steps, curves))
    read = {key: np.interp(wanted[key], places, row) for key, row in curves.iterrows()}
    return pd.Series(read, index=curves.index, dtype=float).unstack("noise")


def _stacked(values: pd.DataFrame, rows: pd.DataFrame) -> pd.Series:
    return values.stack().reindex(rows.index)


def _mean_over_levels(values: pd.DataFrame) -> pd.Series:
    """The geometric mean over the levels of noise, by seed; NaN where one of them is missing."""
    return np.exp(np.log(values).mean(axis=1, skipna=False))


def _ratio(words: str, values: Any) -> Any:
    return ratio(
        f"times {words}, geometric mean over levels of noise",
        lambda table, spec: _mean_over_levels(values(table)),
    )


@difference("of the way, in log steps, from the pace without noise to that of random labels, at most over the levels")
def farthest_on_the_way(table: pd.DataFrame, spec: NoiseSweepSpec) -> pd.Series:
    """The pace of clean examples at the level of noise at which it is nearest to that of random labels, by seed."""
    return on_the_way(table).max(axis=1, skipna=False)


@ratio("times the average example's part of the descent so far, at the level of noise at which it is least")
def least_per_capita(table: pd.DataFrame, spec: NoiseSweepSpec) -> pd.Series:
    """`per_capita_then` at the level of noise at which it is least, by seed."""
    return per_capita_then(table).min(axis=1, skipna=False)


CLAIMS = (
    claim(
        "clean-near-their-own-pace",
        "At every level of noise clean examples are learned at a pace nearer to that without noise than to that of "
        "random labels.",
        "chatterjee-2020",
        farthest_on_the_way,
        below=0.5,
        control="shuffled tags",
        origin="paper",
        note="The paper says at about the pace without noise, of sixty thousand images. Half of the way is where "
        "'nearer' ends.",
    ),
    claim(
        "noise-dilutes",
        "Noise slows clean examples down because a batch has fewer of them: counted in clean examples seen, they "
        "are learned at the pace without noise.",
        "chatterjee-2020",
        _ratio(
            "the clean examples seen without noise",
            lambda table: slower_than_right(table) * fractions(table)["clean"].drop(columns=ALL, errors="ignore"),
        ),
        equals=1,
        within=1.5,
        control="shuffled tags",
        origin="ours",
        note="A factor of one and a half either way; in steps, most labels drawn anew cost more than that.",
    ),
    claim(
        "corrupted-at-the-pace-of-random-labels",
        "Corrupted examples are learned at about the pace of a network that has nothing but random labels.",
        "chatterjee-2020",
        _ratio("the steps of random labels alone", slower_than_random),
        equals=1,
        within=2,
        control="shuffled tags",
        origin="paper",
        note="Where labels mean something the clean examples of the same network are learned tens of times as fast; "
        "against that a factor of two is 'about'.",
    ),
    claim(
        "clean-drive-more-at-first",
        "At every level of noise, until half of the clean examples are learned each of them has driven more of the "
        "descent than the mean example.",
        "chatterjee-2020",
        least_per_capita,
        above=1.1,
        control="shuffled tags",
        origin="paper",
        note="With a quarter of the labels drawn anew it could be at most 1.3, were nothing owed to the others.",
    ),
    claim(
        "corrupted-drive-more-late",
        "Once half of the corrupted examples are learned, each of them drives more of the descent than a clean one.",
        "chatterjee-2020",
        _ratio("the descent owed to a clean example", late_ratio),
        above=1.25,
        control="shuffled tags",
        origin="paper",
        note="A quarter more than its part: below that, a group's turn could not be told from the scatter of the "
        "control.",
    ),
)
