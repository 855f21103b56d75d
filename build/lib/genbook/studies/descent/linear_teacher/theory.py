"""The linear student's error as integrals over the Marchenko-Pastur law, and the limits that can be written down.

Inputs x in R^N have independent entries of variance 1/N; P = αN of them. The teacher's weights have variance σ_w², the
noise on its answers σ_ε², the student's initial weights σ_0². With SNR = σ_w²/σ_ε² and INR = σ_0²/σ_w², all errors here
are in units of σ_ε², and time is learning rate times number of steps of gradient descent on ½‖y − Xw‖² + ½γ‖w‖²
(Advani, Saxe and Sompolinsky 2020, whose signs these are; the formulas are derived in the chapter).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from genbook.studies.descent.linear_teacher.spec import LinearTeacherSpec

#: Nodes of the quadrature over the bulk, which lie closest where the eigenvalues are smallest.
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(600)


def bulk(ratio: float) -> tuple[np.ndarray, np.ndarray]:
    """Nodes λ and weights of an integral over the nonzero eigenvalues of XᵀX; the weights sum to min(α, 1).

    With λ = 1 + α − 2√α cos φ the density is 2α sin²φ / (πλ) dφ for φ in (0, π), smooth for every α, and φ = πs³ puts
    the nodes where λ is least.
    """
    if ratio <= 0:
        raise ValueError(f"the number of samples per parameter is above 0, got {ratio}")
    s = (_NODES + 1) / 2
    phi = np.pi * s**3
    # 1 + α − 2√α cos φ without the cancellation at small φ
    eigenvalues = (1 - np.sqrt(ratio)) ** 2 + 4 * np.sqrt(ratio) * np.sin(phi / 2) ** 2
    density = 2 * ratio * np.sin(phi) ** 2 / (np.pi * eigenvalues)
    return eigenvalues, density * 3 * np.pi * s**2 * _WEIGHTS / 2


def average(ratio: float, function: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Mean of ``function`` over all eigenvalues of XᵀX, the fraction max(0, 1 − α) of zeros included.

    ``function``: from eigenvalues [n] to values [..., n].
    """
    eigenvalues, weights = bulk(ratio)
    zeros = max(0.0, 1 - ratio)
    return function(eigenvalues) @ weights + (zeros * function(np.zeros(1))[..., 0] if zeros else 0.0)


def generalization_error(
    ratio: float, times: ArrayLike, snr: float, inr: float = 0.0, decay: float = 0.0
) -> np.ndarray:
    """Test error at each time [n], in units of the noise: 1 + mean over the eigenvalues of what each mode costs.

    A mode with eigenvalue λ has come f = λ/(λ+γ) · (1 − e^{−(λ+γ)t}) of its way to the teacher, and costs
    SNR (1 − f)² + f²/λ, and SNR·INR·e^{−2(λ+γ)t} for what is left of the initial weights. ``decay`` is γ.
    """
    times = np.atleast_1d(np.asarray(times, dtype=float))[:, None]

    def cost(eigenvalues: np.ndarray) -> np.ndarray:
        rate = eigenvalues + decay
        left = np.exp(-rate * times)
        # f/λ: at λ = 0 it tends to (1 − e^{−γt})/γ, or to t
        gain = np.where(rate > 0, -np.expm1(-rate * times) / np.where(rate > 0, rate, 1), times)
        return snr * (1 - eigenvalues * gain) ** 2 + eigenvalues * gain**2 + snr * inr * left**2

    return 1 + average(ratio, cost)


def student_error(spec: LinearTeacherSpec, ratio: float, times: ArrayLike, inr: float | None = None) -> np.ndarray:
    """`generalization_error` of the study's students, by default of those that start small."""
    inr = spec.small_start if inr is None else inr
    return generalization_error(ratio, times, spec.snr, inr, spec.weight_decay)


def training_error(ratio: float, times: ArrayLike, snr: float, inr: float = 0.0) -> np.ndarray:
    """Mean squared residual of the training examples at each time [n], in units of the noise, without decay.

    Each mode's residual has variance (λ SNR (1 + INR) + 1) e^{−2λt}; the P − N directions that no weight reaches keep
    the noise.
    """
    times = np.atleast_1d(np.asarray(times, dtype=float))[:, None]
    eigenvalues, weights = bulk(ratio)
    residual = (eigenvalues * snr * (1 + inr) + 1) * np.exp(-2 * eigenvalues * times)
    return residual @ weights / ratio + max(0.0, 1 - 1 / ratio)


def resolvent(ratio: ArrayLike, ridge: ArrayLike) -> np.ndarray:
    """g(γ), the mean of 1/(λ + γ): the positive root of γg² + (γ + α − 1)g − 1 = 0 (Marchenko and Pastur 1967)."""
    ratio, ridge = np.asarray(ratio, dtype=float), np.asarray(ridge, dtype=float)
    b = ridge + ratio - 1
    return 2 / (b + np.sqrt(b**2 + 4 * ridge))


def ridge_error(ratio: ArrayLike, ridge: ArrayLike, snr: float) -> np.ndarray:
    """Test error of ridge regression, in units of the noise: 1 + g + (γ SNR − 1) γ h with h = −g′(γ).

    Its derivative in γ has the sign of γ SNR − 1 mode by mode, so the best ridge is 1/SNR for every α.
    """
    ridge = np.asarray(ridge, dtype=float)
    g = resolvent(ratio, ridge)
    # from the derivative of the quadratic equation for g
    h = g * (1 + g) / (2 * ridge * g + ridge + np.asarray(ratio, dtype=float) - 1)
    return 1 + g + (ridge * snr - 1) * ridge * h


def finite_excess(beyond: ArrayLike) -> np.ndarray:
    """What noise adds in the end with P − N = ``beyond`` (> 1) more samples, over N/(P − N), as at infinite size.

    For Gaussian inputs the mean of (1/N) Σ 1/λ is N/(P − N − 1), that of an inverse Wishart matrix, whatever N is.
    """
    beyond = np.asarray(beyond, dtype=float)
    return beyond / (beyond - 1)


def root_law(times: ArrayLike) -> np.ndarray:
    """What noise adds to the test error at α = 1 as time grows: (4/√π)(1 − 1/√2) √t.

    There the density is 1/(π√λ) at small λ, and ∫ (1 − e^{−λt})²/λ · dλ/(π√λ) is this exactly.
    """
    return 4 / np.sqrt(np.pi) * (1 - 1 / np.sqrt(2)) * np.sqrt(np.asarray(times, dtype=float))
