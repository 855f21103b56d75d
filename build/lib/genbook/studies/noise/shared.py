"""What the studies of wrong labels share."""

from __future__ import annotations

from math import floor

import numpy as np


def check_some_wrong(noise: float, n_train: int) -> None:
    """Refuse a fraction of wrong labels that leaves a training set without a wrong label, or without a right one."""
    wrong = floor(noise * n_train + 0.5)
    if not 0 < wrong < n_train:
        raise ValueError(
            f"parameter noise = {noise:g}: of n_train = {n_train} labels {wrong} would be wrong; want from "
            f"{1 / n_train:.2g} to {1 - 1 / n_train:.4g}, so that some are wrong and some right"
        )


def kinds_of_images(inputs: np.ndarray, labels: np.ndarray, each: int, rng: np.random.Generator) -> np.ndarray:
    """Clusters of images within their classes, ``each`` a class, by k-means: a number for every image, [n].

    Args:
        inputs: [n, d].
        labels: [n], classes from 0 on; class c has the clusters from c * each on.
    """
    from sklearn.cluster import KMeans

    kind = np.empty(len(labels), dtype=np.int64)
    for c in range(int(labels.max()) + 1):
        means = KMeans(each, n_init=1, random_state=int(rng.integers(2**31)))
        kind[labels == c] = c * each + means.fit_predict(inputs[labels == c])
    return kind
