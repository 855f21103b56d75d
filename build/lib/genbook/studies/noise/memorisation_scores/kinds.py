"""Images of all classes, in each some kinds frequent and most rare: a training set, and all other images to test on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from genbook import data
from genbook.base.seeding import generator
from genbook.studies.noise.memorisation_scores.spec import MemorisationScoresSpec
from genbook.studies.noise.shared import kinds_of_images


@dataclass(frozen=True)
class Drawn:
    """Inputs [n, d], labels [n] and kinds [n] of a training and of a test set, and every kind's probability.

    ``weights``: of each test image, so that together they are a draw from the mixture of kinds.
    """

    inputs: np.ndarray
    labels: np.ndarray
    kind: np.ndarray
    new_inputs: np.ndarray
    new_labels: np.ndarray
    new_kind: np.ndarray
    p: np.ndarray

    @property
    def counts(self) -> np.ndarray:
        """How often the training set shows each kind, [K]."""
        return np.bincount(self.kind, minlength=len(self.p))

    @property
    def weights(self) -> np.ndarray:
        """[new n], summing to one; kinds of which no image is left have none."""
        left = np.bincount(self.new_kind, minlength=len(self.p))
        weights = self.p[self.new_kind] / left[self.new_kind]
        return weights / weights.sum()


def draw(spec: MemorisationScoresSpec, seed: int) -> Drawn:
    """The sets of one seed: which kinds of a class are the frequent ones is drawn by it, as are the images.

    A kind gives half of its images to the training set at most.
    """
    dataset = data.load(spec.dataset)
    rng = generator(seed, "mixture")
    inputs = np.concatenate([dataset.train_inputs, dataset.test_inputs]).reshape(-1, int(np.prod(dataset.shape)))
    labels = np.concatenate([dataset.train_labels, dataset.test_labels])
    kind = kinds_of_images(inputs, labels, spec.kinds, rng)
    law = np.arange(1, spec.kinds + 1, dtype=float) ** -spec.exponent
    p = np.concatenate([rng.permutation(law / law.sum()) for _ in range(dataset.n_classes)]) / dataset.n_classes
    chosen, left = [], []
    for k, wanted in enumerate(rng.multinomial(spec.n_train, p)):
        members = rng.permutation(np.flatnonzero(kind == k))
        cut = min(wanted, len(members) // 2)
        chosen.append(members[:cut])
        left.append(members[cut:])
    train, new = rng.permutation(np.concatenate(chosen)), np.concatenate(left)
    labels = data.shuffle_labels(labels, seed) if spec.labels == "shuffled" else labels
    scaled = ((inputs - inputs[train].mean()) / inputs[train].std()).astype(np.float32)
    return Drawn(scaled[train], labels[train], kind[train], scaled[new], labels[new], kind[new], p)
