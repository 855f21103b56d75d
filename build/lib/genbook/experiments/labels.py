"""Labels as data: what is done to the real labels of a training set, step by step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np

from genbook import data
from genbook.base.seeding import CORRUPTION, generator

Kind = Literal["shuffled", "wrong", "redrawn", "exchanged", "diluted", "decoys", "corrected", "retagged", "parity"]


@dataclass(frozen=True, eq=False)
class Given:
    """The labels that a network is trained on.

    Attributes:
        labels: [k n] as given; the n images are repeated k times where copies were added.
        true: [k n] before corruption; where labels were shuffled, that is their truth.
        clean: [k n] which examples the corruption left alone.
        rounds: k.
        decoys: [k n] which examples were relabelled on purpose; None where none was.
    """

    labels: np.ndarray
    true: np.ndarray
    clean: np.ndarray
    rounds: int = 1
    decoys: np.ndarray | None = None


@dataclass(frozen=True)
class Change:
    """One step: its kind; the fraction or number that it takes; whether blocks hold like images."""

    kind: Kind
    amount: float = 0.0
    alike: bool = True


@dataclass(frozen=True)
class Labels:
    """What is done to the real labels, in order; ``Labels()`` leaves them as they are.

    All draws come from the seed's streams, so that a larger fraction of the same seed contains the smaller.
    """

    changes: tuple[Change, ...] = ()

    def shuffled(self) -> Self:
        """Permute all labels over the examples: a setting in which images say nothing about labels."""
        return self._then(Change("shuffled"))

    def wrong(self, fraction: float) -> Self:
        """Give a fraction of the examples a wrong class, each as likely."""
        return self._then(Change("wrong", fraction))

    def redrawn(self, fraction: float) -> Self:
        """Give a fraction of the examples any class, each as likely, the true one included (Zhang et al., 2017)."""
        return self._then(Change("redrawn", fraction))

    def exchanged(self, blocks: int, alike: bool = True) -> Self:
        """Cut each class into blocks (of like images, or at random over all classes) that exchange their labels."""
        return self._then(Change("exchanged", blocks, alike))

    def diluted(self, copies: int) -> Self:
        """Add so many copies of each image with a label drawn from all classes (Rolnick et al., 2017)."""
        return self._then(Change("diluted", copies))

    def decoys(self, count: int) -> Self:
        """Give ``count`` examples another label than the one they have, each as likely: who does so knows no truth."""
        return self._then(Change("decoys", count))

    def corrected(self) -> Self:
        """Give all examples their true labels again; which were corrupted is remembered (for a control)."""
        return self._then(Change("corrected"))

    def retagged(self) -> Self:
        """Deal out at random which examples count as clean and which as corrupted (for a control)."""
        return self._then(Change("retagged"))

    def parity(self) -> Self:
        """One real number for each example in place of its class: 1 where that is even, -1 where it is odd."""
        return self._then(Change("parity"))

    def _then(self, change: Change) -> Self:
        return type(self)((*self.changes, change))

    def given(self, images: np.ndarray, real: np.ndarray, seed: int, n_classes: int) -> Given:
        """The labels of ``images`` [n, d] whose real labels are ``real`` [n], drawn by the seed."""
        labels = Given(real, real, np.ones(len(real), dtype=bool))
        for change in self.changes:
            labels = _APPLY[change.kind](labels, change, images, seed, n_classes)
        return labels


def _shuffled(given: Given, change: Change, images: np.ndarray, seed: int, n_classes: int) -> Given:
    labels = data.shuffle_labels(given.labels, seed)
    return replace(given, labels=labels, true=labels)


def _corrupted(given: Given, change: Change, images: np.ndarray, seed: int, n_classes: int) -> Given:
    kind = "uniform" if change.kind == "wrong" else "uniform-any"
    new = data.corrupt(given.labels, change.amount, kind, seed, n_classes)
    return replace(given, labels=new.labels, clean=given.clean & ~new.changed)


def _exchanged(given: Given, change: Change, images: np.ndarray, seed: int, n_classes: int) -> Given:
    labels = data.exchange_blocks(images, given.labels, int(change.amount), seed, alike=change.alike)
    return replace(given, labels=labels, clean=labels == given.true)


def _diluted(given: Given, change: Change, images: np.ndarray, seed: int, n_classes: int) -> Given:
    """A smaller dilution of the same seed is the beginning of a larger one."""
    copies, n = int(change.amount), len(given.labels)
    drawn = generator(seed, f"{CORRUPTION}, copies").integers(0, n_classes, (copies, n)).reshape(-1)
    return Given(
        np.concatenate([given.labels, drawn]),
        np.tile(given.true, 1 + copies),
        np.concatenate([given.clean, np.zeros(copies * n, dtype=bool)]),
        1 + copies,
    )


def _decoys(given: Given, change: Change, images: np.ndarray, seed: int, n_classes: int) -> Given:
    chosen = np.zeros(len(given.labels), dtype=bool)
    chosen[generator(seed, "decoys").permutation(len(chosen))[: int(change.amount)]] = True
    shift = generator(seed, "decoy labels").integers(1, n_classes, len(chosen))
    labels = np.where(chosen, (given.labels + shift) % n_classes, given.labels)
    return replace(given, labels=labels, decoys=chosen)


def _corrected(given: Given, change: Change, images: np.ndarray, seed: int, n_classes: int) -> Given:
    return replace(given, labels=given.true)


def _retagged(given: Given, change: Change, images: np.ndarray, seed: int, n_classes: int) -> Given:
    return replace(given, clean=given.clean[generator(seed, "shuffled tags").permutation(len(given.clean))])


def _parity(given: Given, change: Change, images: np.ndarray, seed: int, n_classes: int) -> Given:
    labels, true = (np.float32(1 - 2 * (kind % 2)) for kind in (given.labels, given.true))
    return replace(given, labels=labels, true=true)


_APPLY: Mapping[Kind, Callable[..., Given]] = {
    "shuffled": _shuffled,
    "wrong": _corrupted,
    "redrawn": _corrupted,
    "exchanged": _exchanged,
    "diluted": _diluted,
    "decoys": _decoys,
    "corrected": _corrected,
    "retagged": _retagged,
    "parity": _parity,
}
