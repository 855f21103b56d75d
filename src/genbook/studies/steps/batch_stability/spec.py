"""Parameters of small networks trained on batches from one example up to all."""

from __future__ import annotations

from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from genbook.base.spec import Spec, parameter


class BatchStabilitySpec(Spec):
    """Networks of one hidden layer: one output on single examples and on all, and ten outputs on batches between."""

    dataset: Literal["digits", "mnist1d", "fashion-mnist", "mnist", "cifar10"] = parameter(
        "digits", "the images and their labels"
    )
    edge_examples: int = parameter(100, "size of the training set, the same number of each class", "examples", ge=20)
    edge_hidden: int = parameter(24, "hidden units", "units", ge=1, le=1024)
    init_scale: float = parameter(0.7, "multiple of the default initial weights", "", gt=0, le=10)
    single_rates: tuple[Annotated[float, Field(gt=0, le=10)], ...] = parameter(
        (0.005, 0.01, 0.025), "step sizes with which one output learns even and odd classes", "", min_length=1
    )
    single_batch: int = parameter(1, "examples in its steps (more is a null world)", "examples", ge=1)
    whole_batch: int = parameter(
        10**6, "examples in the steps that they are compared with; at most all (1 is a null world)", "examples", ge=1
    )
    single_steps: int = parameter(1500, "steps of these trainings", "steps", ge=10, le=10**6)
    stable_batches: tuple[Annotated[int, Field(ge=1)], ...] = parameter(
        (1, 2, 4, 16, 100), "batch sizes whose largest stable step is looked for; at most all", "examples", min_length=2
    )
    stable_from: float = parameter(0.2, "smallest step that is tried", "", gt=0, le=100)
    stable_to: float = parameter(10.0, "largest step that is tried", "", gt=0, le=1000)
    stable_rungs: int = parameter(12, "steps that are tried, log-spaced", "", ge=2, le=100)
    stable_steps: int = parameter(80, "steps after which the loss must have fallen", "steps", ge=5, le=10**5)

    @model_validator(mode="after")
    def _comparable(self) -> Self:
        """Claims compare the first batch sizes with one another, and the last."""
        for name in ("single_rates", "stable_batches"):
            values = getattr(self, name)
            if sorted(set(values)) != list(values):
                raise ValueError(f"parameter {name} = {list(values)}: want values that grow")
        if self.stable_from >= self.stable_to:
            raise ValueError(f"parameter stable_to = {self.stable_to}: want more than stable_from = {self.stable_from}")
        return self

    @property
    def tried(self) -> list[float]:
        """The steps that are tried, in ascending order."""
        return np.geomspace(self.stable_from, self.stable_to, self.stable_rungs).tolist()
