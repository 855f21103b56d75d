"""Intervals over seeds, orderings, and what remains of many claims after correction for their number.

The unit of replication is the seed: every function takes one value per seed. Intervals are Student's t on the scale on
which the quantity varies (differences: identity; times and ratios: log; accuracies and AUC: logit; rank correlations:
atanh), because a percentile bootstrap over five seeds covers 84 % where it says 95 %, and because on another scale an
interval leaves the range of what it is about.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

Scale = Literal["identity", "log", "logit", "atanh"]
Relation = Literal[">", ">=", "<", "<="]


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with the ends of its confidence interval, from ``n`` values (one per seed)."""

    estimate: float
    low: float
    high: float
    n: int


def t_interval(
    values: ArrayLike, scale: Scale = "identity", level: float = 0.95, continuity: float | None = None
) -> Interval:
    """Return Student's t interval for the mean of per-seed values, taken on ``scale`` and transformed back.

    The estimate is the mean on the identity, geometric on the log scale; for fractions and correlations it is the mean
    of the raw values, and the interval reaches at least to it.

    What is measured in steps (examples of a test set, rungs of a grid, ranks of few levels) has half of its step as
    ``continuity``: for accuracies over N test examples ``1 / (2 * N)``. It serves twice: on the logit and atanh scales
    values are kept that far from the ends, so that an accuracy of exactly 1 has a finite logit; and the 95 % interval
    reaches at least that far to either side, for what all seeds were rounded to, no number of seeds tells closer.

    One value alone says nothing about the spread: its interval is the whole scale. Nor do values without any spread
    whose step is not told: the ends of theirs are NaN.

    Args:
        values: [n], one finite value per seed.
        scale: "identity", "log" (values > 0), "logit" (values in (0, 1)) or "atanh" (values in (-1, 1)).
        level: confidence, in (0, 1).
        continuity: half of the measuring step, in the unit of the values; on the log scale, half of the logarithm of
            the factor between neighbouring rungs.

    Raises:
        ValueError: no value; one that is not finite or not on the scale; a level or continuity out of bounds.
    """
    level = _fraction("level", level)
    sample = _Sample(values, scale, continuity)
    half_width = math.inf
    if sample.n > 1:
        half_width = float(special.stdtrit(sample.n - 1, (1 + level) / 2)) * sample.standard_error
    low, high = (float(end) for end in from_scale([sample.mean - half_width, sample.mean + half_width], scale))
    if not _is_bounded(scale):
        return Interval(float(from_scale(sample.mean, scale)), low, high, sample.n)
    raw = float(np.asarray(values, dtype=float).mean())
    return Interval(raw, float(np.minimum(low, raw)), float(np.maximum(high, raw)), sample.n)  # NaN stays NaN


def p_value(
    values: ArrayLike,
    threshold: float,
    relation: str,
    scale: Scale = "identity",
    continuity: float | None = None,
) -> float:
    """Return the one-sided p-value of "the mean on ``scale`` stands in ``relation`` to the threshold".

    It is the probability of a t statistic at least this far on the claim's side if the mean were the threshold itself.
    It agrees with `t_interval`: a 95 % interval lies on the claim's side exactly where it is below 0.025. One value
    alone gives 1; values without any spread whose measuring step is not told give NaN.

    Args:
        values: [n], one finite value per seed.
        threshold: what the mean is compared with, in the unit of the values, inside the scale's range.
        relation: ">" or ">=" (claimed to be above), "<" or "<=" (claimed to be below).
        scale: "identity", "log", "logit" or "atanh".
        continuity: as in `t_interval`.

    Raises:
        ValueError: what `t_interval` refuses, an unknown relation, a threshold at the end of the scale or beyond it.
    """
    sample = _Sample(values, scale, continuity)
    distance = sample.mean - float(to_scale(threshold, scale))
    if _is_below(relation):
        distance = -distance
    if sample.n == 1:
        return 1.0
    return float(special.stdtr(sample.n - 1, -distance / sample.standard_error))


