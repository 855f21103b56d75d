"""The bound on the generalization gap, as a number.

Chatterjee and Zielinski (2022), after Hardt, Recht and Singer (2016): for a loss that is L-Lipschitz and β-smooth in
the weights, T steps of (stochastic) gradient descent with the learning rate η on m examples have in
expectation

    |gap| ≤ (L² η / m) Σ_{t=1}^{T} (1 + ηβ)^{T−t} √(2 (1 − α(w_{t−1}))),

with α the coherence of the whole distribution at the weights before step t. The batch size does not enter.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def disagreement(alpha: ArrayLike) -> np.ndarray:
    """√(2 (1 − α)), between √2 (nothing shared) and 0 (all gradients equal); α below 0 counts as 0."""
    return np.sqrt(2 * (1 - np.clip(np.asarray(alpha, dtype=float), 0, 1)))


def log_bound(alpha: ArrayLike, lipschitz: float, smoothness: float, learning_rate: float, m: int) -> float:
    """Natural logarithm of the bound, which itself would overflow.

    Args:
        alpha: [T], the coherence at the weights before each step.
        lipschitz: L. smoothness: β; 0 leaves the growth factor out. learning_rate: η. m: number of examples.
    """
    terms = disagreement(alpha)
    growth = np.arange(len(terms) - 1, -1, -1) * np.log1p(learning_rate * smoothness)
    with np.errstate(divide="ignore"):
        logs = growth + np.log(terms)
    return float(np.log(lipschitz**2 * learning_rate / m) + np.logaddexp.reduce(logs))


def log_bound_decaying(alpha: ArrayLike, lipschitz: float, smoothness: float, learning_rate: float, m: int) -> float:
    """Natural logarithm of the bound for learning rates of at most η/t at step t, the corollary of the same paper.

    |gap| ≤ (L² η T^{ηβ} / m) Σ_t √(2 (1 − α(w_{t−1}))). Arguments as of `log_bound`, with ``learning_rate`` η, that of
    the first step.
    """
    terms = disagreement(alpha)
    growth = learning_rate * smoothness * np.log(len(terms))
    return float(np.log(lipschitz**2 * learning_rate / m) + growth + np.log(terms.sum()))
