"""Steps of gradient descent on a diagonal linear network, compiled: tens of thousands of steps of a few numbers."""

from __future__ import annotations

import numba
import numpy as np

_DIVERGED = 1e6  # a residual beyond this, where targets are of order one


@numba.njit(cache=True, fastmath={"reassoc", "contract"})
def descend(
    inputs: np.ndarray,
    targets: np.ndarray,
    u: np.ndarray,
    v: np.ndarray,
    rate: float,
    picks: np.ndarray,
    steps: int,
    annealed_at: int,
    annealed_by: float,
) -> bool:
    """Train ``u`` and ``v`` in place on half the squared error; False where that diverged.

    ``picks``: the examples of each step, [steps or fewer, batch]; where there are fewer they come again from the first.
    From step ``annealed_at`` on the learning rate is smaller by the factor ``annealed_by``.
    """
    width = len(u)
    gradient = np.empty(width)
    for step in range(steps):
        if step == annealed_at:
            rate = rate / annealed_by
        batch = picks[step % len(picks)]
        gradient[:] = 0.0
        for example in batch:
            residual = -targets[example]
            for k in range(width):
                residual += inputs[example, k] * u[k] * v[k]
            if not abs(residual) < _DIVERGED:
                return False
            scaled = residual / len(batch)
            for k in range(width):
                gradient[k] += scaled * inputs[example, k]
        for k in range(width):
            before = u[k]
            u[k] -= rate * gradient[k] * v[k]
            v[k] -= rate * gradient[k] * before
    return True