def clopper_pearson(successes: int, n: int, level: float = 0.95) -> Interval:
    """Return the exact interval of a proportion, for claims of the kind "all of them".

    Clopper and Pearson (1934): the proportions that a binomial test of size (1 - level) / 2 on either side keeps.

    Args:
        successes: how many of the ``n`` did, an integer from 0 to n.
        n: how many there were, at least 1.
        level: confidence, in (0, 1).
    """
    successes, n = _counts(successes, n)
    tail = (1 - _fraction("level", level)) / 2
    low = 0.0 if successes == 0 else float(special.betaincinv(successes, n - successes + 1, tail))
    high = 1.0 if successes == n else float(special.betaincinv(successes + 1, n - successes, 1 - tail))
    return Interval(successes / n, low, high, n)


def binomial_p_value(successes: int, n: int, threshold: float, relation: str) -> float:
    """Return the one-sided exact binomial p-value of "the proportion stands in ``relation`` to the threshold".

    Args:
        successes: how many of the ``n`` did.
        n: how many there were, at least 1.
        threshold: a proportion in (0, 1).
        relation: ">" or ">=" (claimed to be above), "<" or "<=" (claimed to be below).
    """
    successes, n = _counts(successes, n)
    threshold = _fraction("threshold", threshold)
    if _is_below(relation):
        return float(special.bdtr(successes, n, threshold))
    return 1.0 if successes == 0 else float(special.bdtrc(successes - 1, n, threshold))


def kendall_tau(x: ArrayLike, y: ArrayLike) -> float:
    """Return Kendall's rank correlation τ_b (1945) of two sequences, in [-1, 1]: 1 in the same order, -1 in reverse.

    Ties count for neither order. Where all values of a sequence are equal there is no order to agree with, and τ is 0.

    Args:
        x: [n], for instance the levels.
        y: [n], for instance what one seed showed at each.

    Raises:
        ValueError: fewer than two values, different lengths, or values that are not finite.
    """
    x, y = _finite(x), _finite(y)
    if x.shape != y.shape or x.ndim != 1 or x.size < 2:
        raise ValueError(f"Kendall's τ needs two sequences of one length >= 2, got shapes {x.shape}, {y.shape}")
    order_x, order_y = np.sign(x[:, None] - x), np.sign(y[:, None] - y)
    untied_pairs = math.sqrt(np.square(order_x).sum() * np.square(order_y).sum())
    return float((order_x * order_y).sum() / untied_pairs) if untied_pairs else 0.0


def holm(p_values: ArrayLike) -> np.ndarray:
    """Return p-values adjusted for their number by Holm's step-down method (1979), in the order given.

    Claims whose adjusted value is at most α stay, and the chance that any of those that stay is false is at most α,
    whatever the dependence between them.

    Args:
        p_values: [m], each in [0, 1]; m may be 0.
    """
    p = _finite(p_values)
    if p.ndim != 1 or ((p < 0) | (p > 1)).any():
        raise ValueError(f"p-values are a list of numbers from 0 to 1, got {p.tolist()}")
    order = np.argsort(p, kind="stable")
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(p.size, 0, -1)), 1)
    return adjusted


def to_scale(values: ArrayLike, scale: Scale, continuity: float | None = None) -> np.ndarray:
    """Return values transformed to ``scale``, moved off its ends by ``continuity`` first where that is given.

    Args:
        values: finite values of any shape.
        scale: "identity", "log", "logit" or "atanh".
        continuity: as in `t_interval`; it moves values on the logit and atanh scales alone.

    Raises:
        ValueError: a value that is not finite or not on the scale, an unknown scale, a continuity out of bounds.
    """
    values = _finite(values)
    if scale not in get_args(Scale):
        raise ValueError(f"unknown scale {scale!r}; one of {', '.join(get_args(Scale))}")
    if continuity is not None and not 0 < continuity < _MOST_CONTINUITY.get(scale, math.inf):
        raise ValueError(f"a continuity on the {scale} scale is half a measuring step, above 0, got {continuity}")
    if scale == "identity":
        return values
    low, high = _RANGES[scale]
    bounded = _is_bounded(scale)
    _check_range(values, scale, low, high, continuity if bounded else None)
    if bounded and continuity is not None:
        values = np.clip(values, low + continuity, high - continuity)
    transform: Any = {"log": np.log, "logit": special.logit, "atanh": np.arctanh}[scale]
    return transform(values)


