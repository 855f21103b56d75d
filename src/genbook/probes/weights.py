"""How large the weights are, and how far they have moved."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from genbook.probes.probe import Measurement, Probe

if TYPE_CHECKING:
    from genbook.training.view import View


def _trained(view: View) -> list[tuple[str, Tensor]]:
    return [(name, p.detach()) for name, p in view.model.named_parameters() if p.requires_grad]


def _norms(named: Iterable[tuple[str, Tensor]], quantity: str) -> Iterable[Measurement]:
    squares = {name: values.flatten(1).to(torch.float64).square().sum(1) for name, values in named}
    yield Measurement(quantity, functools.reduce(torch.add, squares.values()).sqrt(), layer="all")
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
