"""The interventions: what is done to the training of random features, one thing at a time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Literal

from genbook.studies.descent.random_features.spec import FeatureMap, RandomFeaturesSpec

#: Numbers of features over n at which peaks are measured, fixed beforehand: at the peak and on either side.
SITES = (0.25, 1.0, 4.0)

Method = Literal["descent", "private", "average", "stochastic", "adam"]


@dataclass(frozen=True)
class Condition:
    """One way to train. ``family`` and ``setting`` name it; what else differs from the base is told by the rest.

    ``strength``: of a ridge or of private features, in units of the mean eigenvalue. ``start``: standard deviation of
    the initial weights. ``clean``: trained on the true labels.
    """

    family: str
    setting: str
    how: FeatureMap
    steps: float
    learning_rate: float = 1.0
    start: float = 0.0
    method: Method = "descent"
    strength: float = 0.0
    batch_size: int = 0
    clean: bool = False

    @property
    def sites_only(self) -> bool:
        """Whether it costs too much for every width."""
        return self.method in ("average", "stochastic", "adam")


def middle(spec: RandomFeaturesSpec) -> int:
    """The number of steps at which everything but the steps is varied."""
    return spec.steps[len(spec.steps) // 2]


def of_the_optimiser(spec: RandomFeaturesSpec) -> list[Condition]:
    """What changes how far training gets: steps, learning rate, conditioning, start, batch size, optimiser."""
    base, some, taken, rate, size = spec.base_map, middle(spec), spec.taken_steps, spec.learning_rate, spec.batch_size
    maps: tuple[FeatureMap, ...] = ("uneven", "raw", "standardised", "whitened")
    real = partial(Condition, how=base, steps=taken)
    return [
        *(Condition("steps", f"{steps:,}", base, steps, rate) for steps in spec.steps),
        *(Condition("learning rate", f"{part:g} / λ", base, some, part * rate) for part in (0.01, 0.1, 1.0)),
        *(Condition("features", how, how, some, rate) for how in maps),
        *(Condition("initial weights", f"{start:g}", base, some, rate, start) for start in (0.0, 0.5, 2.0)),
        *(real("batch size", str(b), method="stochastic", batch_size=b) for b in (max(1, size // 10), size)),
        real("batch size", "all", learning_rate=rate),
        *(real("optimiser", f"Adam {r:g}", learning_rate=r, method="adam", batch_size=size) for r in (0.01, 0.1)),
        real("optimiser", "SGD", method="stochastic", batch_size=size),
    ]


def of_the_problem(spec: RandomFeaturesSpec) -> list[Condition]:
    """What changes the function that training ends with: ridge, private features, averaging, true labels."""
    solved = partial(Condition, how=spec.base_map, steps=math.inf)
    long = partial(Condition, how=spec.base_map, steps=spec.steps[-1], learning_rate=spec.learning_rate)
    return [
        *(solved("ridge", f"{ridge:g}", strength=ridge) for ridge in sorted({1e-4, 1e-2, 1.0, spec.private})),
        solved("private features", "each its own", method="private", strength=spec.private),
        long("averaging", f"{spec.members} networks", method="average"),
        long("labels", "true", clean=True),
    ]
