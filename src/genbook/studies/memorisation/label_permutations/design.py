"""Label permutations: blocks of images exchange their labels, from whole classes down to single examples."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from genbook.base.recipes import SGD
from genbook.base.spec import parameter
from genbook.base.when import AtFractions
from genbook.data import N_CLASSES
from genbook.experiments import (
    MLP,
    Condition,
    Continuation,
    Dataset,
    Descent,
    Design,
    Growing,
    HiddenWidths,
    Images,
    Labels,
    Watch,
)

QUANTITIES = ("train accuracy", "train loss", "m-coherence")
FACTS = ("steps to fit", "wrong labels")
_POINTS = 24  # of each continuation at which coherence is measured


class LabelPermutationsSpec(Dataset, Descent):
    """Networks trained on labels permuted over blocks of images, stopped at one accuracy and watched going on."""

    n_train: int = parameter(300, "size of the training set, the same number of each class", "examples", ge=20)
    blocks: Growing[Annotated[int, Field(ge=1, le=10_000)]] = parameter(
        (1, 3, 10, 30),
        "blocks that a class is cut into before labels are permuted over all blocks: with 1 whole classes exchange "
        "their names; with as many as the class has images, every label is drawn at random",
        "per class",
        min_length=2,
        max_length=8,
    )
    cut: Literal["like images", "at random"] = parameter(
        "like images", "what a block holds: 'like images' of one class, or images 'at random' (a negative control)"
    )
    hidden: HiddenWidths = parameter((64, 64), "widths of the hidden layers", "units", min_length=1, max_length=6)
    steps: int = parameter(
        12_000, "longest training until that accuracy; then the network is taken as it is", "steps", ge=10, le=10**7
    )
    level: float = parameter(
        0.8, "training accuracy at which a network is stopped and looked at", "fraction", gt=0, le=1
    )
    time: float = parameter(4.0, "how long it is watched from there: steps times the learning rate", "", gt=0)
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


def design(spec: LabelPermutationsSpec) -> Design:
    """The real labels (0 blocks) and a condition for each cut, all stopped at one accuracy and continued twice."""
    stopped = spec.recipe(stop_at_accuracy=spec.level, check_every=10)
    before = replace(spec.recipe(), steps=_steps(spec, "as before"))
    small = replace(before, steps=_steps(spec, "small steps"), optimiser=SGD(spec.small_learning_rate), batch_size=None)
    continued = (
        Continuation("as before", before, (Watch(QUANTITIES, AtFractions(tuple(np.linspace(0, 1, _POINTS)))),)),
        Continuation("small steps", small, (Watch(QUANTITIES, AtFractions(tuple(np.geomspace(0.005, 1, _POINTS)))),)),
    )
    cuts = {min(count, spec.n_train // N_CLASSES) for count in spec.blocks}
    return Design(
        Condition(
            {"blocks": count},
            Images(spec.dataset, spec.n_train, _labels(count, spec.cut)),
            MLP(spec.hidden),
            stopped,
            watch=(),
            continued=continued,
            facts=FACTS,
        )
        for count in (0, *sorted(cuts))
    )


def _steps(spec: LabelPermutationsSpec, phase: str) -> int:
    return max(1, round(spec.time / spec.learning_rate_of(phase)))


def _labels(count: int, cut: str) -> Labels:
    return Labels().exchanged(count, alike=cut == "like images") if count else Labels()
