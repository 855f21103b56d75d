"""Bounds on the last iterate of subgradient descent, and the schedules that minimise them (Defazio et al., 2023)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.ndimage import median_filter

#: Schedules that know nothing of the gradients, in the order in which figures show them.
SCHEDULES = ("constant", "inverse square root", "step", "cosine", "linear")
#: The smallest gradient norm that a schedule is made from, over the largest: a batch may have no gradient at all.
_LEAST = 0.01


def factors(steps: int) -> Mapping[str, np.ndarray]:
    """The multiples of the peak [steps] of each of `SCHEDULES`.

    The schedule "step" divides by ten after each third of the steps.
    """
    at = np.arange(steps)
    return {
        "constant": np.ones(steps),
        "inverse square root": 1 / np.sqrt(1 + at),
        "step": 0.1 ** (3 * at // steps),
        "cosine": (1 + np.cos(np.pi * at / steps)) / 2,
        "linear": 1 - at / steps,
    }


def last_iterate_bound(rates: np.ndarray, squares: np.ndarray, distance: float) -> float:
    """A bound on the expected excess loss of the last iterate, for any learning rates.

    With η_t the rates, G_t² the expected squared gradient norms and D the distance from the start to the comparator

        D² / (2 Σ η) + Σ η² G² / (2 Σ η) + ½ Σ_{k<T} η_k / Σ_{t>k} η_t · Σ_{t≥k} η_t² G_t² / Σ_{t≥k} η_t .

    The iterate after T − 1 steps is bounded; the last rate is that of a step which is not taken any more.

    Args:
        rates: η, [T], all positive.
        squares: G², [T].
        distance: D.
    """
    remaining = np.cumsum(rates[::-1])[::-1]
    spent = np.cumsum((rates**2 * squares)[::-1])[::-1]
    average = (distance**2 + spent[0]) / (2 * remaining[0])
    return float(average + np.sum(rates[:-1] / remaining[1:] * spent[:-1] / remaining[:-1]) / 2)


def weighted_bound(weights: np.ndarray, squares: np.ndarray, distance: float) -> float:
    """The sharper bound for rates that are made of weights as by `from_weights`: (D² + Σ w² G²) / (2 Σ w)."""
    return float((distance**2 + np.sum(weights**2 * squares)) / (2 * weights.sum()))


def from_weights(weights: np.ndarray) -> np.ndarray:
    """Rates η_t = w_t · Σ_{p>t} w_p / Σ_p w_p [T], by which the last iterate does as well as the weighted average.

    Equal weights give linear decay; the last rate is 0.
    """
    later = np.cumsum(weights[::-1])[::-1]
    return weights * np.append(later[1:], 0.0) / later[0]


def best_peak(shape: np.ndarray, squares: np.ndarray, distance: float) -> tuple[float, float]:
    """The multiple of a schedule's ``shape`` at which `last_iterate_bound` is least, and the bound there.

    The bound is a / p + b · p in the multiple p, hence least at √(a / b), with 2 √(a b).
    """
    start = distance**2 / (2 * shape.sum())
    noise = last_iterate_bound(shape, squares, 0.0)
    return float(np.sqrt(start / noise)), float(2 * np.sqrt(start * noise))


def smoothed(norms: np.ndarray, window: float) -> np.ndarray:
    """The running median of gradient norms [T] over a ``window``, a fraction of the steps; mirrored at the ends."""
    return median_filter(norms, size=2 * int(window * len(norms) / 2) + 1, mode="reflect")


def refined(norms: np.ndarray) -> np.ndarray:
    """The schedule [T] that minimises `weighted_bound` for these gradient norms, w ∝ 1/G², scaled to a maximum of 1.

    Its last factor, which is 0 and of a step that nobody takes, is replaced by the one before.
    """
    shape = from_weights(np.maximum(norms, _LEAST * norms.max()) ** -2.0)
    shape[-1] = shape[-2]
    return shape / shape.max()
