"""Wrong labels: uniform over the wrong classes or over all, permuted, given by people, or all of them shuffled."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from genbook.base.seeding import CORRUPTION, generator
from genbook.data.sources import DataRequestError

CorruptionKind = Literal["uniform", "uniform-any", "permute", "human"]


@dataclass(frozen=True, eq=False)
class Corrupted:
    """Labels [n] int64 after corruption, and the mask [n] of those that differ from the ones given."""

    labels: np.ndarray
    changed: np.ndarray

    @property
    def fraction(self) -> float:
        """The fraction of labels that really changed."""
        return float(self.changed.mean()) if self.changed.size else 0.0


def corrupt(
    labels: ArrayLike,
    fraction: float,
    kind: CorruptionKind,
    seed: int,
    n_classes: int,
    human: ArrayLike | None = None,
) -> Corrupted:
    """Corrupt the labels of a fraction of the examples: ``fraction * n`` of them, rounded to the nearest.

    The seed puts the examples in an order and the first are chosen, so that those chosen at one fraction are among
    those chosen at a larger one. What label they get:

    - "uniform": a wrong class, each as likely; a fraction of 0.15 makes 15 % of the labels wrong.
    - "uniform-any": any class, each as likely, the true one included, as in Zhang et al. (2017); with C classes about
      ``fraction * (1 - 1/C)`` of the labels become wrong.
    - "permute": the labels of the chosen examples, permuted among them: the class counts stay.
    - "human": the label that a person gave, which may be right.

    Except for "permute", an example keeps its new label at every fraction at which it is chosen. `Corrupted.fraction`
    says how many really changed.

    Args:
        labels: [n] integers from 0 to ``n_classes - 1``.
        fraction: the fraction of examples chosen, in [0, 1].
        kind: one of the four.
        seed: a non-negative integer; the draws come from its "corruption" stream.
        n_classes: the number of classes.
        human: [n] labels, needed for "human" and for no other kind.

    Raises:
        DataRequestError: a fraction out of bounds, an unknown kind, ``human`` missing or not wanted, one class only.
        ValueError: labels that are no classes, ``human`` of another length.
    """
    labels = _as_classes(labels, n_classes, "labels")
    if not 0 <= fraction <= 1:
        raise DataRequestError(f"a fraction of corrupted labels lies in [0, 1], got {fraction}")
    if kind not in get_args(CorruptionKind):
        raise DataRequestError(f"unknown kind of corruption {kind!r}; one of {', '.join(get_args(CorruptionKind))}")
    if (human is not None) != (kind == "human"):
        raise DataRequestError(f"human labels are for the kind 'human' and needed there, got kind {kind!r}")
    if kind == "uniform" and n_classes < 2 and fraction > 0:
        raise DataRequestError("with one class there is no wrong label to give")

    rng = generator(seed, CORRUPTION)
    n_chosen = math.floor(fraction * labels.size + 0.5)
    chosen = rng.permutation(labels.size)[:n_chosen]
    new = labels.copy()
    # Drawn for all examples, so that what one gets does not depend on how many are chosen.
    if kind == "uniform":
        new[chosen] = ((labels + rng.integers(1, max(n_classes, 2), labels.size)) % n_classes)[chosen]
    elif kind == "uniform-any":
        new[chosen] = rng.integers(0, n_classes, labels.size)[chosen]
    elif kind == "permute":
        new[chosen] = labels[rng.permutation(chosen)]
    else:
        human = _as_classes(human, n_classes, "human labels")
        if human.shape != labels.shape:
            raise ValueError(f"one human label per example is needed: {labels.size} examples, {human.size} labels")
        new[chosen] = human[chosen]
    return Corrupted(new, new != labels)


def shuffle_labels(labels: ArrayLike, seed: int) -> np.ndarray:
    """Permute all labels over the examples: a control in which inputs say nothing about labels.

    It has a stream of its own, so that a corruption with the same seed can follow.

    Args:
        labels: [n] integers.
        seed: a non-negative integer.

    Returns:
        [n] int64.
    """
    return generator(seed, "shuffled labels").permutation(np.asarray(labels, dtype=np.int64))


def _as_classes(labels: ArrayLike, n_classes: int, name: str) -> np.ndarray:
    labels = np.asarray(labels)
    if labels.ndim != 1 or (labels.size and labels.dtype.kind not in "iu"):
        raise ValueError(f"{name} are a list of integers, got shape {labels.shape} of {labels.dtype}")
    if labels.size and not 0 <= labels.min() <= labels.max() < n_classes:
        raise ValueError(
            f"{name} of {n_classes} classes lie in 0 to {n_classes - 1}, got {labels.min()} to {labels.max()}"
        )
    return labels.astype(np.int64)
