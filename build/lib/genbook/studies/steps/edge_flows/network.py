"""A network of one hidden layer with one output: its squared loss, gradient and Hessian in closed form, in float64."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from genbook.base.seeding import INITIALISATION, TRAINING_SUBSET, generator
from genbook.studies.steps.edge_flows.spec import EdgeFlowsSpec

_DIFFERENCE = 1e-4  # along a unit vector, of a central difference of Hessians: exact to some 1e-8


@dataclass(frozen=True)
class Network:
    """f(x) = a·tanh(V x̃) + c on points x̃ = (x, 1) with labels ±1; parameters are V, a, c in one vector.

    Attributes:
        points: [n, inputs + 1], the last column ones.
        labels: [n].
        hidden: units.
    """

    points: np.ndarray
    labels: np.ndarray
    hidden: int

    def _forward(self, parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Activations [n, hidden], output weights [hidden], residuals [n]."""
        size = self.points.shape[1] * self.hidden
        activations = np.tanh(self.points @ parameters[:size].reshape(self.hidden, -1).T)
        outer = parameters[size:-1]
        return activations, outer, activations @ outer + parameters[-1] - self.labels

    def _jacobian(self, activations: np.ndarray, outer: np.ndarray) -> np.ndarray:
        slopes = (1 - activations**2) * outer
        inner = slopes[:, :, None] * self.points[:, None, :]
        n = len(self.points)
        return np.concatenate([inner.reshape(n, -1), activations, np.ones((n, 1))], axis=1)

    def loss(self, parameters: np.ndarray) -> float:
        """Mean squared residual."""
        return float(np.square(self._forward(parameters)[2]).mean())

    def gradient(self, parameters: np.ndarray) -> np.ndarray:
        """Of the loss, [P]."""
        activations, outer, residuals = self._forward(parameters)
        return 2 / len(residuals) * residuals @ self._jacobian(activations, outer)

    def hessian(self, parameters: np.ndarray) -> np.ndarray:
        """Of the loss, [P, P]."""
        activations, outer, residuals = self._forward(parameters)
        jacobian = self._jacobian(activations, outer)
        matrix = jacobian.T @ jacobian
        width, slopes = self.points.shape[1], 1 - activations**2
        bent = residuals[:, None] * outer * (-2 * activations * slopes)
        mixed = (residuals[:, None] * slopes).T @ self.points
        for unit in range(self.hidden):
            own = slice(unit * width, (unit + 1) * width)
            matrix[own, own] += (self.points * bent[:, unit, None]).T @ self.points
            place = self.hidden * width + unit
            matrix[own, place] += mixed[unit]
            matrix[place, own] += mixed[unit]
        return 2 / len(residuals) * matrix

    def turning(self, parameters: np.ndarray, directions: np.ndarray) -> np.ndarray:
        """∇(uᵢᵀ H uⱼ) for directions u [P, k] of length one, [k, k, P], by central differences of Hessians."""
        found = []
        for direction in directions.T:
            ahead, behind = (self.hessian(parameters + sign * _DIFFERENCE * direction) for sign in (1, -1))
            found.append(((ahead - behind) / (2 * _DIFFERENCE) @ directions).T)
        turned = np.stack(found)
        return (turned + turned.transpose(1, 0, 2)) / 2


def made(spec: EdgeFlowsSpec, seed: int) -> tuple[Network, np.ndarray]:
    """A seed's network on its points, whose label is the sign of a product of two inputs, and initial parameters."""
    points = generator(seed, TRAINING_SUBSET).standard_normal((spec.n_train, spec.inputs))
    draw = generator(seed, INITIALISATION)
    inner = np.zeros((spec.hidden, spec.inputs + 1))
    inner[:, :-1] = draw.standard_normal((spec.hidden, spec.inputs)) / np.sqrt(spec.inputs)
    outer = draw.standard_normal(spec.hidden) / np.sqrt(spec.hidden)
    labels = np.sign(points[:, 0] * points[:, 1])
    with_ones = np.concatenate([points, np.ones((spec.n_train, 1))], axis=1)
    return Network(with_ones, labels, spec.hidden), np.concatenate([inner.ravel(), outer, [0.0]])
