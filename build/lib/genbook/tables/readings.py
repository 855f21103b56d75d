"""Values read off curves, with one definition each for the whole book.

A reading takes a tidy table, or what another reading made of one, and gives a value per seed and condition. Where a
table tells examples in groups, layers or phases apart, a reading means all examples, all layers and the first phase
unless it is told otherwise. What is chosen is chosen on the other seeds; with a single seed there is no other, and the
reading is NaN.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from genbook.tables import tidy

_DEFAULTS = {"group": "all", "layer": "all", "phase": "training"}

#: Learning begins, for comparisons at equal loss, once this fraction of the initial loss is left (at initialisation
#: coherence is high for any labels), and ends at this training accuracy (beyond it there is little left to learn).
LEARNING_STARTS, LEARNING_ENDS = 0.9, 0.9
_POINTS = 16  # at which curves are compared over a range of losses


def rows(table: pd.DataFrame, **where: object) -> pd.DataFrame:
    """The rows in which the named columns have the given values, of all examples, layers and the first phase."""
    defaults = {name: value for name, value in _DEFAULTS.items() if name in table.columns}
    return tidy.select(table, **{**defaults, **where})


def layers(table: pd.DataFrame) -> list[str]:
    """Names of the layers of which a table tells, from the one next to the inputs to the one next to the outputs."""
    return sorted(set(table["layer"]) - {"all"}, key=int)


def curve(table: pd.DataFrame, quantity: str, *by: str, **where: object) -> pd.Series:
    """A quantity over training: values indexed and sorted by (seed, *by, step)."""
    return rows(table, quantity=quantity, **where).set_index(["seed", *by, "step"])["value"].sort_index()


def final(table: pd.DataFrame, quantity: str, *by: str, **where: object) -> pd.DataFrame:
    """The last value of a quantity that is not missing, NaN where all are: seeds in rows, conditions in columns."""
    last = tidy.last(rows(table, **where), ["seed", *by], quantity=quantity)
    return last.unstack(list(by)) if by else last.to_frame(quantity)


def complete(values: pd.DataFrame, table: pd.DataFrame, by: str, **where: object) -> pd.DataFrame:
    """``values`` with a row for every seed and a column for every condition of the table, NaN where none was read.

    What diverged, or never learned, has no curve to read: it is censored, not left out.
    """
    found = tidy.select(table, **where)
    return values.reindex(index=np.sort(table["seed"].unique()), columns=np.sort(found[by].unique()))


def chance(table: pd.DataFrame) -> float:
    """Accuracy of a guess: one over the number of classes."""
    return 1 / float(tidy.select(table, quantity="classes")["value"].iloc[0])


def first_crossing(curves: pd.DataFrame, level: float, rising: bool = True) -> pd.Series:
    """The first place at which each curve is at least (or, falling, at most) ``level``; NaN where none is.

    Args:
        curves: [seeds, places], the places in their order.
    """
    beyond = curves.ge(level) if rising else curves.le(level)
    return _place(beyond)


def last_crossing(curves: pd.DataFrame, level: float, rising: bool = True) -> pd.Series:
    """The first place from which on each curve stays beyond ``level``; NaN where it is not beyond it at the end.

    Args:
        curves: [seeds, places], the places in their order.
    """
    beyond = curves.ge(level) if rising else curves.le(level)
    return _place(beyond.iloc[:, ::-1].cummin(axis=1).iloc[:, ::-1])


def interpolated_crossing(
    curves: pd.DataFrame, level: float, rising: bool = True, *, first: bool = False, log: bool = True
) -> pd.Series:
    """Where each curve passes ``level`` for good (or ``first``), interpolated between the places on either side.

    NaN where it does not; where it is beyond from the first place on, that place.

    Args:
        curves: [seeds, places], the places growing.
        log: whether to interpolate in the logarithm of the places; one at zero is then left out.
    """
    curves = curves.loc[:, curves.columns > 0] if log else curves
    places = curves.columns.to_numpy(dtype=float)
    axis, back = (np.log(places), np.exp) if log else (places, float)
    found = (first_crossing if first else last_crossing)(curves, level, rising)
    for row, place in enumerate(found.to_numpy()):
        k = np.searchsorted(places, place)
        if 0 < k < len(places):
            before, after = curves.iloc[row, k - 1], curves.iloc[row, k]
            part = (level - before) / (after - before)
            found.iloc[row] = back(axis[k - 1] + part * (axis[k] - axis[k - 1]))
    return found


def _place(beyond: pd.DataFrame) -> pd.Series:
    return beyond.idxmax(axis=1).where(beyond.any(axis=1)).astype(float)


def mean_of_others(scores: pd.DataFrame, seed: Hashable) -> pd.Series | None:
    """The mean over all seeds but one, by which what is read off that one is chosen; None where there is no other.

    Args:
        scores: [places, seeds].
    """
    others = scores.drop(columns=seed).mean(axis=1)
    return None if others.isna().all() else others


def on_other_seeds(scores: pd.DataFrame, values: pd.DataFrame | None = None) -> pd.Series:
    """Each seed's value at the place whose score is best on average over the other seeds; NaN with one seed alone.

    Args:
        scores: [places, seeds]; the highest mean is the best, the first of equal ones.
        values: what is read off at that place, [places, seeds]; by default the scores. Scores on one half of the test
            set and values on the other keep the choice from what it is judged on.
    """
    values = scores if values is None else values
    chosen = {}
    for seed in scores:
        others = mean_of_others(scores, seed)
        chosen[seed] = np.nan if others is None else values.loc[others.idxmax(), seed]
    return pd.Series(chosen, dtype=float)


def geometric_mean(values: pd.Series | pd.DataFrame, by: str | Sequence[str] | None = None) -> Any:
    """The geometric mean of positive values that are not missing: one number, of a table one a column.

    With ``by``, levels of the index, a series of them, over all that these levels do not tell apart.
    """
    logs = np.log(values)
    if by is None:
        return np.exp(logs.mean())
    return np.exp(logs.groupby(level=by if isinstance(by, str) else list(by)).mean())


def power(values: pd.DataFrame, x: ArrayLike | None = None) -> pd.Series:
    """Per row, the power of x with which positive values grow: least squares on both logarithms.

    What is missing, or not positive, is left out; NaN where fewer than two values are left.

    Args:
        values: [rows, places].
        x: [places], or [rows, places] with an x for each value; by default the columns' numbers.
    """
    places = np.broadcast_to(np.asarray(values.columns if x is None else x, dtype=float), values.shape)
    slopes = []
    for row_x, row in zip(places, values.to_numpy(dtype=float), strict=True):
        kept = (row_x > 0) & (row > 0)
        slopes.append(np.polyfit(np.log(row_x[kept]), np.log(row[kept]), 1)[0] if kept.sum() > 1 else np.nan)
    return pd.Series(slopes, values.index, dtype=float)


def while_learning(table: pd.DataFrame, quantity: str, by: str, **where: object) -> pd.DataFrame:
    """A quantity against training loss while learning: from a loss fallen by a tenth until training accuracy .9.

    Returns:
        Columns ``loss`` and ``value``, indexed by (seed, ``by``), in the order of training.
    """
    told = {name: value for name, value in where.items() if name not in ("layer", "group")}
    wide = pd.concat(
        {
            "loss": curve(table, "train loss", by, **told),
            "accuracy": curve(table, "train accuracy", by, **told),
            "value": curve(table, quantity, by, **where),
        },
        axis=1,
    ).dropna()
    alike = ["seed", by]
    started = (wide["loss"] <= LEARNING_STARTS * wide.groupby(alike)["loss"].transform("first")).groupby(alike).cummax()
    ended = (wide["accuracy"] >= LEARNING_ENDS).groupby(alike).cummax()
    return wide[started & ~ended].reset_index("step", drop=True)[["loss", "value"]]


def at_loss(course: pd.DataFrame, losses: np.ndarray) -> pd.Series:
    """Values at ``losses``, interpolated between the measured ones, linear in both logarithms.

    Args:
        course: columns ``loss`` and ``value`` of one network.
        losses: within the range that it was measured in; beyond, its end values stand.
    """
    course = course.sort_values("loss")
    logs = np.interp(np.log(losses), np.log(course["loss"]), np.log(course["value"]))
    return pd.Series(np.exp(logs), index=pd.Index(losses, name="loss"))


def at_equal_loss(courses: pd.DataFrame) -> pd.DataFrame:
    """The geometric mean of a positive quantity over the training losses that all conditions of a seed pass.

    The losses are even on the log scale, so that every condition is averaged over the same losses. NaN where the
    conditions of a seed share no range of losses.

    Args:
        courses: columns ``loss`` and ``value``, indexed by (seed, condition), as of `while_learning`.

    Returns:
        Seeds in rows, conditions in columns.
    """
    condition = courses.index.names[1]
    read = {}
    for seed, mine in courses.groupby("seed"):
        networks = dict(list(mine.groupby(condition)))
        low = max(network["loss"].min() for network in networks.values())
        high = min(network["loss"].max() for network in networks.values())
        losses = np.geomspace(low, high, _POINTS) if low < high else None
        read[seed] = {
            name: np.nan if losses is None else float(np.exp(np.log(at_loss(network, losses)).mean()))
            for name, network in networks.items()
        }
    return pd.DataFrame.from_dict(read, orient="index").sort_index(axis=1).rename_axis(index="seed", columns=condition)


def crossing_step(losses: pd.Series, level: float) -> pd.Series:
    """The step at which each network's loss falls below ``level`` for good; NaN where it begins below it or ends above.

    With a large learning rate the loss jumps, and its first crossing would be good luck. Between two measured steps it
    is interpolated, linear in the logarithms of loss and 1 + step.

    Args:
        losses: indexed by (seed, *conditions, step), as of `curve`.

    Returns:
        Indexed by (seed, *conditions).
    """
    return _networks(losses).apply(_crossing, level)


def _crossing(losses: pd.Series, level: float) -> float:
    above = np.flatnonzero(~(losses <= level))  # a loss that is missing has not come down
    if not len(above) or above[-1] == len(losses) - 1:
        return np.nan
    pair = losses.iloc[[above[-1] + 1, above[-1]]]  # backwards: interpolation wants what grows
    return float(np.expm1(np.interp(np.log(level), np.log(pair), np.log1p(pair.index.get_level_values("step")))))


def at_crossing(values: pd.Series, losses: pd.Series, level: float) -> pd.Series:
    """A quantity where the loss falls below one ``level`` for good: the other comparison at equal loss.

    Where `at_equal_loss` averages over all losses that the conditions have in common, this is one loss for all. The
    step is that of `crossing_step`; between measured steps the quantity is interpolated, linear in log(1 + step).

    Args:
        values, losses: indexed by (seed, *conditions, step), as of `curve`; measured at steps of their own.

    Returns:
        Indexed by (seed, *conditions); NaN where the loss does not cross the level, or nothing was measured.
    """
    crossed = crossing_step(losses, level)

    def read(mine: pd.Series) -> float:
        steps = mine.index.get_level_values("step")
        return float(np.interp(np.log1p(crossed.get(mine.name, np.nan)), np.log1p(steps), mine))

    return _networks(values.dropna()).apply(read).reindex(crossed.index).astype(float)


def _networks(curves: pd.Series) -> Any:
    """Each network's curve, by (seed, *conditions)."""
    names = curves.index.names[:-1]
    return curves.groupby(level=list(names) if len(names) > 1 else names[0])


def against_loss(courses: pd.DataFrame, points: int = 24, losses: np.ndarray | None = None) -> pd.DataFrame:
    """A quantity read off at the same losses for all networks: tidy rows.

    Args:
        courses: columns ``loss`` and ``value``, indexed by (seed, condition), as of `while_learning`.
        points: how many losses over the whole range, even on a log scale.
        losses: the losses themselves, where others are wanted.

    Returns:
        Columns ``seed``, the condition, ``loss``, ``value``; a network has rows only between the losses it passes.
    """
    names = courses.index.names
    if courses.empty:
        return pd.DataFrame(columns=[*names, "loss", "value"], dtype=float)
    if losses is None:
        losses = np.geomspace(courses["loss"].min(), courses["loss"].max(), points)
    parts: dict[tuple[Hashable, ...], pd.DataFrame] = {}
    for key, mine in courses.groupby(list(names)):
        passed = losses[(losses >= mine["loss"].min()) & (losses <= mine["loss"].max())]
        parts[key] = at_loss(mine, passed).to_frame("value").reset_index()
    return pd.concat(parts, names=names).reset_index(names).reset_index(drop=True)
