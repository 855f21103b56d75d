"""Flows that stand for gradient descent at learning rate η, in units of time of one step each.

Gradient flow: dw/dt = -η ∇L. Central flow (Cohen et al., 2025): gradient flow with a force against the sharpness that
the oscillation exerts, dw/dt = -η (∇L + ½ ∇⟨H, Σ⟩), where the covariance Σ of the oscillation lives on the eigenvectors
of H whose eigenvalues are at 2/η, and is what keeps them from passing it: a semidefinite complementarity problem,
discretised as in the authors' minimal program. Rod flow (Regis and Chewi, 2026): the middle of two iterates and the
square Σ of their half-difference δ, which see the loss at both ends of the rod; where Σ has more than one direction,
δ is here its largest.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from genbook.studies.steps.edge_flows.network import Network

_MOST = 500  # iterations of the complementarity problem
_CLOSE = 1e-12  # relative change at which it is solved


def complementary(slack: np.ndarray, effect: np.ndarray) -> np.ndarray:
    """The X ⪰ 0 with slack + effect[X] ⪰ 0 and ⟨X, slack + effect[X]⟩ = 0, for a positive semidefinite effect.

    It minimises ½⟨X, effect[X]⟩ + ⟨slack, X⟩ over X ⪰ 0: accelerated projected gradient descent (Beck and Teboulle,
    2009).

    Args:
        slack: [k, k], symmetric.
        effect: [k, k, k, k], from the last two axes to the first two.
    """
    k = len(slack)
    if np.linalg.eigvalsh(slack)[0] >= 0:
        return np.zeros((k, k))
    matrix = effect.reshape(k * k, k * k)
    steepest = np.linalg.eigvalsh((matrix + matrix.T) / 2)[-1]
    solution = ahead = np.zeros((k, k))
    momentum = 1.0
    for _ in range(_MOST):
        moved = ahead - (slack + (matrix @ ahead.ravel()).reshape(k, k)) / steepest
        values, vectors = np.linalg.eigh((moved + moved.T) / 2)
        new = (vectors * np.maximum(values, 0)) @ vectors.T
        following = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        ahead, change = new + (momentum - 1) / following * (new - solution), np.abs(new - solution).max()
        solution, momentum = new, following
        if change <= _CLOSE * np.abs(solution).max():
            break
    return solution


def central_substep(network: Network, w: np.ndarray, rate: float, dt: float, threshold: float) -> np.ndarray:
    """The central flow's weights after the time ``dt``."""
    moving = -rate * network.gradient(w)
    values, vectors = np.linalg.eigh(network.hessian(w))
    critical = values > threshold / rate
    if not critical.any():
        return w + dt * moving
    turning = network.turning(w, vectors[:, critical])
    k = int(critical.sum())
    slack = 2 / rate * np.eye(k) - np.diag(values[critical]) - dt * turning @ moving
    effect = dt * rate / 2 * np.einsum("ijp,klp->ijkl", turning, turning)
    force = np.einsum("ijp,ij->p", turning, complementary(slack, effect))
    return w + dt * (moving - rate / 2 * force)


def rod_substep(network: Network, middle: np.ndarray, square: np.ndarray, rate: float, dt: float) -> Any:
    """The rod's middle [P] and the square of its half-length [P, P] after the time ``dt``."""
    values, vectors = np.linalg.eigh(square)
    half = np.sqrt(max(values[-1], 0.0)) * vectors[:, -1]
    ends = middle + half, middle - half
    gradients = [network.gradient(end) for end in ends]
    summed = gradients[0] + gradients[1]
    bent = sum(network.hessian(end) @ summed for end in ends)
    grown = rate**2 / 4 * sum(np.outer(gradient, gradient) for gradient in gradients) - 2 * square
    return middle + dt * (-rate / 2 * summed - rate**2 / 8 * bent), square + dt * grown


def courses(network: Network, w: np.ndarray, rate: float, steps: int, substeps: int, threshold: float) -> Any:
    """Descent's midpoints of two iterates and what the flows are at the same times: by name, [steps, P].

    The flows begin at the first midpoint.
    """
    descent = [w]
    for _ in range(steps):
        descent.append(descent[-1] - rate * network.gradient(descent[-1]))
    iterates = np.stack(descent)
    begun = (iterates[0] + iterates[1]) / 2
    dt = 1 / substeps
    flows: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "gradient flow": lambda at: at - dt * rate * network.gradient(at),
        "central flow": lambda at: central_substep(network, at, rate, dt, threshold),
    }
    found = {"descent": (iterates[1:] + iterates[:-1]) / 2}
    for name, substep in flows.items():
        path = [begun]
        for _ in range(steps - 1):
            at = path[-1]
            for _ in range(substeps):
                at = substep(at)
            path.append(at)
        found[name] = np.stack(path)
    half = (iterates[1] - iterates[0]) / 2
    rod = [(begun, np.outer(half, half))]
    for _ in range(steps - 1):
        state = rod[-1]
        for _ in range(substeps):
            state = rod_substep(network, *state, rate, dt)
        rod.append(state)
    found["rod flow"] = np.stack([middle for middle, _ in rod])
    return found
