"""Parameters of the study of suppressed weak directions."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from genbook.base.spec import Spec, parameter


class WeakDirectionsSpec(Spec):
    """One network on one mislabelled training set, its batch gradients averaged by different rules."""

    dataset: Literal["digits", "mnist1d", "fashion-mnist", "mnist", "cifar10"] = parameter(
        "digits", "the images and their real labels"
    )
    n_train: int = parameter(
        300, "size of the training set of the comparison of averages, the same number of each class", "examples", ge=50
    )
    held_out: int = parameter(
        200,
        "other examples, mislabelled alike, by which a training may be stopped or its learning rate chosen",
        "",
        ge=20,
    )
    noise: float = parameter(0.3, "fraction of the training labels that are wrong", "fraction", gt=0, lt=1)
    winsorised: tuple[Annotated[int, Field(ge=1, le=200)], ...] = parameter(
        (1, 5), "gradients that winsorising moves at each end, in each coordinate of a batch", "examples", min_length=1
    )
    clip: float = parameter(1.0, "largest norm of an example's gradient under clipping", "", gt=0)
    learning_rate_factors: tuple[Annotated[float, Field(gt=0, le=10)], ...] = parameter(
        (0.3, 0.1), "learning rates of the control, as multiples of the other rules'", "", min_length=1, max_length=5
    )
    averages: Literal["robust", "plain"] = parameter(
        "robust", "'plain' puts the mean gradient in the place of every robust average (a null world)"
    )
    width: int = parameter(48, "width of the one hidden layer of the comparison of averages", "units", ge=1, le=4096)
    learning_rate: float = parameter(0.3, "learning rate of stochastic gradient descent", "", gt=0, le=100)
    batch_size: int = parameter(50, "examples in one gradient step", "examples", ge=3)
    steps: int = parameter(900, "gradient steps of the trainings compared", "steps", ge=10)
    n_measurements: int = parameter(40, "log-spaced steps at which everything is measured", "", ge=5)

    @model_validator(mode="after")
    def _possible(self) -> Self:
        """A batch is part of the training set and keeps examples between its extremes; levels grow."""
        if self.batch_size > self.n_train:
            raise ValueError(f"parameter batch_size = {self.batch_size}: want at most n_train = {self.n_train}")
        if sorted(set(self.winsorised)) != list(self.winsorised):
            raise ValueError(f"parameter winsorised = {list(self.winsorised)}: want growing numbers")
        most = (self.batch_size - 2) // 2
        if self.winsorised[-1] > most:
            raise ValueError(
                f"parameter winsorised = {list(self.winsorised)}: a batch of {self.batch_size} can lose {most} a side"
            )
        return self
