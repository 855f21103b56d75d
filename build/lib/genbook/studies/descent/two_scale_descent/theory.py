"""The two-scale student's error under gradient descent, expected over inputs, teacher and noise, for large sizes.

There are n inputs x = Σ^½ z with z in R^d of independent entries of variance 1; the eigenvalues of Σ, the features'
variances s, take two values. With Σ̂ = XᵀX/n and the resolvent Q(ζ) = (Σ̂ − ζ)⁻¹, gradient flow from zero has at time t
the error

    wᵀ Σ^-½ e^(−tΣ̂) Σ e^(−tΣ̂) Σ^-½ w  +  (σ²/n) tr Σ h(Σ̂),    h(λ) = (1 − e^(−tλ))²/λ;

gradient descent has (1 − ηλ)^T in the place of e^(−tλ). Both functions are entire, so Cauchy's formula turns them into
integrals of Q over contours around the spectrum. For large n and d, Q tends to (aΣ − ζ)⁻¹ and Q(ζ)ΣQ(ζ') to
(aΣ − ζ)⁻¹ Σ (a'Σ − ζ')⁻¹ / (1 − aa' tr Σ(aΣ − ζ)⁻¹Σ(a'Σ − ζ')⁻¹ / n), where a = 1/(1 + δ) and δ = tr ΣQ / n.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from genbook.studies.descent.two_scale_descent.spec import TwoScaleDescentSpec

#: Nodes of a contour; how far beyond the spectrum the two contours reach in log ζ, and to which angle of ζ.
_NODES = 240
_BEYOND, _ANGLES = (0.3, 0.6), (0.55, 1.1)


class Scales(NamedTuple):
    """The features in groups: variances s as the student sees them, how many there are, what the teacher has there.

    ``weight``: the expected sum of the teacher's squared weights in each group.
    """

    variance: np.ndarray
    count: np.ndarray
    weight: np.ndarray


def scales(spec: TwoScaleDescentSpec, own_rates: bool = False) -> Scales:
    """The study's two scales; with a rate for each, the fast features are slowed down to the pace of the slow ones.

    The teacher's weights are 1/d each on average where they are as large on slow features as on fast ones.
    """
    count = np.array([spec.fast, spec.slow], dtype=float)
    slowest = 1 / spec.kappa
    return Scales(
        np.array([slowest if own_rates else 1.0, slowest]), count, count * [1, spec.slow_weight] / count.sum()
    )


def error(
    scales: Scales, examples: int, noise: float, steps: ArrayLike, learning_rate: float | None = None
) -> np.ndarray:
    """Expected squared error [n] on noiseless answers: what is not yet learned, and noise that is; see `parts`."""
    unlearned, learned = parts(scales, examples, steps, learning_rate)
    return unlearned + noise**2 * learned


def parts(
    scales: Scales, examples: int, steps: ArrayLike, learning_rate: float | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The expected error without noise, and what noise of variance 1 adds to it, after each number of ``steps`` [n].

    Without a ``learning_rate``, ``steps`` are times of gradient flow.

    Raises:
        ValueError: not more examples than features, where the spectrum has zeros that the contours do not enclose.
    """
    if examples <= scales.count.sum():
        raise ValueError(f"want more examples than features, got {examples} for {scales.count.sum()}")
    t = np.atleast_1d(np.asarray(steps, dtype=float))[:, None]
    (z1, weight1), (z2, weight2) = (_contour(scales, examples, which) for which in (0, 1))
    delta1, delta2 = (stieltjes(scales, examples, z) for z in (z1, z2))
    rates = [z if learning_rate is None else -np.log(1 - learning_rate * z) for z in (z1, z2)]
    flow1, flow2 = (np.exp(-t * rate) * weight for rate, weight in zip(rates, (weight1, weight2), strict=True))
    a1, a2 = 1 / (1 + delta1), 1 / (1 + delta2)
    # [groups, nodes]: the diagonal of the resolvent's equivalent
    q1, q2 = (1 / (a * scales.variance[:, None] - z) for a, z in ((a1, z1), (a2, z2)))
    pairs = np.einsum("k,ki,kj->ij", scales.variance**2 * scales.count / examples, q1, q2)
    kernel = np.einsum("k,ki,kj->ij", scales.weight, q1, q2) / (1 - np.outer(a1, a2) * pairs)
    unlearned = np.einsum("ti,ij,tj->t", flow1, kernel, flow2, optimize=True)
    gained = -(np.expm1(-t * rates[1]) ** 2 / z2 * weight2) @ delta2
    return unlearned.real, gained.real


def stieltjes(scales: Scales, examples: int, z: np.ndarray) -> np.ndarray:
    """δ(ζ) = (1/n) tr ΣQ(ζ) for large sizes: the solution of δ = (1/n) Σ s / (s/(1 + δ) − ζ) that is 0 at infinity."""
    variance, count = scales.variance[:, None], scales.count[:, None] / examples
    delta = -(count * variance).sum() / z
    for _ in range(20_000):
        new = (count * variance / (variance / (1 + delta) - z)).sum(0)
        step = new - delta
        delta = delta + step / 2  # half steps: full ones swing next to the spectrum
        if np.abs(step).max() < 1e-13 * np.abs(delta).max():
            break
    return delta


def _contour(scales: Scales, examples: int, which: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes ζ and weights dζ/(2πi), counterclockwise around the spectrum: an ellipse in log ζ, away from zero."""
    root = np.sqrt(scales.count.sum() / examples)
    low = np.log(scales.variance.min() * (1 - root) ** 2) - _BEYOND[which]
    high = np.log(scales.variance.max() * (1 + root) ** 2) + _BEYOND[which]
    phi = 2 * np.pi * (np.arange(_NODES) + 0.5) / _NODES
    z = np.exp((low + high) / 2 + (high - low) / 2 * np.cos(phi) + 1j * _ANGLES[which] * np.sin(phi))
    slope = z * (-(high - low) / 2 * np.sin(phi) + 1j * _ANGLES[which] * np.cos(phi))
    return z, slope / (1j * _NODES)
