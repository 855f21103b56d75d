"""Parameters of the two data sets, of their networks of products, and of the random family around them."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from genbook.base.spec import Spec, parameter
from genbook.experiments import Growing


class TwoDataSetsSpec(Spec):
    """The data sets L and M, a linear model, its weights as products of factors, and data sets between L and M."""

    shared: Literal["as published", "hardly", "nowhere", "everywhere"] = parameter(
        "as published",
        "which data sets have the sixth input: L alone, L with hardly any of it, neither, or both (the last three are "
        "controls)",
    )
    learning_rate: float = parameter(0.1, "learning rate on L and M, and on products", "", gt=0, le=1)
    steps: int = parameter(60, "steps on L and M with one weight per input", "steps", ge=5, le=10_000)
    depths: Growing[Annotated[int, Field(ge=2, le=4)]] = parameter(
        (2, 3), "numbers of factors of which each weight is the product", "factors", min_length=1, max_length=3
    )
    init_scales: tuple[Annotated[float, Field(gt=0, le=0.9)], ...] = parameter(
        (0.5, 0.2, 0.1, 0.05), "starts of the factors, from large to small", "", min_length=2, max_length=8
    )
    spread: float = parameter(
        0.2, "each factor starts at its scale times a number drawn from 1 − spread to 1 + spread", "", ge=0, le=0.5
    )
    n_train: int = parameter(20, "training examples of the random family", "examples", ge=2, le=200)
    dimension: int = parameter(200, "dimensions of the random family", "", ge=10, le=2000)
    strengths: Growing[Annotated[float, Field(ge=0, le=5)]] = parameter(
        (0.0, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8),
        "strengths of the shared feature in the random family",
        "",
        min_length=3,
        max_length=8,
    )
    labels: Literal["real", "shuffled"] = parameter(
        "real", "whether the shared feature of the random family goes with the label ('shuffled': a negative control)"
    )

    @model_validator(mode="after")
    def _starts_fall(self) -> Self:
        """Claims compare the largest with the smallest start."""
        if sorted(set(self.init_scales), reverse=True) != list(self.init_scales):
            raise ValueError(
                f"parameter init_scales = {list(self.init_scales)}: want starts that fall, from large to small"
            )
        return self
