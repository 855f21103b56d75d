"""Statistics of tables that know what they are: their kind, the scale of their interval, and words for a threshold.

@ratio("times chance")
def test_over_chance(table, spec):
    return final(table, "test accuracy") / chance(table)

claim("generalizes", "…", "a-paper-2020", test_over_chance, above=3, control="shuffled labels")
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from genbook.base.claims import Claim, Continuity, Kind, Origin, Side
from genbook.base.spec import Spec
from genbook.base.stats import Scale

_Function = Callable[[pd.DataFrame, Any], pd.Series]


@dataclass(frozen=True)
class Statistic:
    """A function of (table, spec) to one value per seed, with what it needs to be judged.

    ``kind``, ``scale`` and ``continuity`` as of `genbook.base.claims.Claim`; ``words``: what a threshold is, after its
    number ("times chance").
    """

    function: _Function
    kind: Kind
    scale: Scale
    words: str
    continuity: Continuity | None = None

    def __call__(self, table: pd.DataFrame, spec: Spec) -> pd.Series:
        """One value per seed; NaN for a censored or undefined one."""
        return self.function(table, spec)


def _statistic(function: _Function | None, *settings: Any) -> Any:
    """The statistic, or what makes one of a function that it decorates."""
    return (lambda decorated: Statistic(decorated, *settings)) if function is None else Statistic(function, *settings)


def ratio(words: str, function: _Function | None = None, continuity: Continuity | None = None) -> Any:
    """Of two positive quantities within the seed: no effect is 1, the interval is on the log scale.

    ``continuity``: of a ratio that takes the values of a grid, half of the logarithm of the factor between its rungs.
    """
    return _statistic(function, "mean", "log", words, continuity)


def difference(words: str, function: _Function | None = None, continuity: Continuity | None = None) -> Any:
    """Of two quantities within the seed: no effect is 0."""
    return _statistic(function, "mean", "identity", words, continuity)


def fraction(words: str, function: _Function | None = None, continuity: Continuity | None = None) -> Any:
    """Between 0 and 1 (an accuracy, an AUC): the interval is on the logit scale.

    ``continuity``: half of the real step in which the fraction is measured, where 0 or 1 can occur.
    """
    return _statistic(function, "mean", "logit", words, continuity)


def order(words: str, function: _Function | None = None, *, ranked: Callable[[pd.DataFrame, Any], int] | int) -> Any:
    """A rank correlation within the seed, from -1 (reverse order) to 1 (the same order): the interval is on atanh.

    ``ranked``: how many things are put in order. Kendall's τ of k changes in steps of 4 / (k (k - 1)), by half of which
    it is kept from the ends; a mean over several rankings changes in finer ones, and this is then on the safe side.
    """

    def continuity(table: pd.DataFrame, spec: Any) -> float:
        k = ranked(table, spec) if callable(ranked) else ranked
        return min(2 / (k * (k - 1)), _MOST)

    return _statistic(function, "mean", "atanh", words, continuity)


_MOST = 0.999  # of two things there is one order: τ is 1 or -1, and half of the step the whole scale


def slope(words: str, function: _Function | None = None, continuity: Continuity | None = None) -> Any:
    """A power or a rate of change fitted within the seed: no effect is 0."""
    return _statistic(function, "mean", "identity", words, continuity)


def proportion(words: str = "", function: _Function | None = None) -> Any:
    """Truths, one per seed: the proportion of seeds in which it is true has a Clopper-Pearson interval."""
    return _statistic(function, "all", "identity", words)


def identity(words: str = "", function: _Function | None = None) -> Any:
    """Numbers that must be equal to one: the farthest decides, within a tolerance."""
    return _statistic(function, "exact", "identity", words)


def half_example(examples: float) -> float:
    """Half of the step in which an accuracy over ``examples`` is measured."""
    return 0.5 / examples


def half_step(values: ArrayLike) -> float:
    """Half of the smallest difference between distinct values: of what is measured in steps, half of its step.

    Raises:
        ValueError: fewer than two distinct values, which tell no step.
    """
    distinct = np.unique(np.round(np.asarray(values, dtype=float)[~np.isnan(values)], 12))
    if len(distinct) < 2:
        raise ValueError(f"one value, {distinct}, tells no step; want at least two distinct ones")
    return float(np.diff(distinct).min() / 2)


def half_rung(grid: ArrayLike, log: bool = True) -> float:
    """Half of the widest step between neighbouring places of a grid, by default of their logarithms."""
    places = np.sort(np.asarray(grid, dtype=float))
    return float(np.diff(np.log(places) if log else places).max() / 2)


def _bound(scale: Scale, within: float) -> str:
    return f"a factor of {within:g}" if scale == "log" else f"{within:g}"


def claim(
    id: str,
    statement: str,
    source: str,
    statistic: Statistic,
    *,
    control: str,
    origin: Origin = "ours",
    above: float | None = None,
    below: float | None = None,
    equals: float | None = None,
    within: float | None = None,
    **about: Any,
) -> Claim:
    """A claim that a `Statistic` is ``above`` or ``below`` a threshold, or ``equals`` a number ``within`` a bound.

    For an `identity`, ``within`` is the tolerance. For a ratio or a difference ``equals`` asks for equivalence: the
    claim holds where the whole interval lies within the bound, a factor (> 1) for a ratio, else a distance.
    ``control``: the setting in which the claim must fail. ``origin``: as of `Claim`. ``about``: ``reported``,
    ``note``, ``replicates``.

    Raises:
        ValueError: not exactly one of ``above``, ``below`` and ``equals``, or ``equals`` without ``within``.
    """
    told: tuple[tuple[Side, float | None], ...] = ((">", above), ("<", below), ("=", equals))
    asked = [(relation, threshold) for relation, threshold in told if threshold is not None]
    if len(asked) != 1 or (equals is None) != (within is None):
        raise ValueError(f"claim {id}: want one of above, below, or equals with within")
    kind, words = statistic.kind, statistic.words
    if kind == "mean" and within is not None:
        kind, words = "equal", f"within {_bound(statistic.scale, within)} ({words})"
    ((relation, threshold),) = asked
    return Claim(
        id=id,
        statement=statement,
        source=source,
        statistic=statistic,
        relation=relation,
        threshold=threshold,
        control=control,
        origin=origin,
        kind=kind,
        scale=statistic.scale,
        tolerance=within or 0.0,
        continuity=statistic.continuity,
        threshold_text=words,
        **about,
    )
