"""Accuracy and loss, by group and by the labels given or true."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from genbook.base.errors import TrainingError
from genbook.probes.probe import Measurement, Probe

if TYPE_CHECKING:
    from genbook.training.view import View


def _by_group(view: View, on: str, values: Tensor, quantity: str, labels: str) -> Iterable[Measurement]:
    """Means over all examples and over each group of values [R, n]."""
    yield Measurement(quantity, values.mean(1), on, labels, "all")
    for name, mask in view.sets.groups(on).items():
        count = mask.sum(1)
        mean = (values * mask).sum(1) / count.clamp(min=1)
        yield Measurement(quantity, mean, on, labels, name, present=count > 0)


@dataclass(frozen=True)
class Accuracy(Probe):
    """Fraction classified as labelled ("given" or "true"), of all examples and of each group; quantity "accuracy"."""

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


@dataclass(frozen=True)
class LossSpread(Probe):
    """The standard deviation of the examples' losses on the labels as given; quantity "loss spread"."""

    on: str = "train"

    def measure(self, view: View) -> Iterable[Measurement]:
        """From the outputs alone."""
        yield Measurement("loss spread", view.values(self.on).to(torch.float64).std(1), self.on, "given", "all")


@dataclass(frozen=True)
class Margin(Probe):
    """The examples' median margin, by the labels as given; quantity "margin".

    A margin is by how much the output of an example's class exceeds the largest of the others: negative where the
    example is not classified as labelled.
    """

    on: str = "train"

    def measure(self, view: View) -> Iterable[Measurement]:
        """From the outputs alone."""
        outputs, classes = view.outputs(self.on), view.sets.targets(self.on).unsqueeze(1)
        if classes.is_floating_point():
            raise TrainingError("a margin is that of a class; these targets are numbers")
        others = outputs.scatter(1, classes, -torch.inf).amax(1)
        margins = outputs.gather(1, classes).squeeze(1) - others
        yield Measurement("margin", margins.to(torch.float64).median(1).values, self.on, "given", "all")


@dataclass(frozen=True)
class ExampleLoss(Probe):
    """Each example's own loss on its label as given; quantity "example loss", the example's place as the group."""

    on: str = "train"

    def measure(self, view: View) -> Iterable[Measurement]:
        """As many measurements as there are examples."""
        for place, values in enumerate(view.values(self.on).to(torch.float64).unbind(1)):
            yield Measurement("example loss", values, self.on, "given", str(place))
