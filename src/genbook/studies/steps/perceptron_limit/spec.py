"""Parameters of logistic regression with steps from small to enormous."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from genbook.base.spec import Spec, parameter


class PerceptronLimitSpec(Spec):
    """Points that a plane separates, fitted by full-batch gradient descent on the logistic loss from zero weights."""

    points: int = parameter(60, "training points", "points", ge=4, le=2000)
    inputs: int = parameter(20, "dimensions of a point", "", ge=2, le=1000)
    margin: float = parameter(0.1, "least distance of a point from the separating plane", "", gt=0, le=10)
    step_sizes: tuple[Annotated[float, Field(gt=0, le=1e9)], ...] = parameter(
        (0.1, 1.0, 10.0, 100.0, 1e4, 1e6), "step sizes of gradient descent", "", min_length=2, max_length=12
    )
    longest: int = parameter(20_000, "steps after which an unfinished run is given up", "steps", ge=10, le=10**6)
    shown_steps: int = parameter(100, "first steps whose loss and error are kept for the figures", "steps", ge=5)
    separable: Literal["yes", "no"] = parameter(
        "yes", "whether labels follow the plane ('no' draws them by lot: then nothing is promised)"
    )

    @model_validator(mode="after")
    def _growing(self) -> Self:
        """Claims compare the first step size with the last."""
        if sorted(set(self.step_sizes)) != list(self.step_sizes):
            raise ValueError(f"parameter step_sizes = {list(self.step_sizes)}: want step sizes that grow")
        return self
