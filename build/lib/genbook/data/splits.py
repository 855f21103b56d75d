"""The training, validation and test sets of a run, drawn by its seed and standardised."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from genbook.base.seeding import TRAINING_SUBSET, VALIDATION, generator
from genbook.data.sources import DataRequestError, Dataset
from genbook.data.stratified import stratified_order

if TYPE_CHECKING:
    import torch

Standardisation = Literal["channel", "feature", "none"]


@dataclass(frozen=True, eq=False)
class Examples:
    """Inputs [n, *shape] float32, labels [n] int64, and their indices [n] in the data set's part they came from."""

    inputs: torch.Tensor
    labels: torch.Tensor
    indices: np.ndarray

    def __len__(self) -> int:
        """The number of examples."""
        return len(self.labels)

    def to(self, device: torch.device | str) -> Examples:
        """Return the examples with inputs and labels on a device."""
        return replace(self, inputs=self.inputs.to(device), labels=self.labels.to(device))


@dataclass(frozen=True, eq=False)
class Split:
    """What one run trains, chooses and is judged on.

    Attributes:
        train: drawn from the training pool by the seed.
        validation: drawn from the training pool too, apart from ``train``; may be empty.
        test: the fixed test part, the same for every seed.
        n_classes: the number of classes.
        mean, std: what the inputs were standardised with, float32, broadcastable to one input.
    """

    train: Examples
    validation: Examples
    test: Examples
    n_classes: int
    mean: np.ndarray
    std: np.ndarray

    def to(self, device: torch.device | str) -> Split:
        """Return the split with all of its examples on a device."""
        parts = {name: getattr(self, name).to(device) for name in ("train", "validation", "test")}
        return replace(self, **parts)


def split(
    dataset: Dataset,
    seed: int,
    n_train: int,
    n_validation: int = 0,
    n_test: int | None = None,
    *,
    standardise: Standardisation = "channel",
    flat: bool = False,
) -> Split:
    """Draw a stratified training set and a validation set by the seed, and standardise with training statistics.

    The validation set is drawn first, from the "validation" stream, so that it is the same for every ``n_train``; the
    training set is the beginning of a stratified order of the rest from the "training subset" stream, so that a larger
    one of the same seed contains the smaller. Both are interleaved by class, not shuffled. A smaller test set is
    stratified too and the same for every seed.

    Inputs become (x - mean) / std with the mean and standard deviation of the training inputs: of each channel
    ("channel": one pair for grey images and for signals), of each pixel ("feature"), or 0 and 1 ("none"). Where all
    values are equal the standard deviation is taken to be 1, so a pixel that is constant in training stays finite.

    Args:
        dataset: as `load` returned it.
        seed: a non-negative integer.
        n_train: size of the training set.
        n_validation: size of the validation set.
        n_test: size of the test set; all of the test part where not given.
        standardise: over which axes the statistics are taken.
        flat: flatten every input to one axis, for fully connected networks.

    Raises:
        DataRequestError: a size out of bounds, or an unknown standardisation.
    """
    pool, n_test = len(dataset.train_labels), len(dataset.test_labels) if n_test is None else n_test
    _check_size("training", n_train, 1, pool, dataset.name)
    _check_size("validation", n_validation, 0, pool - n_train, f"{dataset.name} besides {n_train} for training")
    _check_size("test", n_test, 1, len(dataset.test_labels), f"the test part of {dataset.name}")

    validation = stratified_order(dataset.train_labels, generator(seed, VALIDATION))[:n_validation]
    rest = np.setdiff1d(np.arange(pool), validation)
    train = rest[stratified_order(dataset.train_labels[rest], generator(seed, TRAINING_SUBSET))[:n_train]]
    test = np.arange(len(dataset.test_labels))
    if n_test < len(test):
        test = np.sort(stratified_order(dataset.test_labels, generator(0, "test subset"))[:n_test])

    mean, std = _statistics(dataset.train_inputs[train], standardise)

    def examples(inputs: np.ndarray, labels: np.ndarray, indices: np.ndarray) -> Examples:
        import torch

        chosen = (inputs[indices] - mean) / std
        chosen = chosen.reshape(len(indices), math.prod(dataset.shape)) if flat else chosen
        return Examples(torch.from_numpy(chosen), torch.from_numpy(labels[indices]), indices)

    return Split(
        examples(dataset.train_inputs, dataset.train_labels, train),
        examples(dataset.train_inputs, dataset.train_labels, validation),
        examples(dataset.test_inputs, dataset.test_labels, test),
        dataset.n_classes,
        mean,
        std,
    )


def _check_size(which: str, size: int, least: int, most: int, source: str) -> None:
    if not least <= size <= most:
        raise DataRequestError(
            f"a {which} set of {size} cannot be drawn: {source} has {least} to {most} examples to give"
        )


def _statistics(inputs: np.ndarray, standardise: Standardisation) -> tuple[np.ndarray, np.ndarray]:
    if standardise not in get_args(Standardisation):
        raise DataRequestError(
            f"unknown standardisation {standardise!r}; one of {', '.join(get_args(Standardisation))}"
        )
    if standardise == "none":
        return np.float32([0]), np.float32([1])
    # Images are [n, channels, height, width]; signals [n, length] have one channel.
    channel_axes = (0, 2, 3) if inputs.ndim == 4 else (0, 1)
    axes = (0,) if standardise == "feature" else channel_axes
    mean = inputs.mean(axis=axes, keepdims=True, dtype=np.float64)[0]
    std = inputs.std(axis=axes, keepdims=True, dtype=np.float64)[0]
    # Not std == 0: the standard deviation of equal numbers may come out as a rounding error.
    constant = np.ptp(inputs, axis=axes, keepdims=True)[0] == 0
    return mean.astype(np.float32), np.where(constant, 1, std).astype(np.float32)
