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
    few: int = parameter(
        300, "size of the training set of the comparison of averages, the same number of each class", "examples", ge=50
    )
    held_out: int = parameter(
        200, "other examples, mislabelled alike, by which a training may be stopped or its step size chosen", "", ge=20
    )
    share: float = parameter(0.3, "share of the training labels that are wrong", "fraction", gt=0, lt=1)
    winsorised: tuple[Annotated[int, Field(ge=1, le=200)], ...] = parameter(
        (1, 5), "gradients that winsorising moves at each end, in each coordinate of a batch", "examples", min_length=1
    )
    clip: float = parameter(1.0, "largest norm of an example's gradient under clipping", "", gt=0)
    step_factors: tuple[Annotated[float, Field(gt=0, le=10)], ...] = parameter(
        (0.3, 0.1), "step sizes of the control, as multiples of the learning rate", "", min_length=1, max_length=5
    )
    averages: Literal["robust", "plain"] = parameter(
        "robust", "'plain' puts the mean gradient in the place of every robust average (a null world)"
    )
    units: int = parameter(48, "width of the one hidden layer of the comparison of averages", "units", ge=1, le=4096)
    step_size: float = parameter(0.3, "step size of stochastic gradient descent in the comparison", "", gt=0, le=100)
    batch_size: int = parameter(50, "examples in one gradient step", "examples", ge=3)
    long: int = parameter(900, "length of the trainings compared", "steps", ge=10)
    looks: int = parameter(40, "points along these trainings at which everything is measured, log-spaced", "", ge=5)

    @model_validator(mode="after")
    def _possible(self) -> Self:
        """A batch is part of the training set and keeps examples between its extremes; levels grow."""
        if self.batch_size > self.few:
            raise ValueError(f"parameter batch_size = {self.batch_size}: want at most few = {self.few}")
        if sorted(set(self.winsorised)) != list(self.winsorised):
            raise ValueError(f"parameter winsorised = {list(self.winsorised)}: want growing numbers")
        most = (self.batch_size - 2) // 2
        if self.winsorised[-1] > most:
            raise ValueError(
                f"parameter winsorised = {list(self.winsorised)}: a batch of {self.batch_size} can lose {most} a side"
            )
        return self
