"""Gradient descent on a patch network, step by step in float64."""

from __future__ import annotations

import numba
import numpy as np

#: An orbit whose output passes this has escaped.
_ESCAPED = 1e6


@numba.njit(cache=True, fastmath={"reassoc", "contract"})
def descend(
    weights: np.ndarray,
    patches: np.ndarray,
    labels: np.ndarray,
    order: np.ndarray,
    rates: np.ndarray,
    snapshots: np.ndarray,
    every: int,
) -> tuple[np.ndarray, int]:
    """Take ``len(order)`` steps on the mean of (f − y)² from ``weights``, in place; f = F₊ − F₋ is a patch network.

    Args:
        weights: [2m, d] of squared-ReLU units, the first m with output 1/m, the others with −1/m.
        patches: [n, P, d].
        labels: [n], ±1.
        order: [T, B], the examples of each step.
        rates: [T], the learning rate η of each step.
        snapshots: [K, 2m, d], to be filled with the weights after every ``every`` steps.
        every: steps between two snapshots.

    Returns:
        y f of each step's examples before the step, [T, B] (NaN after an escape), and the steps taken.
    """
    units, dimension = weights.shape
    half = units // 2
    steps, batch = order.shape
    margins = np.full((steps, batch), np.nan)
    change = np.zeros((units, dimension))
    hidden = np.zeros((patches.shape[1], units))
    for t in range(steps):
        change[:] = 0.0
        for b in range(batch):
            x, y = patches[order[t, b]], labels[order[t, b]]
            output = 0.0
            for k in range(units):
                for p in range(x.shape[0]):
                    z = 0.0
                    for i in range(dimension):
                        z += weights[k, i] * x[p, i]
                    hidden[p, k] = max(z, 0.0)
                    output += (1.0 if k < half else -1.0) / half * hidden[p, k] ** 2
            margins[t, b] = y * output
            if not abs(output) < _ESCAPED:
                return margins, t
            pull = 4.0 * rates[t] * (y - output) / (half * batch)
            for k in range(units):
                for p in range(x.shape[0]):
                    if hidden[p, k] > 0.0:
                        amount = pull * hidden[p, k] * (1.0 if k < half else -1.0)
                        for i in range(dimension):
                            change[k, i] += amount * x[p, i]
        weights += change
        if (t + 1) % every == 0:
            snapshots[(t + 1) // every - 1] = weights
    return margins, steps
