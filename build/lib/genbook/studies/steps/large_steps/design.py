"""Networks that differ in their learning rate alone, and one whose learning rate becomes small."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from genbook.base.recipes import SGD, Recipe
from genbook.base.spec import parameter
from genbook.base.when import AtFractions
from genbook.data import DatasetName
from genbook.experiments import (
    MLP,
    Condition,
    Continuation,
    Dataset,
    Design,
    Growing,
    HiddenWidths,
    Images,
    Labels,
    Watch,
)

#: How the one network is called whose learning rate becomes small, and the phase in which it is.
DECAYED = "decayed"
_CURVES = ("train loss", "train accuracy", "test accuracy", "m-coherence")
_FIRST_MEASURED = 0.02  # fraction of a training before which nothing is measured but its start
_SHARPNESS_EXAMPLES = 300
_MOST_STEPS = 10**7


class LargeStepsSpec(Dataset):
    """Networks trained from one start at constant learning rates, and one at a large rate that becomes small."""

    dataset: DatasetName = parameter("mnist1d", "the images and their real labels")
    n_train: int = parameter(1000, "size of the training set, the same number of each class", "examples", ge=20)
    noise_levels: Growing[Annotated[float, Field(ge=0, lt=1)]] = parameter(
        (0.0, 0.2), "fractions of the training labels replaced by a wrong one", "fraction", min_length=1, max_length=4
    )
    test_labels: Literal["real", "shuffled"] = parameter(
        "real", "labels of the test set ('shuffled' leaves nothing to generalize to: a negative control)"
    )
    hidden: HiddenWidths = parameter((100,), "widths of the hidden layers", "units", min_length=1, max_length=6)
    batch_size: int = parameter(50, "examples in one gradient step", "examples", ge=1)
    learning_rates: Growing[Annotated[float, Field(ge=1e-6, le=100)]] = parameter(
        (0.02, 0.1, 0.4, 1.0, 2.0), "constant learning rates, before scale", "", min_length=2, max_length=12
    )
    scale: float = parameter(
        1.0, "multiple of all learning rates: another data set has another edge", "", ge=1e-3, le=100
    )
    time: float = parameter(420.0, "longest training: steps × learning rate, before scale", "steps", gt=0)
    min_steps: int = parameter(1600, "gradient steps that a training has at least", "steps", ge=20, le=_MOST_STEPS)
    loss_level: float = parameter(0.1, "training loss at which networks are compared", "nats", gt=0, le=2)
    decay_accuracy: float = parameter(
        0.8, "training accuracy at which one more network's learning rate becomes small", "fraction", gt=0, lt=1
    )
    decay_from: float = parameter(1.0, "its learning rate until then, before scale", "", ge=1e-6, le=100)
    decay_to: float = parameter(0.1, "its learning rate from then on, before scale", "", ge=1e-6, le=100)
    n_measurements: int = parameter(
        20, "steps of each training at which everything is measured, log-spaced", "", ge=4, le=100
    )

    @model_validator(mode="after")
    def _trains(self) -> Self:
        """A batch is a part of the training set, and the smallest learning rate comes to an end."""
        if self.batch_size > self.n_train:
            raise ValueError(f"parameter batch_size = {self.batch_size}: want at most n_train = {self.n_train}")
        smallest = min(*self.learning_rates, self.decay_from, self.decay_to)
        if self.time / smallest > _MOST_STEPS:
            raise ValueError(
                f"parameter time = {self.time:g}: divided by the smallest learning rate, {smallest:g}, it is more than "
                f"{_MOST_STEPS:,} gradient steps; want a shorter time or larger rates in learning_rates and decay_to"
            )
        return self

    def recipe(self, learning_rate: float) -> Recipe:
        """Descent at this learning rate, before scale; the smaller it is, the more steps."""
        steps = max(self.min_steps, round(self.time / learning_rate))
        return Recipe(steps, SGD(self.scale * learning_rate), self.batch_size, check_every=5)

    def watch(self) -> tuple[Watch, ...]:
        """Curves at all measured steps, sharpness at every fourth of them."""
        at = np.geomspace(_FIRST_MEASURED, 1, self.n_measurements).tolist()
        curvature = {"examples": _SHARPNESS_EXAMPLES, "tolerance": 5e-2, "max_iterations": 30}
        return Watch(_CURVES, AtFractions(tuple(at))), Watch(("sharpness",), AtFractions(tuple(at[::-4])), **curvature)


def design(spec: LargeStepsSpec) -> Design:
    """By noise, all constant learning rates, and one that becomes small; it is measured from there on alone."""
    tested = Labels().shuffled() if spec.test_labels == "shuffled" else Labels()
    begun = replace(spec.recipe(spec.decay_from), stop_at_accuracy=spec.decay_accuracy)
    goes_on = Continuation(DECAYED, spec.recipe(spec.decay_to), spec.watch(), only_fitted=True)

    def condition(
        noise: float, run: str, rate: float, recipe: Recipe, watch: tuple[Watch, ...], *on: Continuation
    ) -> Condition:
        images = Images(spec.dataset, spec.n_train, Labels().wrong(noise), test_labels=tested)
        columns = {"noise": noise, "run": run, "learning rate": spec.scale * rate}
        return Condition(columns, images, MLP(spec.hidden), recipe, watch, continued=on)

    constant = [
        condition(noise, "constant", rate, spec.recipe(rate), spec.watch())
        for rate in spec.learning_rates
        for noise in spec.noise_levels
    ]
    decayed = [condition(noise, DECAYED, spec.decay_from, begun, (), goes_on) for noise in spec.noise_levels]
    return Design([*constant, *decayed])
