"""Parameters of the study of memorisation scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Self

from pydantic import model_validator

from genbook.base.spec import parameter
from genbook.experiments import Dataset, Descent, Fraction
from genbook.studies.noise.shared import check_some_wrong

#: A kind of which the training set shows so few images is rare, one of which it shows so many is frequent.
RARE, FREQUENT = 2, 8


class MemorisationScoresSpec(Dataset, Descent):
    """Many networks, each on a random part of a training set with frequent and rare kinds of images in each class."""

    n_train: int = parameter(400, "size of the training set; where kinds run out of images, less", "examples", ge=60)
    kinds: int = parameter(10, "kinds of images in each class, by k-means", "", ge=2, le=50)
    exponent: float = parameter(1.0, "exponent of Zipf's law, by which kinds of a class are frequent", "", ge=0, le=3)
    noise: float = parameter(0.1, "fraction of the labels that are wrong, where some are", "fraction", gt=0, lt=1)
    labels: Literal["real", "shuffled"] = parameter(
        "real", "'real' labels, or 'shuffled' ones that mean nothing (a negative control)"
    )
    networks: int = parameter(40, "networks by which examples are scored; an even number", "", ge=8, le=10_000)
    part: float = parameter(
        0.7, "fraction of the training set that each of them is trained on", "fraction", gt=0.2, lt=0.95
    )
    scores: Literal["measured", "shuffled"] = parameter(
        "measured", "'measured', or 'shuffled' among the examples of a class (a negative control)"
    )
    removed: Fraction = parameter(
        0.1, "fraction of the training set that is removed, by score or at random", "fraction"
    )
    judges: int = parameter(10, "networks that are trained on what is left", "", ge=1, le=1000)
    observed: int = parameter(4, "networks whose per-example gradients are followed", "", ge=1, le=100)
    n_measurements: int = parameter(10, "log-spaced steps at which these are measured", "", ge=3)
    early_epochs: int = parameter(5, "epochs after which EL2N and the cosines are taken", "epochs", ge=1)
    width: int = parameter(64, "width of the hidden layer", "units", ge=1, le=4096)
    learning_rate: float = parameter(0.2, "learning rate of stochastic gradient descent", "", gt=0, le=100)
    batch_size: int = parameter(40, "examples in one gradient step", "examples", ge=1)
    steps: int = parameter(400, "gradient steps", "steps", ge=10, le=10**7)

    def training_sets(self) -> Sequence[int]:
        """Parts of the training set, the smallest that may be drawn."""
        return (int(0.8 * self.n_train * min(self.part, 1 - self.removed)),)

    @model_validator(mode="after")
    def _possible(self) -> Self:
        """Networks come in halves, some labels are wrong, and something is left."""
        check_some_wrong(self.noise, self.n_train)
        if self.networks % 2:
            raise ValueError(f"parameter networks = {self.networks}: want an even number, for two halves")
        if self.removed > 0.5:
            raise ValueError(f"parameter removed = {self.removed:g}: want at most 0.5")
        if self.early_epochs * (self.n_train // self.batch_size) > self.steps:
            raise ValueError(
                f"parameter early_epochs = {self.early_epochs}: want them within steps = {self.steps}, which are "
                f"{self.steps * self.batch_size / self.n_train:.3g} epochs"
            )
        return self
