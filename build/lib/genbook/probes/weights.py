"""How large the weights are, and how far they have moved."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from genbook.base.errors import TrainingError
from genbook.models import written
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


@dataclass(frozen=True)
class PathNorm(Probe):
    """The path norm of Neyshabur et al. (2017), for dense layers with ReLUs; quantity "path norm".

    The root of the sum, over all paths from an input or a bias to an output, of the product of the squared weights on
    them. It does not change where a unit's incoming weights are multiplied by a number and its outgoing ones divided.
    """

    def measure(self, view: View) -> Iterable[Measurement]:
        """One forward pass of a vector of ones through the squared weights."""
        model = view.model
        if not (written.is_mlp(model) and all(isinstance(layer, nn.ReLU) for layer in list(model)[1::2])):
            raise TrainingError("a path norm is measured of dense layers with ReLUs; this network has others")
        layers: list[Any] = list(model)[::2]
        sums = torch.ones_like(layers[0].weight[:, 0], dtype=torch.float64)
        for layer in layers:
            weight, bias = (p.detach().to(torch.float64).square() for p in (layer.weight, layer.bias))
            sums = torch.einsum("roi,ri->ro", weight, sums) + bias
        yield Measurement("path norm", sums.sum(1).sqrt(), layer="all")
