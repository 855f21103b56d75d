"""Parameters of small networks whose whole Hessian is diagonalised at the end of training."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from genbook.base.spec import parameter
from genbook.data.sources import N_CLASSES
from genbook.experiments import Dataset, Fraction, Growing


class HessianOutliersSpec(Dataset):
    """Networks of one hidden layer on some of the classes, on principal components of the inputs."""

    classes: Growing[Annotated[int, Field(ge=2, le=N_CLASSES)]] = parameter(
        (2, 4, 6, 8, 10), "numbers of classes", "classes", min_length=2, max_length=9
    )
    per_class: int = parameter(40, "training examples of each class", "examples", ge=4, le=400)
    merged: int = parameter(0, "labels that the classes are merged into (0: every class has its own)", "labels", ge=0)
    components: int = parameter(12, "principal components of an image that are inputs", "", ge=2, le=64)
    width: int = parameter(16, "units of the hidden layer", "units", ge=2, le=256)
    widths: Growing[Annotated[int, Field(ge=1, le=256)]] = parameter(
        (8, 16, 32), "widths that are compared", "units", min_length=2, max_length=6
    )
    compared: int = parameter(4, "number of classes where anything else is compared", "classes", ge=2, le=N_CLASSES)
    spreads: Growing[Annotated[float, Field(gt=0, le=10)]] = parameter(
        (0.25, 0.75), "standard deviations of clusters whose centres have 1", "", min_length=2, max_length=2
    )
    learning_rate: float = parameter(0.1, "learning rate", "", gt=0, le=10)
    momentum: float = parameter(0.9, "heavy-ball momentum", "", ge=0, lt=1)
    steps: int = parameter(200, "steps on all examples; none leaves the first weights", "steps", ge=0, le=10**6)
    small_batch: int = parameter(10, "examples of a small batch", "examples", ge=1, le=1000)
    other_start: bool = parameter(False, "whether small batches begin at other first weights, not at the end of large")
    outlier: Fraction = parameter(0.1, "an outlier is at least this fraction of the largest eigenvalue", "fraction")
    near_zero: Fraction = parameter(0.01, "near zero is at most this fraction of it", "fraction")

    @model_validator(mode="after")
    def _batch_fits(self) -> Self:
        if self.small_batch > self.compared * self.per_class:
            raise ValueError(
                f"parameter small_batch = {self.small_batch}: want at most the training set's size, "
                f"{self.compared * self.per_class}"
            )
        return self

    @property
    def drawn(self) -> int:
        """Images that a seed draws: a fifth more than are needed, since classes are not of one size."""
        return N_CLASSES * self.per_class * 6 // 5 + 2 * N_CLASSES
