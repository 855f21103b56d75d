"""Parameters of the study of changing answers."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from genbook.base.spec import parameter
from genbook.experiments import Dataset, Descent, Fraction, Growing, HiddenWidths

#: What is kept of every example that is asked.
ANSWER, GIVEN, TRUE = "answer", "given label", "true label"


class ChangingAnswersSpec(Dataset, Descent):
    """Networks whose labels are real, partly random or all random, each asked about the same examples as it learns."""

    n_train: int = parameter(300, "size of the training set, the same number of each class", "examples", ge=20)
    noise_levels: Growing[Fraction] = parameter(
        (0.0, 0.25, 0.5, 0.75, 1.0),
        "fractions of the training labels drawn anew, uniformly over all classes",
        "fraction",
        min_length=3,
        max_length=10,
    )
    labels: Literal["real", "shuffled"] = parameter(
        "real", "what is drawn anew: 'real' labels, or 'shuffled' ones that mean nothing (a control)"
    )
    watched: int = parameter(40, "training examples whose answers are kept, the first ones", "examples", ge=10, le=1000)
    hidden: HiddenWidths = parameter((64, 64), "widths of the hidden layers", "units", min_length=1, max_length=6)
    learning_rate: float = parameter(0.1, "learning rate of stochastic gradient descent", "", gt=0, le=100)
    steps: int = parameter(2000, "gradient steps", "steps", ge=10, le=10**7)
    n_measurements: int = parameter(30, "log-spaced steps at which every example is asked", "", ge=5)

    @model_validator(mode="after")
    def _comparable(self) -> Self:
        """Real labels are one side of the comparison, and nobody watches more examples than there are."""
        if self.noise_levels[0] != 0:
            raise ValueError(f"parameter noise_levels = {list(self.noise_levels)}: want 0 (real labels) first")
        if self.watched > self.n_train:
            raise ValueError(f"parameter watched = {self.watched}: there are only {self.n_train} examples")
        return self
