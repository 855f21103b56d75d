"""Parameters of the study of easy and hard examples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Self

from pydantic import model_validator

from genbook.base.spec import parameter
from genbook.experiments import Dataset, Descent, HiddenWidths


class EasyHardSpec(Dataset, Descent):
    """Images ranked by how early networks learn them; the easy half and the hard half trained on apart."""

    n_train: int = parameter(1200, "images that are ranked; a multiple of four", "examples", ge=80)
    initialisations: int = parameter(8, "networks whose early errors rank the images; an even number", "", ge=2, le=100)
    early_steps: int = parameter(30, "steps after which the images are ranked", "steps", ge=1)
    halves: Literal["ranked", "random"] = parameter(
        "ranked", "what the easy and the hard half are: 'ranked' by difficulty, or 'random' (a negative control)"
    )
    labels: Literal["real", "shuffled"] = parameter(
        "real", "the 'real' labels, or 'shuffled' ones that mean nothing (a negative control)"
    )
    hidden: HiddenWidths = parameter((64,), "widths of the hidden layers", "units", min_length=1, max_length=6)
    learning_rate: float = parameter(0.1, "learning rate of stochastic gradient descent", "", gt=0, le=100)
    steps: int = parameter(1000, "gradient steps on a half, and on all images", "steps", ge=10, le=10**7)
    n_measurements: int = parameter(25, "log-spaced steps at which coherence is measured", "", ge=5)

    def training_sets(self) -> Sequence[int]:
        """The smallest training set: half of a half."""
        return (self.n_train // 4,)

    @model_validator(mode="after")
    def _divides(self) -> Self:
        """Halves are split again into a half to train on and a half to test on; networks into two juries."""
        if self.n_train % 4 or self.initialisations % 2:
            raise ValueError(
                f"parameters n_train = {self.n_train}, initialisations = {self.initialisations}: "
                "want a multiple of four and an even number"
            )
        return self
