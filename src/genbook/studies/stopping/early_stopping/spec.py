"""Parameters of the study of early stopping."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from genbook.base.spec import Spec, parameter


class EarlyStoppingSpec(Spec):
    """One network per seed, trained on a set of which a share of the labels is wrong, far past the best moment."""

    dataset: Literal["digits", "mnist1d", "fashion-mnist", "mnist", "cifar10"] = parameter(
        "digits", "the images and their right labels"
    )
    n_train: int = parameter(500, "size of the training set", "examples", ge=20)
    noise: float = parameter(
        0.3, "share of the training labels that are wrong, uniform over the wrong classes", "fraction", ge=0.02, le=0.9
    )
    labels: Literal["noisy", "clean"] = parameter(
        "noisy",
        "'noisy'; 'clean' trains on the right labels and keeps the tags of those that would have been corrupted "
        "(a null world)",
    )
    tags: Literal["true", "shuffled"] = parameter(
        "true",
        "which examples count as clean and corrupted: 'true'; 'shuffled' deals the tags out at random (a null world)",
    )
    hidden: tuple[Annotated[int, Field(ge=1, le=4096)], ...] = parameter(
        (64, 64), "widths of the hidden layers", "units", min_length=1, max_length=6
    )
    learning_rate: float = parameter(0.1, "step size of stochastic gradient descent", "", gt=0, le=100)
    batch_size: int = parameter(50, "examples in one gradient step", "examples", ge=1)
    steps: int = parameter(2000, "length of the training", "steps", ge=10)
    probes: int = parameter(80, "points along the training at which everything is measured, log-spaced", "", ge=5)

    @model_validator(mode="after")
    def _batch_fits(self) -> Self:
        """A batch is part of the training set."""
        if self.batch_size > self.n_train:
            raise ValueError(f"parameter batch_size = {self.batch_size}: want at most n_train = {self.n_train}")
        return self
