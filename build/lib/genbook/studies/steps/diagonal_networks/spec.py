"""Parameters of diagonal linear networks trained at learning rates up to the largest that trains."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from genbook.base.spec import Spec, parameter
from genbook.experiments import Growing


class DiagonalNetworksSpec(Spec):
    """Regression without noise, with fewer examples than inputs, by a network whose weights are products u·v."""

    n_train: int = parameter(40, "training examples, fewer than inputs", "examples", ge=4, le=500)
    inputs: int = parameter(100, "dimensions of an input", "", ge=5, le=1000)
    used: Growing[Annotated[float, Field(gt=0, le=1)]] = parameter(
        (0.05, 0.1, 1.0),
        "parts of the inputs that the teachers use: claims are about the first and the last",
        "",
        min_length=1,
    )
    length: float = parameter(2.0, "length of the teacher's weights", "", gt=0, le=100)
    start: float = parameter(0.1, "u at the start over √2; v starts at zero", "", gt=0, le=10)
    batch_size: int = parameter(
        1, "examples in the small steps; at most all (then they are a negative control)", "examples", ge=1
    )
    fractions: Growing[Annotated[float, Field(gt=0, lt=1)]] = parameter(
        (0.1, 0.3, 0.5, 0.7), "learning rates, as fractions of the largest that trains", "", min_length=2
    )
    steps: int = parameter(30_000, "gradient steps of small batches", "steps", ge=10, le=10**7)
    whole_steps: int = parameter(6_000, "gradient steps of the whole set", "steps", ge=10, le=10**7)
    annealed_after: float = parameter(
        0.6, "part of the steps after which the learning rate becomes small", "", gt=0, lt=1
    )
    annealed_sooner: Growing[Annotated[float, Field(gt=0, lt=1)]] = parameter(
        (0.002, 0.01), "the same for more networks at the largest of the learning rates", "", min_length=1
    )
    annealed_by: float = parameter(20.0, "factor by which it does", "", ge=1, le=1e4)
    bisections: int = parameter(
        8, "bisections in the search for the largest learning rate that trains", "", ge=1, le=40
    )

    @model_validator(mode="after")
    def _underdetermined(self) -> Self:
        if self.n_train >= self.inputs:
            raise ValueError(f"parameter n_train = {self.n_train}: want fewer than inputs = {self.inputs}")
        if self.annealed_sooner[-1] >= self.annealed_after:
            raise ValueError(
                f"parameter annealed_sooner = {list(self.annealed_sooner)}: want less than annealed_after = "
                f"{self.annealed_after}"
            )
        return self
