"""Memorisation scores by subsampling, and what one network's gradients say of its examples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Scores:
    """Of each of n examples, by K networks of which each was trained on a part of them (Feldman and Zhang, 2020).

    Attributes:
        memorisation: [n], how often networks trained with an example give its label, less how often those without it.
        error: [n], its standard error, from the two binomials; NaN where a side has a single network.
        with_it, without_it: [n], the two fractions.
    """

    memorisation: np.ndarray
    error: np.ndarray
    with_it: np.ndarray
    without_it: np.ndarray


def memorisation(right: np.ndarray, trained_on: np.ndarray) -> Scores:
    """The scores by ``right`` [K, n], whether a network gives an example its label, and ``trained_on`` [K, n].

    NaN for an example that all networks or none were trained on.
    """
    sides = []
    with np.errstate(invalid="ignore", divide="ignore"):
        for mask in (trained_on, ~trained_on):
            number = mask.sum(0)
            fraction = (right & mask).sum(0) / number
            # The unbiased variance of a mean of zeros and ones.
            sides.append((fraction, fraction * (1 - fraction) / (number - 1)))
    (with_it, first), (without_it, second) = sides
    return Scores(with_it - without_it, np.sqrt(first + second), with_it, without_it)


def parts(n: int, size: int, networks: int, rng: np.random.Generator) -> np.ndarray:
    """A random part of ``size`` of n examples for each network, [networks, size]."""
    return np.stack([rng.permutation(n)[:size] for _ in range(networks)])


def own_share(steps: np.ndarray, squares: np.ndarray, pulls: np.ndarray) -> np.ndarray:
    """Of what is done for each example in training, the share that its own gradient does, [n], between 0 and 1.

    Along gradient flow the loss of example i falls at the rate gᵢ·ḡ = (‖gᵢ‖² + Σ_{j≠i} gᵢ·gⱼ) / n. Both parts are
    integrated over training; where the others do more harm than good, all is its own.

    Args:
        steps: [T], growing, at which gradients were measured; trapezoids between them.
        squares: [T, n], ‖gᵢ‖².
        pulls: [T, n], gᵢ·Σⱼ gⱼ, its own square included.
    """
    own = np.trapezoid(squares, steps, axis=0)
    others = np.trapezoid(pulls - squares, steps, axis=0)
    return own / (own + np.maximum(others, 0))


def within_classes(values: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The values [n] dealt out anew among the examples of equal label."""
    shuffled = values.copy()
    for label in np.unique(labels):
        mine = np.flatnonzero(labels == label)
        shuffled[mine] = values[rng.permutation(mine)]
    return shuffled
