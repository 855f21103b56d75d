"""What can be watched while replicas train: each probe is one class with its schedule, and costs nothing otherwise.

probes = [Accuracy("train", at=Epochs()), Accuracy("test", at=LogSpaced(20)), WeightNorm(at=Every(100))]
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from genbook.training.view import View


@dataclass(frozen=True)
class Every:
    """Every `steps` steps, from step 0 on; with `end`, also where a replica stops."""

    steps: int
    end: bool = True

    def due(self, total: int, steps_per_epoch: int) -> set[int]:
        """The steps of a run of `total` steps at which to measure."""
        return set(range(0, total + 1, self.steps))


@dataclass(frozen=True)
class Epochs:
    """Every `every` epochs, from step 0 on; with `end`, also where a replica stops."""

    every: int = 1
    end: bool = True

    def due(self, total: int, steps_per_epoch: int) -> set[int]:
        """The steps of a run of `total` steps at which to measure."""
        return set(range(0, total + 1, self.every * steps_per_epoch))


@dataclass(frozen=True)
class LogSpaced:
    """Step 0 and `points` steps spaced evenly on a log scale up to the last; fewer where rounding makes them meet."""

    points: int
    end: bool = True

    def due(self, total: int, steps_per_epoch: int) -> set[int]:
        """The steps of a run of `total` steps at which to measure."""
        return {0, *np.geomspace(1, total, self.points).round().astype(int).tolist()}


@dataclass(frozen=True)
class AtSteps:
    """The steps named; with `end`, also where a replica stops."""

    steps: tuple[int, ...]
    end: bool = False

    def due(self, total: int, steps_per_epoch: int) -> set[int]:
        """The steps of a run of `total` steps at which to measure."""
        return {step for step in self.steps if 0 <= step <= total}


@dataclass(frozen=True)
class AtEpochs:
    """The ends of the epochs named (0 is the start); with `end`, also where a replica stops."""

    epochs: tuple[int, ...]
    end: bool = False

    def due(self, total: int, steps_per_epoch: int) -> set[int]:
        """The steps of a run of `total` steps at which to measure."""
        return {e * steps_per_epoch for e in self.epochs if 0 <= e * steps_per_epoch <= total}


@dataclass(frozen=True)
class AtEnd:
    """Only where a replica stops: fitted, or at the last step."""

    end: bool = True

    def due(self, total: int, steps_per_epoch: int) -> set[int]:
        """None on the way."""
        return set()


ProbeSchedule = Every | Epochs | LogSpaced | AtSteps | AtEpochs | AtEnd


@dataclass
class Measurement:
    """One quantity of R replicas: `values` [R], and what tells it from others of its kind.

    Rows whose `present` [R] is false are left out: the replica has no such group.
    """

    quantity: str
    values: Tensor
    on: str = ""
    labels: str = ""
    group: str = ""
    layer: str = ""
    present: Tensor | None = None


@dataclass(frozen=True)
class Probe:
    """A quantity with its schedule; a subclass measures it on a `View`."""

    at: ProbeSchedule = field(default_factory=Epochs, kw_only=True)

    def measure(self, view: View) -> Iterable[Measurement]:
        """What there is to say of the replicas in view."""
        raise NotImplementedError(f"{type(self).__name__} must define measure(view)")


def _by_group(view: View, on: str, values: Tensor, quantity: str, labels: str) -> Iterable[Measurement]:
    """Means over all examples and over each group of values [R, n]."""
    yield Measurement(quantity, values.mean(1), on, labels, "all")
    for name, mask in view.sets.groups(on).items():
        count = mask.sum(1)
        mean = (values * mask).sum(1) / count.clamp(min=1)
        yield Measurement(quantity, mean, on, labels, name, present=count > 0)


@dataclass(frozen=True)
class Accuracy(Probe):
    """The share classified as labelled ("given" or "true"), of all examples and of each group; quantity "accuracy"."""

    on: str = "train"
    labels: str = "given"

    def measure(self, view: View) -> Iterable[Measurement]:
        """Means over examples."""
        correct = view.correct(self.on, self.labels).to(torch.float64)
        return _by_group(view, self.on, correct, "accuracy", self.labels)


@dataclass(frozen=True)
class MeanLoss(Probe):
    """The mean loss by the labels "given" or "true", of all examples and of each group; quantity "loss"."""

    on: str = "train"
    labels: str = "given"

    def measure(self, view: View) -> Iterable[Measurement]:
        """Means over examples."""
        values = view.values(self.on, self.labels).to(torch.float64)
        return _by_group(view, self.on, values, "loss", self.labels)


def _trained(view: View) -> list[tuple[str, Tensor]]:
    return [(name, p.detach()) for name, p in view.model.named_parameters() if p.requires_grad]


def _norms(named: Iterable[tuple[str, Tensor]], quantity: str) -> Iterable[Measurement]:
    squares = {name: values.flatten(1).to(torch.float64).square().sum(1) for name, values in named}
    yield Measurement(quantity, sum(squares.values()).sqrt(), layer="all")
    for name, square in squares.items():
        yield Measurement(quantity, square.sqrt(), layer=name)


@dataclass(frozen=True)
class WeightNorm(Probe):
    """The Euclidean norm of the trained parameters, all and each; quantity "weight norm"."""

    def measure(self, view: View) -> Iterable[Measurement]:
        """Norms."""
        return _norms(_trained(view), "weight norm")


@dataclass(frozen=True)
class DistanceFromInitialisation(Probe):
    """The Euclidean distance of the trained parameters from their start, all and each; quantity "distance"."""

    def measure(self, view: View) -> Iterable[Measurement]:
        """Norms of the differences."""
        moved = ((n, p - start) for (n, p), start in zip(_trained(view), view.initial, strict=True))
        return _norms(moved, "distance")
