"""The convex problem: signed points, losses of their margins, and the weights with the least loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from scipy.optimize import linprog, minimize
from scipy.special import expit

from genbook import data
from genbook.base.seeding import CORRUPTION, INITIALISATION, generator
from genbook.studies.batches.learning_rate_schedules.spec import LearningRateSchedulesSpec

_Function = Callable[[np.ndarray], np.ndarray]
#: Of margins: the loss of an example, and its derivative (at the hinge's corner one of its subderivatives).
LOSSES: Mapping[str, tuple[_Function, _Function]] = {
    "hinge": (lambda margins: np.maximum(0, 1 - margins), lambda margins: -(margins < 1).astype(float)),
    "logistic": (lambda margins: np.logaddexp(0, -margins), lambda margins: -expit(-margins)),
}


def signed_points(spec: LearningRateSchedulesSpec, seed: int) -> np.ndarray:
    """y_i x_i, [n_train, features], and their order of drawing where it is sorted: first all of the one label.

    x are random projections of the standardised images, scaled to a mean square length of 1; y tells whether the class
    is of the second half, and is turned for a fraction of the examples.
    """
    images = data.split(data.load(spec.dataset), seed, spec.n_train, flat=True).train
    inputs = images.inputs.numpy().astype(float)
    inputs = inputs @ generator(seed, INITIALISATION).standard_normal((inputs.shape[1], spec.features))
    inputs /= np.sqrt((inputs**2).sum(1).mean())
    labels = np.where(images.labels.numpy() < data.N_CLASSES // 2, -1.0, 1.0)
    labels[generator(seed, CORRUPTION).random(len(labels)) < spec.noise] *= -1
    return (labels[:, None] * inputs)[np.argsort(labels, kind="stable")]


def best_weights(points: np.ndarray, loss: str) -> np.ndarray:
    """Weights with the least mean loss: of the hinge by a linear programme, of the logistic loss by L-BFGS."""
    n, features = points.shape
    if loss == "hinge":  # over weights w and slacks s ≥ 0 with s ≥ 1 − margin: the least mean of s
        costs = np.append(np.zeros(features), np.full(n, 1 / n))
        bounds = [(None, None)] * features + [(0, None)] * n
        return linprog(costs, np.hstack([-points, -np.eye(n)]), -np.ones(n), bounds=bounds).x[:features]
    value, slope = LOSSES[loss]

    def mean_loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        margins = points @ weights
        return value(margins).mean(), slope(margins) @ points / n

    return minimize(mean_loss, np.zeros(features), jac=True, method="L-BFGS-B", options={"maxiter": 10**4}).x
