"""Parameters of the study of late coherence."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from genbook.base.spec import Spec, parameter


class LateCoherenceSpec(Spec):
    """Networks stopped at one training accuracy, then watched as they go on as before or in small steps."""

    dataset: Literal["digits", "mnist1d", "fashion-mnist", "mnist", "cifar10"] = parameter(
        "digits", "the images and their real labels"
    )
    n_train: int = parameter(300, "size of the training set, the same number of each class", "examples", ge=20)
    labels: Literal["real", "shuffled", "kept"] = parameter(
        "real",
        "what the two sets of labels are: 'real' compares real with random ones; 'shuffled' makes both random, 'kept' "
        "keeps both real (both are null worlds)",
    )
    hidden: tuple[Annotated[int, Field(ge=1, le=4096)], ...] = parameter(
        (64, 64), "widths of the hidden layers", "units", min_length=1, max_length=6
    )
    learning_rate: float = parameter(0.03, "step size of stochastic gradient descent", "", gt=0, le=100)
    step_factors: tuple[Annotated[float, Field(gt=0, le=100)], ...] = parameter(
        (0.5, 1.0, 3.0), "step sizes compared, 1 among them", "of learning_rate", min_length=1, max_length=8
    )
    batch_size: int = parameter(50, "examples in one gradient step", "examples", ge=1)
    steps: int = parameter(
        12_000,
        "longest training until that accuracy; then the network is taken as it is",
        "steps",
        ge=10,
    )
    level: float = parameter(
        0.8, "training accuracy at which a network is stopped and looked at", "fraction", gt=0, le=1
    )
    time: float = parameter(2.0, "how long it is watched from there: steps times their size", "", gt=0)
    small_step: float = parameter(0.01, "step size of the small steps, each on all examples", "", gt=0, le=100)
    directions: int = parameter(
        9,
        "sharpest directions that are projected out; about one less than classes stand out",
        "",
        ge=1,
        le=100,
    )

    @model_validator(mode="after")
    def _comparable(self) -> Self:
        """The plain step size is one of those compared, a batch is part of the training set."""
        if 1.0 not in self.step_factors or sorted(set(self.step_factors)) != list(self.step_factors):
            raise ValueError(f"parameter step_factors = {list(self.step_factors)}: want growing factors, 1 among them")
        if self.batch_size > self.n_train:
            raise ValueError(f"parameter batch_size = {self.batch_size}: want at most n_train = {self.n_train}")
        if self.small_step > self.time:
            raise ValueError(f"parameter small_step = {self.small_step}: want at most time = {self.time}")
        return self
