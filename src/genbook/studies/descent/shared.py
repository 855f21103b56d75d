"""What the studies of double descent share: errors along an axis of conditions, stopped early, and how they rise."""

from __future__ import annotations

import numpy as np
import pandas as pd

from genbook.tables import peaks
from genbook.tables.readings import curve, final, on_other_seeds, rows
from genbook.tables.statistics import half_step

#: Of the test set: what is chosen on one is measured on the other.
HALVES = ("first half", "second half")


def halves_of(table: pd.DataFrame) -> tuple[str, str]:
    """The groups of test examples to choose on and to measure on.

    Both are the whole test set in a table that was published before its halves were kept.
    """
    return HALVES if HALVES[0] in set(table["group"]) else ("all", "all")


def end_error(table: pd.DataFrame, axis: str, on: str = "test", group: str = "all") -> pd.DataFrame:
    """Error at the end of training, on the test set or on the training labels as given: seeds by places on the axis."""
    return 1 - final(table, f"{on} accuracy", axis, group=group)


def stopped_error(table: pd.DataFrame, axis: str, group: str = "all") -> pd.DataFrame:
    """Test error at the step that was best, at each place, for the other seeds' networks: seeds by places.

    The step is chosen on one half of the test set, the error is that on ``group``.
    """
    score, error = (
        curve(table, "test accuracy", axis, group=name).unstack("seed") for name in (halves_of(table)[0], group)
    )
    places = score.index.unique(axis)
    return pd.DataFrame(
        {place: 1 - on_other_seeds(score.loc[place], error.loc[place]) for place in places}
    ).rename_axis(columns=axis)


def error_peak(table: pd.DataFrame, axis: str) -> pd.DataFrame:
    """The peak of the test error at the end: its place chosen on one half of the test set, its height on the other."""
    return peaks.left_out(*(end_error(table, axis, group=half) for half in halves_of(table)))


def stopped_peak(table: pd.DataFrame, axis: str) -> pd.DataFrame:
    """The same of the error of networks that were stopped early, looked for by itself."""
    return peaks.left_out(*(stopped_error(table, axis, half) for half in halves_of(table)))


def loss_factor(table: pd.DataFrame, axis: str) -> pd.Series:
    """By which factor the test loss at the end is higher at its peak than at the higher flank; chosen likewise."""
    first, second = (np.log(final(table, "test loss", axis, group=half)) for half in halves_of(table))
    return np.exp(peaks.left_out(first, second)["height"])


def half_error_step(table: pd.DataFrame, spec: object) -> float:
    """Half of the step in which an error is measured on a half of the test set."""
    return half_step(rows(table, quantity="test accuracy", group=halves_of(table)[1])["value"])


def half_ratio_step(table: pd.DataFrame, spec: object) -> float:
    """Half of the step of a ratio of errors on a half of the test set, relative: of the smallest error, by its size."""
    errors = 1 - rows(table, quantity="test accuracy", group=halves_of(table)[1])["value"]
    return half_error_step(table, spec) / float(errors[errors > 0].min())


def rise(curves: pd.DataFrame) -> pd.Series:
    """Per row, the largest factor by which a value exceeds one to its left: below 1 where the curve only falls."""
    values = curves.to_numpy()
    least_before = np.minimum.accumulate(values, axis=1)[:, :-1]
    return pd.Series((values[:, 1:] / least_before).max(axis=1), curves.index)
