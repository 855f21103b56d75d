"""The interventions: what is done to the training of random features, one thing at a time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from genbook.studies.descent.random_features.spec import FeatureMap, RandomFeaturesSpec

#: Numbers of features over n at which peaks are measured, fixed beforehand: at the peak and on either side.
SITES = (0.25, 1.0, 4.0)

Method = Literal["descent", "ridge", "private", "average", "stochastic", "adam"]


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
    rate: float = 1.0
    start: float = 0.0
    method: Method = "descent"
    strength: float = 0.0
    batch: int = 0
    clean: bool = False

    @property
    def sites_only(self) -> bool:
        """Whether it is too dear for every width."""
        return self.method in ("average", "stochastic", "adam")


def middle(spec: RandomFeaturesSpec) -> int:
    """The number of steps at which everything but the steps is varied."""
    return spec.descent_steps[len(spec.descent_steps) // 2]


def of_the_optimiser(spec: RandomFeaturesSpec) -> list[Condition]:
    """What changes how far training gets: steps, step size, conditioning, start, batch, optimiser."""
    base, some = spec.base_map, middle(spec)
    found = [Condition("steps", f"{steps:,}", base, steps, spec.rate) for steps in spec.descent_steps]
    found += [Condition("step size", f"{share:g} / λ", base, some, share * spec.rate) for share in (0.01, 0.1, 1.0)]
    maps: tuple[FeatureMap, ...] = ("uneven", "raw", "standardised", "whitened")
    found += [Condition("features", how, how, some, spec.rate) for how in maps]
    found += [Condition("initial weights", f"{start:g}", base, some, spec.rate, start) for start in (0.0, 0.5, 2.0)]
    taken = spec.taken_steps
    batches = (max(1, spec.batch // 10), spec.batch)
    found += [Condition("batch", str(size), base, taken, method="stochastic", batch=size) for size in batches]
    found.append(Condition("batch", "all", base, taken, spec.rate))
    found += [
        Condition("optimiser", f"Adam {rate:g}", base, taken, rate, method="adam", batch=spec.batch)
        for rate in (0.01, 0.1)
    ]
    found.append(Condition("optimiser", "SGD", base, taken, method="stochastic", batch=spec.batch))
    return found


def of_the_problem(spec: RandomFeaturesSpec) -> list[Condition]:
    """What changes the function that training ends with: ridge, private features, averaging, true labels."""
    base, last = spec.base_map, spec.descent_steps[-1]
    found = [
        Condition("ridge", f"{strength:g}", base, math.inf, method="ridge", strength=strength)
        for strength in (1e-4, 1e-2, 1.0)
    ]
    found.append(Condition("private features", "each its own", base, math.inf, method="private", strength=spec.private))
    found.append(Condition("averaging", f"{spec.members} networks", base, last, spec.rate, method="average"))
    found.append(Condition("labels", "true", base, last, spec.rate, clean=True))
    return found
