"""Three kinds of degeneracy of an MLP with ReLUs, counted, and the directions in which its outputs do not change.

A network is its layers (`genbook.studies.landscape.shared.Layers`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.sparse.csgraph import connected_components

from genbook.studies.landscape.shared import Layers


def activations(layers: Layers, inputs: np.ndarray) -> list[np.ndarray]:
    """What each layer is given, [n, in] each: the inputs, then the hidden units' outputs."""
    given = [inputs]
    for layer in layers[:-1]:
        given.append(np.maximum(given[-1] @ layer[:, 1:].T + layer[:, 0], 0))
    return given


def jacobians(layers: Layers, given: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Derivatives of the outputs by what each layer puts out before its ReLU, [n, classes, out] each."""
    n, classes = len(given[0]), len(layers[-1])
    found = [np.broadcast_to(np.eye(classes), (n, classes, classes))]
    for layer, units in zip(layers[:0:-1], given[:0:-1], strict=True):
        found.append((found[-1] @ layer[:, 1:]) * (units > 0)[:, None, :])
    return found[::-1]


def backwards(layers: Layers, given: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Derivatives of the outputs by each hidden layer's units, after their ReLU: [n, classes, units] each."""
    return [later @ layer[:, 1:] for later, layer in zip(jacobians(layers, given)[1:], layers[1:], strict=True)]


def rank(rows: np.ndarray, threshold: float) -> int:
    """How many eigenvalues the Gram matrix of rows [m, units] has above a fraction of its largest; 0 of zeros."""
    return above(np.linalg.eigvalsh(rows.T @ rows), threshold)


def above(eigenvalues: np.ndarray, threshold: float) -> int:
    """How many eigenvalues lie above a fraction of the largest; 0 where none is positive."""
    return int((eigenvalues > threshold * max(eigenvalues.max(), 0)).sum()) if eigenvalues.max() > 0 else 0


def firing_alike(units: np.ndarray, apart: float) -> int:
    """How many units [n, units] could be spared if of all that fire on the same examples one were left.

    Two fire on the same where they differ on at most a fraction ``apart`` of the examples; what is joined by a chain of
    such pairs is one set. Units that never fire are one set too, and so are those that always do.
    """
    fires = (units > 0).astype(float)
    differ = fires.T @ (1 - fires)
    count, _ = connected_components(differ + differ.T <= apart * len(units), directed=False)
    return units.shape[1] - int(count)


def behaviour(layers: Layers, given: Sequence[np.ndarray]) -> np.ndarray:
    """Eigenvalues of the Hessian of the outputs' mean squared change at the network, as many as n · classes, ascending.

    With J the derivatives of all outputs of n examples by all parameters, that Hessian is JᵀJ / n up to a factor, whose
    eigenvalues but for zeros are those of JJᵀ / n. All other directions change no output at first order.
    """
    n, total = len(given[0]), 0
    for units, change in zip(given, jacobians(layers, given), strict=True):
        by_parameters = units @ units.T + 1  # of the layer's weights and biases
        flat = change.reshape(-1, change.shape[2])
        total = total + (flat @ flat.T) * np.repeat(np.repeat(by_parameters, change.shape[1], 0), change.shape[1], 1)
    return np.linalg.eigvalsh(total / n)
