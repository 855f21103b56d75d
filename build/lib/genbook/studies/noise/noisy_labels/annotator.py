"""Wrong labels with a structure: drawn from what an annotator takes images for."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression


def read(inputs: np.ndarray, labels: np.ndarray, images: np.ndarray, n_classes: int) -> np.ndarray:
    """What an annotator who learned from ``inputs`` thinks of ``images``: class probabilities [n, C].

    The annotator is a logistic regression, whose mistakes follow the look of the images.

    Args:
        inputs: [r, d], what the annotator learned from; ``labels`` [r] theirs.
        images: [n, d].
        n_classes: C; a class that the annotator never saw has probability zero.
    """
    model = LogisticRegression(C=1.0, max_iter=200).fit(inputs, labels)
    probabilities = np.zeros((len(images), n_classes))
    probabilities[:, model.classes_] = model.predict_proba(images)
    return probabilities


def confusion(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Mean probabilities of the examples of each class, [C, C]: row the true class, column the one it is taken for."""
    classes = np.arange(probabilities.shape[1])
    return np.stack([probabilities[labels == c].mean(0) if (labels == c).any() else classes == c for c in classes])


def wrong(probabilities: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A wrong class for every example [n], drawn in proportion to ``probabilities`` [n, C] of the wrong ones.

    Where nothing wrong has any probability, all wrong classes are as likely.
    """
    weights = np.array(probabilities, dtype=float)
    rows = np.arange(len(labels))
    weights[rows, labels] = 0
    empty = weights.sum(1) <= 0
    weights[empty] = 1
    weights[rows, labels] = 0
    steps = weights.cumsum(1)
    return (steps < rng.random((len(labels), 1)) * steps[:, -1:]).sum(1)
