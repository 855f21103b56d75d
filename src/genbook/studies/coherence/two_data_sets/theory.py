"""Closed forms: what gradient descent does where examples share one feature and each has one of its own.

m examples x_i = y_i (e_i + s u) with labels y_i = ±1, orthonormal e_1, ..., e_m, u, a linear output without bias,
weights that start at 0, the loss ½ (f − y)² averaged over the examples. By symmetry all own features carry one weight a
and all residuals are equal, so the weights stay on the line b = m s a with b the shared weight.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy
from numpy.typing import ArrayLike


def coherence(m: ArrayLike, s: ArrayLike) -> np.ndarray:
    """m-coherence (1 + m s²) / (1 + s²), the same at every step: 1 for s = 0, m for s → ∞."""
    m, s = np.asarray(m, dtype=float), np.asarray(s, dtype=float)
    return (1 + m * s**2) / (1 + s**2)


def shared_part(m: ArrayLike, s: ArrayLike) -> np.ndarray:
    """The fraction m s² / (1 + m s²) of an example's output that rests on the shared feature, at every step.

    It is what a new example, whose own feature was never seen, gets; 1 − 1 / ((1 + s²) · m-coherence).
    """
    m, s = np.asarray(m, dtype=float), np.asarray(s, dtype=float)
    return m * s**2 / (1 + m * s**2)


def training_output(step: ArrayLike, m: int, s: float, learning_rate: float) -> np.ndarray:
    """y f(x) on the training examples after ``step`` steps: 1 − (1 − η (1/m + s²))^step, with 1/m + s² = α ‖x‖²."""
    return 1 - (1 - learning_rate * (1 / m + s**2)) ** np.asarray(step)


def expected(quantity: str, step: ArrayLike, m: int, s: float, learning_rate: float) -> np.ndarray:
    """What "train output", "test output" (of a new example) or "m-coherence" is after ``step`` steps."""
    if quantity == "m-coherence":
        return np.full(np.shape(step), coherence(m, s))
    fraction = shared_part(m, s) if quantity == "test output" else 1.0
    return fraction * training_output(step, m, s, learning_rate)


def half_strength(m: int) -> float:
    """The strength of the shared feature at which a new example gets half: m s² = 1."""
    return float(1 / np.sqrt(m))


def own_weight(depth: int, init: float, m: int = 4, s: float = 1.0, output: float = 1.0) -> float:
    """Weight a of an own feature once training outputs are ``output``, weights being products of ``depth`` factors.

    Under gradient flow with equal factors w' = depth · w^(2 − 2/depth) · (−∂ℓ/∂w), and −∂ℓ/∂b = m s (−∂ℓ/∂a). So what
    the weight b has gone on the scale of w^(2/depth − 1) (for depth 2, of log w) is at all times m s times what a has
    gone; with a + s b = output that fixes both. (Derived here; such networks: Woodworth et al. 2020.)

    Args:
        depth: factors of each weight, at least 1; with 1 the weights start at 0, whatever ``init``.
        init: start of every factor, above 0, with init^depth (1 + s) < output.
        m, s: number of examples and strength of the shared feature, m s above 1.
        output: y f(x) of the training examples, 1 once all is fitted.

    Raises:
        ValueError: a start at or beyond the output.
    """
    if depth == 1:
        return output / (1 + m * s**2)
    start = init**depth
    if not 0 < start * (1 + s) < output:
        raise ValueError(f"factors that start at {init} give {start * (1 + s):g}; want less than output = {output}")

    def excess(log_a: float) -> float:
        return float(np.exp(log_a) + s * _shared_from_own(log_a, depth, start, m * s) - output)

    return float(np.exp(scipy.optimize.brentq(excess, np.log(start), np.log(output), xtol=1e-14)))


def product_coherence(depth: int, init: float, m: int = 4, s: float = 1.0, output: float = 1.0) -> float:
    """m-coherence of the gradients by the factors: own and shared parts count as w^(2 − 2/depth) of their weights."""
    own = own_weight(depth, init, m, s, output)
    weight, shared = (np.array([own, (output - own) / s]) ** (2 - 2 / depth)).tolist()
    return (weight + m * s**2 * shared) / (weight + s**2 * shared)


def on_l(formula: Callable[..., float], depth: int, init: ArrayLike, output: ArrayLike = 1.0) -> np.ndarray:
    """One of the two formulas on L (m = 4, s = 1) for many starts or outputs; NaN for a start at or beyond the output.

    Args:
        formula: `own_weight` or `product_coherence`.
        init, output: numbers or [n].
    """
    places = np.broadcast(init, output)
    return np.array([formula(depth, v, output=f) if depth == 1 or 2 * v**depth < f else np.nan for v, f in places])


def _shared_from_own(log_a: float, depth: int, start: float, ratio: float) -> float:
    """The shared weight b for an own weight a; a very large number where b would have run away."""
    if depth == 2:
        return float(np.exp(min(np.log(start) + ratio * (log_a - np.log(start)), 50.0)))
    power = 2 / depth - 1
    left = start**power + ratio * (np.exp(power * log_a) - start**power)
    return float(left ** (1 / power)) if left > 0 else 1e20
