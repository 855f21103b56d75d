"""Bounds on the last iterate of subgradient descent for any schedule (Defazio et al., 2023)."""

from __future__ import annotations

import numpy as np


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
    """The sharper bound for rates that are made of weights as by `shared.from_weights`: (D² + Σ w² G²) / (2 Σ w)."""
    return float((distance**2 + np.sum(weights**2 * squares)) / (2 * weights.sum()))


def best_peak(shape: np.ndarray, squares: np.ndarray, distance: float) -> tuple[float, float]:
    """The multiple of a schedule's ``shape`` at which `last_iterate_bound` is least, and the bound there.

    The bound is a / p + b · p in the multiple p, hence least at √(a / b), with 2 √(a b).
    """
    start = distance**2 / (2 * shape.sum())
    noise = last_iterate_bound(shape, squares, 0.0)
    return float(np.sqrt(start / noise)), float(2 * np.sqrt(start * noise))
