"""Pairs of networks, the order of units that brings one near to the other, and the straight path between them."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from genbook.base.progress import report
from genbook.base.seeding import generator
from genbook.experiments.run import Drawn
from genbook.gradients import coherence
from genbook.models import stack
from genbook.studies.landscape.mode_connectivity import matching
from genbook.studies.landscape.mode_connectivity.spec import ModeConnectivitySpec
from genbook.studies.landscape.shared import Layers, layers_of, losses
from genbook.training import Examples, Replica, train
from genbook.training.programs import initial_model

COLUMNS = ["seed", "width", "order", "place", "quantity", "value"]
Row = tuple[str, float, str, float]


def run(spec: ModeConnectivitySpec, seeds: Sequence[int], device: str) -> pd.DataFrame:
    """Train all pairs and return the tidy table (see the study's columns)."""
    drawn, rows = Drawn(), []
    for done, width in enumerate(spec.widths):
        report(done / len(spec.widths), f"networks of width {width}")
        firsts = [drawn.replica(spec.condition(width), seed) for seed in seeds]
        pairs = [network for first in firsts for network in (first, second(first, spec))]
        result = train(pairs, [], device)
        for place, seed in enumerate(seeds):
            models = result.model(2 * place), result.model(2 * place + 1)
            rows += [(seed, width, *row) for row in _of_pair(spec, seed, models, firsts[place].data, device)]
    return pd.DataFrame(rows, columns=COLUMNS).sort_values(COLUMNS[:-1], kind="stable", ignore_index=True)


def second(first: Replica, spec: ModeConnectivitySpec) -> Replica:
    """The other network of a pair: on the same examples, with batches and first weights of its own.

    Where the start is shared, its first weights are those of the first network, whose units are shuffled.
    """
    seed = int(generator(first.seed, "second network").integers(2**62))
    other = replace(first, seed=seed, init_seed=seed)
    if spec.start == "own":
        return other
    weights = initial_layers(first)
    shuffled = matching.permuted(
        weights, matching.shuffled(weights, generator(first.seed, "units of the second network"))
    )
    return replace(other, initialise=lambda model: load(model, shuffled))


def initial_layers(replica: Replica) -> list[np.ndarray]:
    """The layers of a network as it starts."""
    return layers_of(initial_model(replica))


def load(model: nn.Module, layers: Layers) -> nn.Module:
    """Put layers [out, 1 + in] into an MLP, and return it."""
    linear = [module for module in model.modules() if isinstance(module, nn.Linear)]
    with torch.no_grad():
        for module, layer in zip(linear, layers, strict=True):
            module.bias.copy_(torch.from_numpy(layer[:, 0]))
            module.weight.copy_(torch.from_numpy(layer[:, 1:]))
    return model


def _of_pair(
    spec: ModeConnectivitySpec,
    seed: int,
    models: tuple[nn.Module, nn.Module],
    sets: Mapping[str, Examples],
    device: str,
) -> Iterator[Row]:
    """Rows (order, place, quantity, value) of one pair of networks."""
    one, other = (layers_of(model) for model in models)
    draw = generator(seed, "order of layers")
    orders = matching.matched(one, other, draw) if spec.order == "matched" else matching.shuffled(other, draw)
    near = matching.permuted(other, orders)
    places = np.linspace(0, 1, spec.points)
    for order, end in (("as trained", other), ("matched", near)):
        on_path = Path(models[0], one, end, places, device)
        yield from _told(order, places, on_path.losses(sets, spec.examples))
        leading, rest = matching.aligned(one, end, spec.leading)
        told = {"distance": matching.distance(one, end), "leading agreement": leading, "other agreement": rest}
        yield from ((order, 0.0, quantity, value) for quantity, value in told.items())
    # the midpoint after matching lies half of the matched distance away: as far on the other path
    place = matching.distance(one, near) / matching.distance(one, other) / 2
    there = Path(models[0], one, other, np.array([place]), device).losses(sets, spec.examples)
    yield "as trained", 0.0, "place as far", place
    yield "as trained", 0.0, "loss as far", float(there["train loss"])


def _told(order: str, places: np.ndarray, measured: dict[str, Tensor]) -> Iterator[Row]:
    for quantity, values in measured.items():
        yield from ((order, float(place), quantity, float(value)) for place, value in zip(places, values, strict=True))


class Path:
    """The networks at some places of the straight path between two, as a stack."""

    def __init__(self, model: nn.Module, one: Layers, other: Layers, places: np.ndarray, device: str) -> None:
        """``one`` and ``other``: layers of the networks at places 0 and 1, of the architecture of ``model``."""
        on_path = [[(1 - at) * a + at * b for a, b in zip(one, other, strict=True)] for at in places]
        self.size = len(places)
        self.device = device
        self.stack = stack([load(copy.deepcopy(model), layers) for layers in on_path]).to(device)

    def losses(self, sets: Mapping[str, Examples], examples: int) -> dict[str, Tensor]:
        """Loss and error on training and test set, and m-coherence of the first examples: a value for each place."""
        found = {}
        for on in ("train", "test"):
            inputs, labels = self._spread(sets[on].inputs), self._spread(sets[on].labels)
            with torch.no_grad():
                outputs = self.stack(inputs).double()
            found[f"{on} loss"] = losses(outputs, labels)
            found[f"{on} error"] = (outputs.argmax(2) != labels).double().mean(1)
        few = self._spread(sets["train"].inputs[:examples]), self._spread(sets["train"].labels[:examples])
        measured = coherence(self.stack, nn.CrossEntropyLoss(), *few, alignments=False)
        return {**found, "m-coherence": measured.m_coherence}

    def _spread(self, tensor: Tensor) -> Tensor:
        """One set of examples for all places."""
        return tensor.to(self.device).expand(self.size, *tensor.shape)
