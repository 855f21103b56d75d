"""Drawing examples so that every class keeps its part."""

import numpy as np


def stratified_order(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a random order of the examples of which every beginning is a stratified sample.

    Within a class the order is uniform; the r-th of the n_c examples of class c comes at (r + 1/2) / n_c of the way,
    ties between classes broken at random. The first n so hold every class in its proportion, to within one or so
    (Sainte-Laguë's rule), and are among the first n + 1: larger samples of one seed contain the smaller ones.

    Args:
        labels: [N], integers.
        rng: the stream to draw from.

    Returns:
        [N] int64, a permutation of 0 to N - 1.
    """
    position = np.empty(labels.size)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        position[rng.permutation(members)] = (np.arange(members.size) + 0.5) / members.size
    return np.lexsort((rng.random(labels.size), position))
