"""Random versus real labels: the same networks on the same images with labels that mean less and less."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, Self

from pydantic import model_validator

from genbook.base.spec import parameter
from genbook.base.when import AtEnd, LogSpaced
from genbook.experiments import (
    MLP,
    Condition,
    Dataset,
    Descent,
    Design,
    Fraction,
    Growing,
    HiddenWidths,
    Images,
    Labels,
    Watch,
)

CURVES = ("train accuracy", "train loss", "test accuracy")
AT_END = ("weight norm", "distance")
FACTS = ("steps to fit", "wrong labels", "classes", "parameters")


class RandomLabelsSpec(Dataset, Descent):
    """Networks trained to fit one training set whose labels are real, partly random or all random."""

    n_train: int = parameter(300, "size of the training set, the same number of each class", "examples", ge=20)
    noise_levels: Growing[Fraction] = parameter(
        (0.0, 0.25, 0.5, 0.75, 1.0),
        "fractions of the training labels drawn anew, uniformly over all classes",
        "fraction",
        min_length=2,
        max_length=20,
    )
    labels: Literal["real", "shuffled", "kept"] = parameter(
        "real",
        "what a fraction of zero random labels means: 'real'; 'shuffled' gives every condition labels without meaning; "
        "'kept' draws no label anew in any condition (both are negative controls)",
    )
    hidden: HiddenWidths = parameter((64, 64), "widths of the hidden layers", "units", min_length=1, max_length=6)
    steps: int = parameter(8_000, "longest training; a network that has fitted stops earlier", "steps", ge=10, le=10**7)
    fit_accuracy: float = parameter(
        1.0, "training accuracy at which a network counts as fitted", "fraction", gt=0, le=1
    )
    control_start: float = parameter(
        3.0, "scale of the first weights of the networks with a larger start", "of the others'", gt=0, le=100
    )
    control_step: float = parameter(
        10.0, "learning rate of the networks with larger steps", "of learning_rate", gt=0, le=1000
    )
    n_measurements: int = parameter(60, "log-spaced steps at which everything is measured", "", ge=5)

    @model_validator(mode="after")
    def _comparable(self) -> Self:
        """Real labels are one side of every comparison."""
        if self.noise_levels[0] != 0:
            raise ValueError(f"parameter noise_levels = {list(self.noise_levels)}: want 0 (real labels) first")
        return self


def design(spec: RandomLabelsSpec) -> Design:
    """A condition for each noise level; on real and on the most random labels also controls that leave labels alone.

    The controls, with a larger start or with larger steps, move measures of the weights.
    """
    return Design(_conditions(spec))


def _conditions(spec: RandomLabelsSpec) -> Iterator[Condition]:
    at, ends = LogSpaced(spec.n_measurements), (spec.noise_levels[0], spec.noise_levels[-1])
    watch = (Watch(CURVES, at), Watch(("m-coherence",), at, layers=True), Watch(AT_END, AtEnd()))
    sharpness = (Watch(("sharpness",), AtEnd(), tolerance=1e-2),)
    base = Labels().shuffled() if spec.labels == "shuffled" else Labels()

    def condition(noise: float, network: str = "base", start: float = 1.0, step: float = 1.0) -> Condition:
        return Condition(
            {"noise": noise, "network": network},
            Images(spec.dataset, spec.n_train, base.redrawn(0.0 if spec.labels == "kept" else noise)),
            MLP(spec.hidden),
            spec.recipe(learning_rate=step * spec.learning_rate, init_scale=start, stop_at_accuracy=spec.fit_accuracy),
            watch,
            at_end=sharpness if noise in ends else (),
            facts=FACTS,
        )

    for noise in spec.noise_levels:
        yield condition(noise)
    for noise in ends:
        yield condition(noise, "larger start", start=spec.control_start)
        yield condition(noise, "larger steps", step=spec.control_step)
