"""What the studies of memorisation share: networks stopped at one accuracy that go on as before or annealed."""

from __future__ import annotations

from dataclasses import replace
from typing import Self

import numpy as np
import pandas as pd
from pydantic import model_validator

from genbook.base.recipes import SGD, Recipe
from genbook.base.spec import parameter
from genbook.base.when import AtFractions
from genbook.experiments import Continuation, Dataset, Descent, HiddenWidths, Watch
from genbook.tables.readings import curve

#: Until when the small steps are given to anneal a network, as a fraction of the time that it is watched: short against
#: the time of learning, long against that of the sharp directions.
ANNEALED = 0.05
QUANTITIES = ("train accuracy", "train loss", "m-coherence")
_POINTS = 24  # of each continuation at which coherence is measured


class StoppedSpec(Dataset, Descent):
    """Networks stopped at one training accuracy and watched as they go on from there."""

    n_train: int = parameter(300, "size of the training set, the same number of each class", "examples", ge=20)
    hidden: HiddenWidths = parameter((64, 64), "widths of the hidden layers", "units", min_length=1, max_length=6)
    steps: int = parameter(
        12_000, "longest training until that accuracy; then the network is taken as it is", "steps", ge=10, le=10**7
    )
    level: float = parameter(
        0.8, "training accuracy at which a network is stopped and looked at", "fraction", gt=0, le=1
    )
    time: float = parameter(2.0, "how long it is watched from there: steps times the learning rate", "", gt=0)
    small_learning_rate: float = parameter(
        0.01, "learning rate of the small steps, each on all examples", "", gt=0, le=100
    )

    @model_validator(mode="after")
    def _watched(self) -> Self:
        """There is time for a small step, and no continuation takes more of them than a training may."""
        if self.small_learning_rate > self.time:
            raise ValueError(
                f"parameter small_learning_rate = {self.small_learning_rate}: want at most time = {self.time}"
            )
        for name in ("learning_rate", "small_learning_rate"):
            rate, least = getattr(self, name), self.time / 10**7
            if rate < least:
                raise ValueError(f"parameter {name} = {rate}: want at least {least:g}, which takes 10⁷ steps")
        return self

    def learning_rate_of(self, phase: str) -> float:
        """The learning rate with which training goes on."""
        return self.small_learning_rate if phase == "small steps" else self.learning_rate

    def stopped(self, factor: float = 1.0) -> Recipe:
        """How a network is trained until it is stopped, with ``factor`` times the learning rate."""
        return self.recipe(learning_rate=factor * self.learning_rate, stop_at_accuracy=self.level, check_every=10)

    def as_before(self, factor: float = 1.0) -> Continuation:
        """Going on with the same learning rate and batches, measured at even times."""
        recipe = replace(self.stopped(factor), stop_at_accuracy=None, check_every=None)
        recipe = replace(recipe, steps=max(1, round(self.time / recipe.optimiser.lr)))
        return Continuation("as before", recipe, _watch(np.linspace(0, 1, _POINTS)))

    def small_steps(self) -> Continuation:
        """Going on in small steps on all examples, measured most often at first."""
        recipe = Recipe(max(1, round(self.time / self.small_learning_rate)), SGD(self.small_learning_rate))
        return Continuation("small steps", recipe, _watch(np.geomspace(0.005, 1, _POINTS)))


def _watch(fractions: np.ndarray) -> tuple[Watch, ...]:
    return (Watch(QUANTITIES, AtFractions(tuple(fractions))),)


def annealed(table: pd.DataFrame, spec: StoppedSpec, quantity: str, by: str, phase: str) -> pd.Series:
    """A quantity in a phase once small steps would have annealed the network, indexed by (seed, ``by``, step)."""
    values = curve(table, quantity, by, phase=phase)
    time = values.index.get_level_values("step") * spec.learning_rate_of(phase)
    return values[time >= ANNEALED * time.max()]


def annealed_against_loss(table: pd.DataFrame, spec: StoppedSpec, by: str) -> pd.DataFrame:
    """m-coherence against training loss in small steps once they have annealed the network, by (seed, ``by``).

    As `genbook.tables.readings.at_equal_loss` takes it: columns ``loss`` and ``value``.
    """
    loss, value = (annealed(table, spec, name, by, "small steps") for name in ("train loss", "m-coherence"))
    return pd.DataFrame({"loss": loss, "value": value}).reset_index("step", drop=True)
