"""A training and a test set drawn from a mixture of clusters, of points or of images."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from genbook import data
from genbook.base.seeding import generator
from genbook.studies.noise.long_tail.spec import LongTailSpec
from genbook.studies.noise.long_tail.theory import frequencies
from genbook.studies.noise.shared import kinds_of_images


@dataclass(frozen=True)
class Drawn:
    """Inputs [n, d], labels [n] and clusters [n] of a training and of a test set, and every cluster's probability."""

    inputs: np.ndarray
    labels: np.ndarray
    cluster: np.ndarray
    new_inputs: np.ndarray
    new_labels: np.ndarray
    new_cluster: np.ndarray
    p: np.ndarray
    n_classes: int

    @property
    def counts(self) -> np.ndarray:
        """How often the training set shows each cluster, [K]."""
        return np.bincount(self.cluster, minlength=len(self.p))


def draw(spec: LongTailSpec, seed: int) -> Drawn:
    """The sets of one seed."""
    drawn = _points(spec, seed) if spec.dataset is None else _images(spec, seed)
    if spec.meaning == "clusters":
        return drawn
    lot = generator(seed, "labels by lot").integers(0, drawn.n_classes, len(drawn.new_labels))
    return replace(drawn, new_labels=lot)


def _points(spec: LongTailSpec, seed: int) -> Drawn:
    """Gaussian clusters with independent centres, so that one says nothing about another."""
    rng = generator(seed, "mixture")
    p = frequencies(spec.frequencies, spec.clusters, spec.exponent)
    centres = rng.normal(size=(spec.clusters, spec.point_dimension))
    meaning = rng.integers(0, spec.labels_of_points, spec.clusters)

    def sample(size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        cluster = rng.choice(spec.clusters, size, p=p)
        inputs = centres[cluster] + spec.spread_within * rng.normal(size=(size, spec.point_dimension))
        return inputs.astype(np.float32), meaning[cluster], cluster

    return Drawn(*sample(spec.n_train), *sample(spec.n_test), p, spec.labels_of_points)


def _images(spec: LongTailSpec, seed: int) -> Drawn:
    """Images of all classes, clustered within each; which clusters are the frequent ones is drawn by the seed.

    Training images are drawn without replacement, and a cluster keeps one image at least for the test set, which is
    drawn with replacement from what is left.
    """
    dataset = data.load(spec.dataset)
    rng = generator(seed, "mixture")
    inputs = np.concatenate([dataset.train_inputs, dataset.test_inputs]).reshape(-1, int(np.prod(dataset.shape)))
    labels = np.concatenate([dataset.train_labels, dataset.test_labels])
    each = max(1, spec.clusters // dataset.n_classes)
    cluster = kinds_of_images(inputs, labels, each, rng)
    p = rng.permutation(frequencies(spec.frequencies, each * dataset.n_classes, spec.exponent))
    wanted = rng.multinomial(spec.n_train, p)
    chosen, left = [], []
    for k, many in enumerate(wanted):
        members = rng.permutation(np.flatnonzero(cluster == k))
        cut = min(many, len(members) - 1)
        chosen.append(members[:cut])
        left.append(members[cut:])
    train = rng.permutation(np.concatenate(chosen))
    new = np.array([rng.choice(left[k]) for k in rng.choice(len(p), spec.n_test, p=p)])
    scaled = ((inputs - inputs[train].mean()) / inputs[train].std()).astype(np.float32)
    return Drawn(
        scaled[train], labels[train], cluster[train], scaled[new], labels[new], cluster[new], p, dataset.n_classes
    )