def from_scale(values: ArrayLike, scale: Scale) -> np.ndarray:
    """Return values on ``scale`` transformed back, the inverse of `to_scale`; infinities give the ends of the scale."""
    return {"identity": np.asarray, "log": np.exp, "logit": special.expit, "atanh": np.tanh}[scale](values)


_RANGES: dict[Scale, tuple[float, float]] = {"log": (0, math.inf), "logit": (0, 1), "atanh": (-1, 1)}
_MOST_CONTINUITY: dict[Scale, float] = {"logit": 0.5, "atanh": 1}


def _is_bounded(scale: Scale) -> bool:
    """Whether the scale's range ends on both sides, at values that can be measured."""
    return scale in ("logit", "atanh")


class _Sample:
    """Per-seed values on their scale: how many, their mean, and its standard error."""

    def __init__(self, values: ArrayLike, scale: Scale, continuity: float | None) -> None:
        transformed = to_scale(values, scale, continuity)
        if transformed.ndim != 1 or transformed.size == 0:
            raise ValueError(f"an interval over seeds needs one value per seed, got shape {transformed.shape}")
        self.n = transformed.size
        self.mean = float(transformed.mean())
        self.standard_error = math.inf
        if self.n > 1:
            agree = np.ptp(transformed) == 0
            self.standard_error = 0.0 if agree else float(transformed.std(ddof=1)) / math.sqrt(self.n)
            if continuity is not None:
                least = continuity * _stretch(self.mean, scale) / float(special.stdtrit(self.n - 1, 0.975))
                self.standard_error = max(self.standard_error, least)
            elif agree:
                self.standard_error = math.nan


def _stretch(mean: float, scale: Scale) -> float:
    """Return by how much a continuity grows when it is transformed, at the value whose transform is ``mean``."""
    if scale == "logit":
        return 1 / float(special.expit(mean) * special.expit(-mean))
    return math.cosh(mean) ** 2 if scale == "atanh" else 1.0


def _check_range(values: np.ndarray, scale: str, low: float, high: float, continuity: float | None) -> None:
    inside = (values >= low) & (values <= high) if continuity is not None else (values > low) & (values < high)
    if not inside.all():
        worst = float(values[~inside].flat[0])
        hint = "; a continuity takes in the ends" if continuity is None and worst in (low, high) else ""
        raise ValueError(f"values on the {scale} scale lie between {low:g} and {high:g}, got {worst:g}{hint}")


def _finite(values: ArrayLike) -> np.ndarray:
    values = np.asarray(values, dtype=float)
    if not np.isfinite(values).all():
        raise ValueError(f"statistics need finite values, got {values.tolist()}")
    return values


def _fraction(name: str, value: float) -> float:
    if not 0 < value < 1:
        raise ValueError(f"a {name} lies strictly between 0 and 1, got {value}")
    return value


def _counts(successes: int, n: int) -> Sequence[int]:
    if int(successes) != successes or int(n) != n or not 0 <= successes <= n or n < 1:
        raise ValueError(f"a proportion needs whole numbers 0 <= successes <= n, n >= 1, got {successes} of {n}")
    return int(successes), int(n)


def _is_below(relation: str) -> bool:
    if relation not in get_args(Relation):
        raise ValueError(f"unknown relation {relation!r}; one of {', '.join(get_args(Relation))}")
    return relation.startswith("<")
