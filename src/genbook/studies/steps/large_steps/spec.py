"""Parameters of networks that differ in their step size alone."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from genbook.base.spec import Spec, parameter


class LargeStepsSpec(Spec):
    """Networks of one hidden layer, trained from one start with constant steps, and one whose steps become small."""

    dataset: Literal["digits", "mnist1d", "fashion-mnist", "mnist", "cifar10"] = parameter(
        "mnist1d", "the images and their labels"
    )
    n_train: int = parameter(1000, "size of the training set, the same number of each class", "examples", ge=20)
    label_noise: tuple[Annotated[float, Field(ge=0, lt=1)], ...] = parameter(
        (0.0, 0.2), "shares of the training labels replaced by a wrong one", "fraction", min_length=1, max_length=4
    )
    test_labels: Literal["real", "shuffled"] = parameter(
        "real", "labels of the test set ('shuffled' leaves nothing to generalize to: a null world)"
    )
    hidden: int = parameter(100, "hidden units", "units", ge=1, le=4096)
    batch_size: int = parameter(50, "examples in one gradient step", "examples", ge=1)
    ladder: tuple[Annotated[float, Field(gt=0, le=100)], ...] = parameter(
        (0.02, 0.1, 0.4, 1.0, 2.0), "step sizes, before scale", "", min_length=2, max_length=12
    )
    scale: float = parameter(1.0, "multiple of all step sizes: another data set has another edge", "", gt=0, le=100)
    time: float = parameter(420.0, "longest training in step × time, before scale", "steps × step size", gt=0)
    least_steps: int = parameter(1600, "steps that a training has at least", "steps", ge=20)
    loss_level: float = parameter(0.1, "training loss at which runs are compared", "nats", gt=0, le=2)
    decay_accuracy: float = parameter(
        0.8, "training accuracy at which the steps of one more run become small", "fraction", gt=0, lt=1
    )
    decay_from: float = parameter(1.0, "its steps until then, before scale", "", gt=0, le=100)
    decay_to: float = parameter(0.1, "its steps from then on, before scale", "", gt=0, le=100)
    looks: int = parameter(20, "points along a training at which everything is measured, log-spaced", "", ge=4, le=100)

    @model_validator(mode="after")
    def _comparable(self) -> Self:
        """Claims compare the first step size with the largest that trains, and the first noise with the last."""
        for name in ("ladder", "label_noise"):
            values = getattr(self, name)
            if sorted(set(values)) != list(values):
                raise ValueError(f"parameter {name} = {list(values)}: want values that grow")
        if self.batch_size > self.n_train:
            raise ValueError(f"parameter batch_size = {self.batch_size}: want at most n_train = {self.n_train}")
        return self

    def steps_at(self, rung: float) -> int:
        """Steps of the training with this step size, before scale."""
        return max(self.least_steps, round(self.time / rung))
