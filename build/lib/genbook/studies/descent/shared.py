"""What the studies of double descent share: errors along an axis of conditions, stopped early, and how they rise."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from genbook.base import stats
from genbook.tables import peaks
from genbook.tables.readings import against_loss, curve, final, on_other_seeds, rows
from genbook.tables.statistics import half_step

#: Of the test set: what is chosen on one is measured on the other.
HALVES = ("first half", "second half")
#: Fractions of the wrong labels at which networks are compared that have memorised equally many of them.
MEMORISED = np.linspace(0.2, 0.9, 15)
#: How a peak is found, in the words of a threshold.
CHOSEN = "the place is chosen on the other seeds and the other half of the test set"


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

    The error is that on ``group``; where it is one half of the test set, the step is chosen on the other.
    """
    halves = halves_of(table)
    chosen_on = halves[1] if group == halves[0] else halves[0]
    score, error = (curve(table, "test accuracy", axis, group=name).unstack("seed") for name in (chosen_on, group))
    places = score.index.unique(axis)
    return pd.DataFrame(
        {place: 1 - on_other_seeds(score.loc[place], error.loc[place]) for place in places}
    ).rename_axis(columns=axis)


def _error_halves(table: pd.DataFrame, axis: str) -> list[pd.DataFrame]:
    return [end_error(table, axis, group=half) for half in halves_of(table)]


def error_height(table: pd.DataFrame, axis: str) -> pd.Series:
    """By how much the test error at the end rises to its peak: place and height on different halves of the test set."""
    return peaks.height(*_error_halves(table, axis))


def error_place(table: pd.DataFrame, axis: str) -> pd.Series:
    """Where the test error at the end has its peak for the other seeds: the geometric mean of both halves' places."""
    return peaks.place(*_error_halves(table, axis))


def last_over_left(table: pd.DataFrame, axis: str) -> pd.Series:
    """Test error at the last place over that at the best one left of the peak, chosen on the other half; of both."""
    halves = _error_halves(table, axis)
    ratios = [
        errors.iloc[:, -1] / at_places(errors, chosen["left"])
        for errors, chosen in zip(halves[::-1], peaks.cross_fitted(*halves), strict=True)
    ]
    return np.sqrt(ratios[0] * ratios[1])


def at_places(curves: pd.DataFrame, chosen: pd.Series) -> pd.Series:
    """Each seed's value at the place that was chosen for it; NaN where none was."""
    return pd.Series(
        {seed: curves.loc[seed, place] if place in curves else np.nan for seed, place in chosen.items()}, dtype=float
    )


def stopped_height(table: pd.DataFrame, axis: str) -> pd.Series:
    """The height of the peak of networks that were stopped early, looked for by itself."""
    return peaks.height(*(stopped_error(table, axis, half) for half in halves_of(table)))


def later_peak(curves: Iterable[pd.DataFrame], begun: float, averaged: int) -> pd.DataFrame:
    """The later peak of errors over training, in means over neighbouring measurements: ``peak`` and ``height`` by seed.

    Args:
        curves: errors on both halves of the test set, [seeds, steps]: the step of the peak is chosen on one half and on
            the other seeds, the height above the lower points on both sides is measured on the other, both ways round.
        begun: the step from which on a peak is looked for.
        averaged: how many measurements a mean is over.
    """
    smooth = (one.T.rolling(averaged, center=True).mean().dropna().T for one in curves)
    first, second = (one.loc[:, one.columns >= begun] for one in smooth)
    return pd.DataFrame({"peak": peaks.place(first, second), "height": peaks.height(first, second)})


def loss_factor(table: pd.DataFrame, axis: str) -> pd.Series:
    """By which factor the test loss at the end is higher at its peak than at the higher flank; chosen likewise."""
    return np.exp(peaks.height(*(np.log(final(table, "test loss", axis, group=half)) for half in halves_of(table))))


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


def at_equal_memory(table: pd.DataFrame, quantity: str, axis: str) -> pd.Series:
    """A positive quantity read off where equally many wrong labels are memorised: index (seed, loss, ``axis``).

    A network has no value at a fraction that it does not reach. It is read off over the fraction that is not memorised
    yet, which falls in training as a loss does. Empty where no label is wrong, or the table does not tell them apart.
    """
    if "corrupted" not in set(table.loc[table["quantity"] == "train accuracy", "group"]):
        return pd.Series(dtype=float, index=pd.MultiIndex.from_arrays([[], [], []], names=["seed", "loss", axis]))
    left = 1 - curve(table, "train accuracy", axis, group="corrupted")
    both = pd.concat({"loss": left, "value": curve(table, quantity, axis)}, axis=1).dropna()
    both = both[both["loss"] > 0]
    read = against_loss(both.droplevel("step"), losses=1 - MEMORISED)
    return read.set_index(["seed", "loss", axis])["value"].sort_index()


def order_along(axis: str, seeds: pd.Index, values: pd.Series, other: pd.Series | None = None) -> pd.Series:
    """Kendall's τ of an axis (or ``other``) and values [seed, loss, axis], the mean over losses that four reach."""
    taus: dict[Any, list[float]] = {seed: [] for seed in seeds}
    for (seed, _), own in values.groupby(level=["seed", "loss"]):
        if len(own) >= 4:
            against = own.index.get_level_values(axis) if other is None else other[own.index]
            taus[seed].append(stats.kendall_tau(np.asarray(against, dtype=float), own))
    return pd.Series({seed: float(np.mean(of_seed)) if of_seed else np.nan for seed, of_seed in taus.items()})
