"""Flows that stand for gradient descent at learning rate η, in units of time of one step each.

Gradient flow: dw/dt = -η ∇L. Central flow (Cohen et al., 2025): gradient flow with a force against the sharpness that
the oscillation exerts, dw/dt = -η (∇L + ½ ∇⟨H, Σ⟩), where the covariance Σ of the oscillation lives on the eigenvectors
of H whose eigenvalues are at 2/η, and is what keeps them from passing it: a semidefinite complementarity problem,
discretised as in the authors' minimal program. Rod flow (Regis and Chewi, 2026): the middle of two iterates and the
square Σ of their half-difference δ, which see the loss at both ends of the rod; where Σ has more than one direction,
δ is here its largest. Edge flow (Marion, 2026): a centre, a direction u and a magnitude ρ of the oscillation. The
centre follows the gradient of the loss averaged over both ends, u turns to a top eigenvector as the Rayleigh quotient's
flow does, and ρ grows at the rate ηuᵀHu - 2: the system that the paper's abstract describes, with rates of our choice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from genbook.studies.steps.edge_flows.network import Network
from genbook.studies.steps.edge_flows.spec import EdgeFlowsSpec

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


@dataclass
class Counted:
    """A network whose evaluations are counted.

    Attributes:
        network: what is evaluated.
        gradients: what that has cost so far, in gradients: a Hessian times a vector costs two, a Hessian one such
            product for each parameter.
    """

    network: Network
    gradients: int = 0

    def gradient(self, w: np.ndarray) -> np.ndarray:
        """Of the loss, [P]."""
        self.gradients += 1
        return self.network.gradient(w)

    def product(self, w: np.ndarray, vector: np.ndarray) -> np.ndarray:
        """The Hessian of the loss times a vector, [P]."""
        self.gradients += 2
        return self.network.hessian(w) @ vector

    def hessian(self, w: np.ndarray) -> np.ndarray:
        """Of the loss, [P, P]."""
        self.gradients += 2 * len(w)
        return self.network.hessian(w)

    def turning(self, w: np.ndarray, directions: np.ndarray) -> np.ndarray:
        """Derivatives of the Hessian between directions [P, k], [k, k, P]: two Hessians for each of them."""
        self.gradients += directions.shape[1] * 4 * len(w)
        return self.network.turning(w, directions)


def central_substep(network: Counted, w: np.ndarray, rate: float, dt: float, threshold: float) -> np.ndarray:
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


def rod_substep(network: Counted, middle: np.ndarray, square: np.ndarray, rate: float, dt: float) -> Any:
    """The rod's middle [P] and the square of its half-length [P, P] after the time ``dt``."""
    values, vectors = np.linalg.eigh(square)
    half = np.sqrt(max(values[-1], 0.0)) * vectors[:, -1]
    ends = middle + half, middle - half
    gradients = [network.gradient(end) for end in ends]
    summed = gradients[0] + gradients[1]
    bent = sum(network.product(end, summed) for end in ends)
    grown = rate**2 / 4 * sum(np.outer(gradient, gradient) for gradient in gradients) - 2 * square
    return middle + dt * (-rate / 2 * summed - rate**2 / 8 * bent), square + dt * grown


def edge_substep(
    network: Counted, centre: np.ndarray, direction: np.ndarray, magnitude: float, rate: float, dt: float, turns: float
) -> tuple[np.ndarray, np.ndarray, float]:
    """Edge flow's centre [P], direction [P] of length one and magnitude after the time ``dt``."""
    pulled = network.product(centre, direction)
    curvature = float(direction @ pulled)
    ends = centre + magnitude * direction, centre - magnitude * direction
    moving = -rate / 2 * (network.gradient(ends[0]) + network.gradient(ends[1]))
    turned = direction + dt * turns * rate * (pulled - curvature * direction)
    grown = magnitude * float(np.exp(dt * (rate * curvature - 2)))
    return centre + dt * moving, turned / np.linalg.norm(turned), grown


@dataclass(frozen=True)
class Course:
    """Where descent or a flow is after each step, and what that has cost.

    Attributes:
        path: [steps, P]; of descent, the midpoints of two iterates.
        gradients: spent until then, [steps].
    """

    path: np.ndarray
    gradients: np.ndarray


def _descent(network: Network, w: np.ndarray, rate: float, steps: int) -> tuple[np.ndarray, Course]:
    """All iterates of descent, [steps + 1, P], and the course of its midpoints."""
    iterates = [w]
    for _ in range(steps):
        iterates.append(iterates[-1] - rate * network.gradient(iterates[-1]))
    found = np.stack(iterates)
    return found, Course((found[1:] + found[:-1]) / 2, np.arange(1, steps + 1))


def courses(network: Network, w: np.ndarray, rate: float, spec: EdgeFlowsSpec) -> dict[str, Course]:
    """The courses of descent from ``w`` and of the flows, which begin at its first midpoint, by name."""
    iterates, descent = _descent(network, w, rate, spec.steps)
    begun, half = descent.path[0], (iterates[1] - iterates[0]) / 2
    length, dt = float(np.linalg.norm(half)), 1 / spec.substeps
    # The state of each flow, whose first part is where it is, and the state after a part of a step.
    flows: dict[str, tuple[tuple[Any, ...], Any]] = {
        "gradient flow": ((begun,), lambda net, at: (at - dt * rate * net.gradient(at),)),
        "central flow": ((begun,), lambda net, at: (central_substep(net, at, rate, dt, spec.threshold),)),
        "rod flow": (
            (begun, np.outer(half, half)),
            lambda net, middle, square: rod_substep(net, middle, square, rate, dt),
        ),
        "edge flow": (
            (begun, half / length, length),
            lambda net, *state: edge_substep(net, *state, rate=rate, dt=dt, turns=spec.turns),
        ),
    }
    found = {"descent": descent}
    for name, (state, substep) in flows.items():
        counted = Counted(network)
        path, spent = [state[0]], [0]
        for _ in range(spec.steps - 1):
            for _ in range(spec.substeps):
                state = substep(counted, *state)
            path.append(state[0])
            spent.append(counted.gradients)
        found[name] = Course(np.stack(path), np.array(spent))
    return found
