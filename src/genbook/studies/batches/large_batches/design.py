"""Small batches and large ones, for as many epochs and for as many updates, with and without ghost batches."""

from __future__ import annotations

import math
from typing import Self

from pydantic import model_validator

from genbook.base.recipes import SGD, Recipe, Step
from genbook.base.spec import parameter
from genbook.base.when import LogSpaced
from genbook.experiments import MLP, Condition, Dataset, Design, Images, Watch
from genbook.experiments.specs import HiddenWidths
from genbook.studies.batches.shared import check_batch

_LEARNED = Watch(("train accuracy", "train loss", "test accuracy", "distance"), LogSpaced(20))
_NOISE = Watch(("off-diagonal coherence",), LogSpaced(12))
#: The learning rate is constant for this part of the updates, and then a tenth.
HIGH = 2 / 3


class LargeBatchesSpec(Dataset):
    """One network trained on small batches, and on large ones with what is to make up for them."""

    n_train: int = parameter(500, "size of the training set, the same number of each class", "examples", ge=20)
    hidden: HiddenWidths = parameter((32, 32), "widths of the hidden layers", "units", min_length=1, max_length=4)
    small_batch: int = parameter(10, "examples in a small batch; at most a large one's", "examples", ge=1)
    large_batch: int = parameter(250, "examples in a large batch", "examples", ge=2)
    ghost_batch: int = parameter(
        10, "examples that are normalised together; at most a large batch, which it must divide", "examples", ge=2
    )
    epochs: int = parameter(16, "passes through the training set on small batches", "epochs", ge=1, le=10_000)
    learning_rate: float = parameter(0.02, "learning rate of the small batches", "", gt=0, le=10)
    momentum: float = parameter(0.9, "heavy-ball momentum", "", ge=0, lt=1)
    scaling: float = parameter(
        0.5, "power of the batch with which the learning rate is scaled (0 is a negative control)", "", ge=0, le=1
    )
    updates: float = parameter(
        1.0, "updates of the longest training on large batches, of those on small ones", "fraction", gt=0, le=1
    )

    @model_validator(mode="after")
    def _batches_fit(self) -> Self:
        check_batch(self, "large_batch")
        if self.large_batch % self.ghosts:
            raise ValueError(
                f"parameter ghost_batch = {self.ghost_batch}: want a divisor of large_batch = {self.large_batch}"
            )
        return self

    @property
    def small(self) -> int:
        """Examples in a small batch."""
        return min(self.small_batch, self.large_batch)

    @property
    def ghosts(self) -> int:
        """Examples in a ghost batch."""
        return min(self.ghost_batch, self.large_batch)

    def steps(self, batch: int) -> int:
        """Updates in all epochs."""
        return self.epochs * (self.n_train // batch)

    def recipe(self, batch: int, scaling: float, steps: int) -> Recipe:
        """Momentum at a high learning rate, then at a tenth of it."""
        rate = self.learning_rate * (batch / self.small) ** scaling
        return Recipe(steps, SGD(rate, self.momentum), batch, schedule=Step(math.ceil(HIGH * steps), 0.1))


def design(spec: LargeBatchesSpec) -> Design:
    """Six trainings of a seed; the last two of a network that is normalised by batch."""
    small, large = spec.small, spec.large_batch
    few, many = spec.steps(large), spec.steps(small)
    plain, whole = MLP(spec.hidden), MLP(spec.hidden, norm="batch")
    ghosts = MLP(spec.hidden, norm="batch", ghost=spec.ghosts)
    runs = {
        "small": (plain, spec.recipe(small, 0, many)),
        "large": (plain, spec.recipe(large, 0, few)),
        "scaled": (plain, spec.recipe(large, spec.scaling, few)),
        "long": (plain, spec.recipe(large, spec.scaling, max(few, round(spec.updates * many)))),
        "normalised": (whole, spec.recipe(large, spec.scaling, few)),
        "ghosts": (ghosts, spec.recipe(large, spec.scaling, few)),
    }
    images = Images(spec.dataset, spec.n_train)
    return Design(
        Condition({"run": run}, images, network, recipe, (_LEARNED, _NOISE) if run == "small" else (_LEARNED,))
        for run, (network, recipe) in runs.items()
    )
