"""The random walk that noise makes of the weights, and when it has come as far as a good start."""

from __future__ import annotations

import numpy as np

from genbook.base.recipes import GradientNoise


def weight_variance(scale: float, width: int, learning_rate: float, noise: GradientNoise, steps: int) -> np.ndarray:
    """Variance of a hidden weight after 0, 1, ..., ``steps`` steps on which noise is all the gradient there is.

    Args:
        scale: multiple of PyTorch's default first weights, which are uniform on ±1/√width.
        width: units of the hidden layers.
        learning_rate: of plain gradient descent.
        noise: what is added to the gradient.
        steps: how many.

    Returns:
        [steps + 1] scale²/(3 width) + learning_rate² Σ η / (1 + s)^γ.
    """
    drawn = np.array([noise.deviation(step) ** 2 for step in range(steps)])
    return scale**2 / (3 * width) + learning_rate**2 * np.concatenate([[0.0], np.cumsum(drawn)])


def awakening(scale: float, width: int, learning_rate: float, noise: GradientNoise, steps: int) -> int | None:
    """The first step at which this is 2/width, with which ReLU layers keep a signal (He et al.); None if none is."""
    enough = np.flatnonzero(weight_variance(scale, width, learning_rate, noise, steps) >= 2 / width)
    return int(enough[0]) if len(enough) else None
