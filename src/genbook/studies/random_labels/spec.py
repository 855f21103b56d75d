"""Parameters of the study of random and real labels."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from genbook.spec import Spec, parameter


class RandomLabelsSpec(Spec):
    """Networks trained to fit one training set whose labels are real, partly random or all random."""

    dataset: Literal["digits", "mnist1d", "fashion-mnist", "mnist", "cifar10"] = parameter(
        "digits", "the images and their real labels"
    )
    n_train: int = parameter(300, "size of the training set, the same number of each class", "examples", ge=20)
    noise_levels: tuple[Annotated[float, Field(ge=0, le=1)], ...] = parameter(
        (0.0, 0.25, 0.5, 0.75, 1.0),
        "shares of the training labels drawn anew, uniformly over all classes",
        "fraction",
        min_length=2,
        max_length=20,
    )
    labels: Literal["real", "shuffled", "kept"] = parameter(
        "real",
        "what a share of zero random labels means: 'real'; 'shuffled' gives every condition labels without meaning; "
        "'kept' draws no label anew in any condition (both are null worlds)",
    )
    hidden: tuple[Annotated[int, Field(ge=1, le=4096)], ...] = parameter(
        (64, 64), "widths of the hidden layers", "units", min_length=1, max_length=6
    )
    learning_rate: float = parameter(0.03, "step size of stochastic gradient descent", "", gt=0, le=100)
    batch_size: int = parameter(50, "examples in one gradient step", "examples", ge=1)
    steps: int = parameter(8_000, "longest training; a network that has fitted stops earlier", "steps", ge=10)
    fit_accuracy: float = parameter(
        1.0, "training accuracy at which a network counts as fitted", "fraction", gt=0, le=1
    )
    control_start: float = parameter(
        3.0, "scale of the first weights of the control networks with a larger start", "of the others'", gt=0, le=100
    )
    control_step: float = parameter(
        10.0, "step size of the control networks with larger steps", "of learning_rate", gt=0, le=1000
    )
    probes: int = parameter(60, "points along the training at which everything is measured, log-spaced", "", ge=5)

    @model_validator(mode="after")
    def _comparable(self) -> Self:
        """Real labels are one side of every comparison, and a batch is part of the training set."""
        if self.noise_levels[0] != 0 or sorted(set(self.noise_levels)) != list(self.noise_levels):
            raise ValueError(
                f"parameter noise_levels = {list(self.noise_levels)}: want 0 (real labels) first, then growing shares"
            )
        if self.batch_size > self.n_train:
            raise ValueError(f"parameter batch_size = {self.batch_size}: want at most n_train = {self.n_train}")
        return self
