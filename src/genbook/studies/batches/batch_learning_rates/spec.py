"""Parameters of a network whose batches' curvature is measured, and which goes on at all learning rates from there."""

from __future__ import annotations

from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from genbook.base.recipes import SGD, Adam, Recipe
from genbook.base.spec import parameter
from genbook.base.when import AtSteps
from genbook.experiments import MLP, Condition, Dataset, Design, Growing, HiddenWidths, Images, Pretraining, Watch
from genbook.studies.batches.shared import check_batch

OPTIMISERS = {"SGD": SGD, "Adam": Adam}


class BatchLearningRatesSpec(Dataset):
    """One network in the middle of its training: its Hessian on batches, and the rates with which it can go on."""

    n_train: int = parameter(200, "size of the training set, the same number of each class", "examples", ge=20)
    hidden: HiddenWidths = parameter((16,), "widths of the hidden layers", "units", min_length=1, max_length=6)
    before: int = parameter(40, "gradient steps before anything is measured", "steps", ge=1, le=10**5)
    learning_rate: float = parameter(0.1, "learning rate of these steps", "", gt=0, le=10)
    before_batch: int = parameter(20, "examples in each of them", "examples", ge=1)
    batch_sizes: Growing[Annotated[int, Field(ge=1)]] = parameter(
        (1, 4, 16, 64), "batch sizes; at most all examples but one", "examples", min_length=2, max_length=12
    )
    draws: int = parameter(6, "batches of each size whose curvature is measured", "", ge=2, le=1000)
    averages: bool = parameter(
        True, "whether a batch has as many examples as its size says (false: copies of one, a negative control)"
    )
    along: Literal["sharpest", "random"] = parameter(
        "sharpest", "direction in which the noise of the curvature is measured ('random': a negative control)"
    )
    sgd_from: float = parameter(0.005, "smallest learning rate that is tried with SGD", "", gt=0, le=100)
    sgd_to: float = parameter(10.0, "largest learning rate that is tried with SGD", "", gt=0, le=1000)
    adam_from: float = parameter(0.0002, "smallest learning rate that is tried with Adam", "", gt=0, le=100)
    adam_to: float = parameter(5.0, "largest learning rate that is tried with Adam", "", gt=0, le=1000)
    n_tried: int = parameter(60, "learning rates that are tried with each, log-spaced", "", ge=2, le=400)
    steps: int = parameter(40, "gradient steps with each of them", "steps", ge=2, le=10**5)
    tolerated: float = parameter(
        1.0, "a rate is stable if the loss then is below this multiple of the loss before", "", gt=0, le=100
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        for kind in ("sgd", "adam"):
            low, high = (getattr(self, f"{kind}_{end}") for end in ("from", "to"))
            if low >= high:
                raise ValueError(f"parameter {kind}_to = {high}: want more than {kind}_from = {low}")
        check_batch(self, "before_batch")
        return self

    @property
    def sizes(self) -> list[int]:
        """The batch sizes, all smaller than the training set, in ascending order."""
        return list(dict.fromkeys(min(size, self.n_train - 1) for size in self.batch_sizes))

    def tried(self, optimiser: str) -> list[float]:
        """The learning rates that are tried with an optimiser, in ascending order."""
        ends = {"SGD": (self.sgd_from, self.sgd_to), "Adam": (self.adam_from, self.adam_to)}[optimiser]
        return np.geomspace(*ends, self.n_tried).tolist()

    def distinct(self, size: int) -> int:
        """How many distinct examples a batch of some size has."""
        return size if self.averages or size == self.n_train else 1

    def pretraining(self) -> Pretraining:
        """How the network is trained before."""
        recipe = Recipe(self.before, SGD(self.learning_rate), self.before_batch)
        return Pretraining(Images(self.dataset, self.n_train), recipe)

    def begun(self) -> Condition:
        """That training as a condition of its own, which ends with the weights at which curvature is measured."""
        first = self.pretraining()
        return Condition({}, first.images, MLP(self.hidden, "tanh"), first.recipe, ())

    def rates(self) -> Design:
        """From these weights on: both optimisers with all batch sizes, the whole set, and all learning rates."""
        first, ends = self.pretraining(), (Watch(("train loss",), AtSteps((), end=True)),)
        return Design(
            Condition(
                {"run": optimiser, "batch size": size, "learning rate": rate},
                first.images,
                MLP(self.hidden, "tanh"),
                Recipe(self.steps, OPTIMISERS[optimiser](rate), self.distinct(size)),
                ends,
                pretraining=first,
            )
            for optimiser in OPTIMISERS
            for size in (*self.sizes, self.n_train)
            for rate in self.tried(optimiser)
        )
