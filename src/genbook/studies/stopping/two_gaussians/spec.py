"""Parameters of the two Gaussians."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from genbook.base.spec import Spec, parameter


class TwoGaussiansSpec(Spec):
    """Points at ±v with Gaussian noise, some labels random, and a linear classifier (Liu et al., 2020)."""

    points: int = parameter(200, "size of the training set", "examples", ge=10, le=2000)
    dimensions: tuple[Annotated[float, Field(gt=0, le=50)], ...] = parameter(
        (0.9, 3.0, 9.0), "dimensions for each point, p/n", "", min_length=2, max_length=10
    )
    random_share: float = parameter(
        0.4, "share Δ of the labels drawn anew, uniformly over both: half of them become wrong", "fraction", gt=0, le=1
    )
    spread: float = parameter(
        4.0,
        "root mean square length of the noise, the centres being at distance 1 from 0; the same at every p",
        "",
        gt=0,
    )
    signal: Literal["present", "absent"] = parameter(
        "present", "'present'; 'absent' puts both centres at 0, so that labels mean nothing (a null world)"
    )
    descent_rate: float = parameter(1.0, "step size of full-batch gradient descent on the logistic loss", "", gt=0)
    descent_steps: int = parameter(1500, "length of the descent", "steps", ge=10, le=100_000)
    moments: int = parameter(40, "points along the descent at which everything is measured, log-spaced", "", ge=5)

    @model_validator(mode="after")
    def _growing(self) -> Self:
        """The last number of dimensions is compared with the first."""
        if sorted(set(self.dimensions)) != list(self.dimensions):
            raise ValueError(f"parameter dimensions = {list(self.dimensions)}: want growing numbers")
        return self
