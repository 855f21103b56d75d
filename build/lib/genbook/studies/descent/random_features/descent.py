"""Descent on a linear model: any number of full-batch steps at once, mini-batches and Adam step by step."""

from __future__ import annotations

import numpy as np

from genbook.base.seeding import ORDER, generator
from genbook.studies.descent.random_features.features import Modes


def along_modes(
    modes: Modes, targets: np.ndarray, steps: float, rate: float, decay: float = 0.0, start: np.ndarray | None = None
) -> np.ndarray:
    """Coefficients [r, C] after ``steps`` full-batch steps on ½ mean‖ΦW − Y‖² + ½γ‖W‖², learning rate rate/(λ_1 + γ).

    A coefficient tends to s u·Y/n / (λ + γ), and what is missing is multiplied by 1 − η(λ + γ) in a step: exact for
    any number of steps, infinitely many included (Ali, Kolter and Tibshirani 2019 compare this filter with ridge).

    Args:
        modes: of the training features.
        targets: [n, C].
        steps: 0 to infinity.
        rate: below 2.
        decay: γ.
        start: coefficients [r, C] at the beginning; zeros where not given.
    """
    curvature = modes.eigenvalues + decay
    ends = (modes.singular / len(targets) / curvature)[:, None] * (modes.left.T @ targets)
    factor = remaining(curvature * rate / curvature[0], steps)[:, None]
    return ends * (1 - factor) if start is None else ends + (start - ends) * factor


def remaining(fractions: np.ndarray, steps: float) -> np.ndarray:
    """(1 − fraction)^steps without rounding small fractions away; fractions in [0, 2)."""
    with np.errstate(divide="ignore"):
        logs = np.where(fractions < 0.5, np.log1p(-np.minimum(fractions, 0.5)), np.log(np.abs(1 - fractions)))
    # −inf × 0 steps is no step at all
    powers = np.exp(logs * steps) if steps > 0 else np.ones_like(fractions)
    return np.where((fractions > 1) & (steps % 2 == 1), -powers, powers)


def with_private_features(modes: Modes, targets: np.ndarray, strength: float) -> tuple[np.ndarray, np.ndarray]:
    """Least-norm interpolation when every training example gets a feature of its own, zero on all other inputs.

    With Φ' = [Φ, √(nγ) I] the least-norm solution is Φ'ᵀ (ΦΦᵀ + nγ)⁻¹ Y: on new inputs it is ridge regression, on the
    training ones it is exact. Returns the coefficients [r, C] of the shared features, and the training outputs [n, C].

    Args:
        modes: of the shared features.
        targets: [n, C].
        strength: γ.
    """
    n = len(targets)
    seen = modes.left.T @ targets
    inverse = 1 / (modes.singular**2 + n * strength)
    # dual coefficients: the part of the targets outside the shared features is left to the private ones alone
    dual = modes.left @ (inverse[:, None] * seen) + (targets - modes.left @ seen) / (n * strength)
    shared = modes.singular[:, None] * (modes.left.T @ dual)
    outputs = modes.left @ (modes.singular[:, None] * shared) + n * strength * dual
    return shared, outputs


def stochastic(
    features: np.ndarray,
    targets: np.ndarray,
    steps: int,
    learning_rate: float,
    batch: int,
    seed: int,
    decay: float = 0.0,
) -> np.ndarray:
    """Weights [k, C] after real steps of mini-batch descent from zero; batches are drawn with replacement.

    Args:
        features: [n, k]; in the coordinates of their modes the steps are the same and fewer numbers move.
        targets: [n, C].
        steps: taken.
        learning_rate: η.
        batch: examples in a step.
        seed: of the order.
        decay: γ.
    """
    draws = generator(seed, ORDER).integers(0, len(targets), (steps, batch))
    weights = np.zeros((features.shape[1], targets.shape[1]))
    for chosen in draws:
        rows = features[chosen]
        residual = rows @ weights - targets[chosen]
        weights *= 1 - learning_rate * decay
        weights -= rows.T @ (residual * (learning_rate / batch))
    return weights


def adam(
    features: np.ndarray,
    targets: np.ndarray,
    steps: int,
    learning_rate: float,
    batch: int,
    seed: int,
    decay: float = 0.0,
) -> np.ndarray:
    """Weights [k, C] after real steps of Adam (Kingma and Ba 2015; β = 0.9, 0.999) from zero; arguments as above.

    Its step depends on the coordinates, so the features are taken as they are.
    """
    draws = generator(seed, ORDER).integers(0, len(targets), (steps, batch))
    weights = np.zeros((features.shape[1], targets.shape[1]))
    first, second = np.zeros_like(weights), np.zeros_like(weights)
    for step, chosen in enumerate(draws, 1):
        rows = features[chosen]
        gradient = rows.T @ ((rows @ weights - targets[chosen]) / batch)
        if decay:
            gradient += decay * weights
        first *= 0.9
        first += 0.1 * gradient
        gradient *= gradient
        second *= 0.999
        second += 0.001 * gradient
        scale = np.sqrt(second)
        scale += 1e-8 * np.sqrt(1 - 0.999**step)  # the ε of the corrected root, before its correction
        np.divide(first, scale, out=scale)
        scale *= learning_rate * np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
        weights -= scale
    return weights


def stable_learning_rate(modes: Modes, batch: int) -> float:
    """A learning rate that mini-batches of this size tolerate: 1/(λ_1 + R²/B), R² the largest squared length of a row.

    Mean-square stability of least squares needs about 2/(λ_1 + R²/B); for B → ∞ this is the rate 1 of full batches.
    """
    lengths = ((modes.left * modes.singular) ** 2).sum(1)
    return float(1 / (modes.eigenvalues[0] + lengths.max() / batch))
