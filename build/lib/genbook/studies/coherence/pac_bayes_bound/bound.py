"""The PAC-Bayes bound of Dziugaite and Roy (2017), after Langford and Caruana (2001), term by term.

With probability 1 − δ over n examples, for every Gaussian posterior Q = N(w, diag σ²) at once and every prior
P = N(w₀, λ I) with λ = c exp(−j/b), j = 1, 2, …,

    kl(ê(Q) ‖ e(Q)) ≤ (KL(Q ‖ P) + 2 ln j + ln(π² n / (6 δ))) / (n − 1),

with ê and e the error of the stochastic network on the examples and on fresh ones, and kl the divergence of two coins.
δ is divided among the priors in the proportions 6 / (π² j²), which sum to one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

PRECISION, LARGEST = 100.0, 1.0  # b and c: how fine the priors' variances are, and the largest


def divergence(
    means: Sequence[Tensor], log_stds: Sequence[Tensor], centres: Sequence[Tensor], log_variance: Tensor
) -> Tensor:
    """KL(Q ‖ P) of diagonal Gaussians, in nats, [R].

    Args:
        means, log_stds: of the posterior, layer by layer, [R, inputs, outputs]. centres: of the prior.
        log_variance: ln λ of the prior, [R].
    """
    layers = zip(means, log_stds, centres, strict=True)
    squares = torch.stack([((w - w0).square() + (2 * s).exp()).sum((1, 2)) for w, s, w0 in layers]).sum(0)
    logs = torch.stack([2 * s.sum((1, 2)) for s in log_stds]).sum(0)
    count = sum(w[0].numel() for w in means)
    return (squares * torch.exp(-log_variance) - count + count * log_variance - logs) / 2


def prior_index(log_variance: Tensor) -> Tensor:
    """J = b ln(c/λ), the place of a prior among all of them; at least 1."""
    return (PRECISION * (math.log(LARGEST) - log_variance)).clamp_min(1.0)


def prior_log_variance(index: Tensor) -> Tensor:
    """Ln λ of the prior at a place."""
    return math.log(LARGEST) - index / PRECISION


def budget(divergences: Tensor, index: Tensor, n: int, delta: float) -> Tensor:
    """The right-hand side: how far error and training error may be apart, in nats an example."""
    return (divergences + 2 * torch.log(index) + math.log(math.pi**2 * n / (6 * delta))) / (n - 1)


def coin_divergence(q: ArrayLike, p: ArrayLike) -> np.ndarray:
    """Kl(q ‖ p) = q ln(q/p) + (1−q) ln((1−q)/(1−p)), in nats; 0 ln 0 = 0."""
    q, p = np.broadcast_arrays(np.asarray(q, dtype=float), np.asarray(p, dtype=float))
    with np.errstate(divide="ignore", invalid="ignore"):
        heads = np.where(q > 0, q * np.log(q / p), 0.0)
        tails = np.where(q < 1, (1 - q) * np.log((1 - q) / (1 - p)), 0.0)
    return heads + tails


def largest_error(observed: ArrayLike, budgets: ArrayLike) -> np.ndarray:
    """The largest p with kl(observed ‖ p) ≤ budget, by bisection: where kl is inverted, from above."""
    low, budgets = np.broadcast_arrays(np.asarray(observed, dtype=float), np.asarray(budgets, dtype=float))
    low, high = low.copy(), np.ones(low.shape)
    observed = low.copy()
    for _ in range(60):
        middle = (low + high) / 2
        within = coin_divergence(observed, middle) <= budgets
        low, high = np.where(within, middle, low), np.where(within, high, middle)
    return high


def error_bound(observed: ArrayLike, draws: int, budgets: ArrayLike, delta_draws: float) -> np.ndarray:
    """The bound on e(Q) from the fraction of ``draws`` independent answers, spread evenly over the examples, that err.

    The draws themselves bound ê(Q) with probability 1 − δ' by Chernoff's bound; then ê(Q) bounds e(Q).
    """
    on_training = largest_error(observed, math.log(2 / delta_draws) / draws)
    return largest_error(on_training, budgets)
