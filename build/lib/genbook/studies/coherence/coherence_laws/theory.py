"""The laws as formulas: mini-batches, subsets, and the relatives of m-coherence under their own names."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def of_batches(alpha: ArrayLike, k: ArrayLike) -> np.ndarray:
    """α of averages of k independent gradients: k α / (1 + (k − 1) α) (Chatterjee and Zielinski 2020)."""
    alpha, k = np.asarray(alpha, dtype=float), np.asarray(k, dtype=float)
    return k * alpha / (1 + (k - 1) * alpha)


def of_subsets(m_coherence: ArrayLike, m: int, n: ArrayLike) -> np.ndarray:
    """m-coherence of n of the m examples, 1 + (n − 1) (m-coherence − 1) / (m − 1), by expectations over subsets."""
    return 1 + (np.asarray(n, dtype=float) - 1) * (np.asarray(m_coherence, dtype=float) - 1) / (m - 1)


def from_diversity(diversity: ArrayLike, m: int) -> np.ndarray:
    """m-coherence from gradient diversity Σ‖g_i‖² / ‖Σ g_i‖² (Yin et al. 2018): its inverse."""
    return 1 / np.asarray(diversity, dtype=float)


def from_noise_scale(scale: ArrayLike, m: int) -> np.ndarray:
    """m-coherence from the simple noise scale B = tr Cov / ‖ḡ‖² (McCandlish et al. 2018): m / (1 + B)."""
    return m / (1 + np.asarray(scale, dtype=float))


def from_signal_to_noise(ratio: ArrayLike, m: int) -> np.ndarray:
    """m-coherence from r = Σ_j mean² / Σ_j variance over the coordinates j (after Liu et al. 2020): m r / (1 + r)."""
    ratio = np.asarray(ratio, dtype=float)
    return m * ratio / (1 + ratio)
