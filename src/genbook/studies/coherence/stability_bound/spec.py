"""Parameters of the bound's evaluation."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from genbook.base.spec import Spec, parameter


class StabilityBoundSpec(Spec):
    """Small networks with labels that mean less and less, followed step by step."""

    dataset: Literal["digits", "mnist1d"] = parameter("digits", "the images and their labels")
    n_train: int = parameter(200, "training examples, m", "examples", ge=40, le=1000)
    noise_levels: tuple[Annotated[float, Field(ge=0, le=1)], ...] = parameter(
        (0.0, 0.25, 0.5, 0.75, 1.0),
        "shares of the labels drawn anew, of training and of fresh examples",
        "fraction",
        min_length=2,
        max_length=8,
    )
    labels: Literal["real", "shuffled"] = parameter(
        "real", "whether labels that are not drawn anew are real, or shuffled over the images (a null world)"
    )
    hidden: tuple[Annotated[int, Field(ge=1, le=256)], ...] = parameter(
        (16,), "widths of the hidden layers", "units", min_length=1, max_length=4
    )
    learning_rate: float = parameter(0.2, "step size of gradient descent", "", gt=0, le=1)
    steps: int = parameter(200, "full-batch steps", "steps", ge=5, le=5000)

    @model_validator(mode="after")
    def _comparable(self) -> Self:
        """Real labels are one side of every comparison."""
        if self.noise_levels[0] != 0 or sorted(set(self.noise_levels)) != list(self.noise_levels):
            raise ValueError(
                f"parameter noise_levels = {list(self.noise_levels)}: want 0 (real labels) first, then growing shares"
            )
        return self
