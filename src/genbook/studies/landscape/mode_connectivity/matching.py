"""Weight matching: the order of one network's hidden units in which it is nearest to another network.

A network is its layers (`genbook.studies.landscape.shared.Layers`); the units of all
layers but the last can be put in another order, and the network computes the same.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

from genbook.studies.landscape.shared import Layers

#: Gains below this fraction of the networks' product are rounding, and end the search.
_ROUNDING = 1e-10


def permuted(layers: Layers, orders: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The network with its hidden units in other orders: place k of hidden layer l gets unit ``orders[l][k]``."""
    moved = [layer[order] for layer, order in zip(layers, orders, strict=False)] + [layers[-1]]
    for at, order in enumerate(orders, 1):
        moved[at] = moved[at][:, np.append(0, 1 + order)]
    return moved


def product(one: Layers, other: Layers) -> float:
    """The inner product of two networks' parameters."""
    return float(sum((a * b).sum() for a, b in zip(one, other, strict=True)))


def distance(one: Layers, other: Layers) -> float:
    """The Euclidean distance of two networks' parameters."""
    return float(np.sqrt(sum(((a - b) ** 2).sum() for a, b in zip(one, other, strict=True))))


def matched(one: Layers, other: Layers, draw: np.random.Generator) -> list[np.ndarray]:
    """Orders of the units of ``other`` that bring it near to ``one`` (Ainsworth et al., 2023).

    One hidden layer at a time, in random order, the units are assigned so that the inner product of the networks is
    largest while the other layers stay; until no layer gains. With one hidden layer that is the best of all orders.

    Args:
        one, other: networks of the same shape.
        draw: of the order in which layers take turns.
    """
    orders = [np.arange(len(layer)) for layer in other[:-1]]
    best = product(one, other)
    while True:
        for at in draw.permutation(len(orders)):
            orders[at] = _assigned(one, other, orders, at)
        now = product(one, permuted(other, orders))
        if now - best <= _ROUNDING * abs(best):
            return orders
        best = now


def _assigned(one: Layers, other: Layers, orders: Sequence[np.ndarray], at: int) -> np.ndarray:
    """The best order of one hidden layer's units while those of the other layers stay."""
    still = [np.arange(len(order)) if place == at else order for place, order in enumerate(orders)]
    rest = permuted(other, still)
    gains = one[at] @ rest[at].T + one[at + 1][:, 1:].T @ rest[at + 1][:, 1:]
    return linear_sum_assignment(gains, maximize=True)[1]


def shuffled(layers: Layers, draw: np.random.Generator) -> list[np.ndarray]:
    """Random orders of the hidden units."""
    return [draw.permutation(len(layer)) for layer in layers[:-1]]


def aligned(one: Layers, other: Layers, fraction: float) -> tuple[float, float]:
    """How far the leading singular directions of two networks' weights agree, and how far the rest do.

    The singular directions u_i, v_i of one layer and those of the other network's, u'_j, v'_j, agree by the sum of
    (u_i·u'_j)(v_i·v'_j) over the root of the product of their numbers: the cosine of the two matrices if all of these
    singular values were equal, 1 where they span the same, about 0 for random ones. Means over layers.

    Args:
        one, other: networks of the same shape.
        fraction: of a layer's largest singular value, from which on a direction is leading.
    """
    leading, rest = [], []
    for a, b in zip(one, other, strict=True):
        (u, s, v), (u2, s2, v2) = (np.linalg.svd(layer[:, 1:], full_matrices=False) for layer in (a, b))
        top, top2 = s >= fraction * s[0], s2 >= fraction * s2[0]
        leading.append(_agreement(u[:, top], v[top], u2[:, top2], v2[top2]))
        if not top.all() and not top2.all():
            rest.append(_agreement(u[:, ~top], v[~top], u2[:, ~top2], v2[~top2]))
    return float(np.mean(leading)), float(np.mean(rest)) if rest else np.nan


def _agreement(u: np.ndarray, v: np.ndarray, u2: np.ndarray, v2: np.ndarray) -> float:
    return float(((u.T @ u2) * (v @ v2.T)).sum() / np.sqrt(len(v) * len(v2)))
