"""Parameters of the networks on the squared loss."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from genbook.base.spec import parameter
from genbook.experiments import Dataset, Fraction, Growing


class HiddenEigenvaluesSpec(Dataset):
    """Networks of one hidden layer and growing width, full-batch descent on the squared loss."""

    n_train: int = parameter(80, "size of the training set, the same number of each class", "examples", ge=20)
    copies: int = parameter(
        1, "how often each of its images stands in it: with 2, half as many are distinct (a control)", "", ge=1, le=10
    )
    noise: Fraction = parameter(0.2, "fraction of the training labels that are wrong", "fraction")
    widths: Growing[Annotated[float, Field(gt=0, le=64)]] = parameter(
        (0.0625, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0),
        "units of the hidden layer, over the number of training examples",
        min_length=4,
        max_length=20,
    )
    first_layer: Literal["learns", "fixed"] = parameter(
        "learns", "whether the first layer learns in the networks that are trained whole ('fixed': a control)"
    )
    learning_rate: float = parameter(0.1, "learning rate of descent on the whole training set", gt=0, le=10)
    momentum: float = parameter(0.9, "heavy-ball momentum; it begins anew wherever is measured", ge=0, lt=1)
    steps: Growing[Annotated[int, Field(ge=1, le=10**6)]] = parameter(
        (30, 300, 3000), "steps after which everything is measured", "steps", min_length=2, max_length=8
    )

    def distinct(self) -> int:
        """The number of distinct training images."""
        return self.n_train // self.copies

    @model_validator(mode="after")
    def _comparable(self) -> Self:
        """The widths that claims compare are there, each with a unit at least, and copies fill the training set."""
        if not {0.125, 0.25, 1, 4} <= set(self.widths):
            raise ValueError(f"parameter widths = {list(self.widths)}: want 0.125, 0.25, 1 and 4 among them")
        if self.n_train % self.copies:
            raise ValueError(f"parameter copies = {self.copies}: want a divisor of n_train = {self.n_train}")
        if round(self.widths[0] * self.n_train) < 1:
            raise ValueError(f"parameter widths = {list(self.widths)}: the first has no unit")
        return self
