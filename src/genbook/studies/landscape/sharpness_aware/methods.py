"""Steps of SGD, of SAM and of SAF on R networks at once, and the rescaling of their layers."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from genbook import data
from genbook.base.seeding import INITIALISATION, ORDER, generator
from genbook.models import initialise, mlp, stack
from genbook.studies.landscape.shared import losses
from genbook.studies.landscape.sharpness_aware.spec import GRADIENTS, SharpnessAwareSpec

Slopes = Sequence[Tensor]
#: How often training is looked at.
CHECKED = 40


class Given:
    """What R seeds draw: training inputs [R, n, d] and labels [R, n], test inputs [m, d] of each and labels [m]."""

    def __init__(self, spec: SharpnessAwareSpec, seeds: Sequence[int], noise: float) -> None:
        """Draw the examples of every seed, a fraction ``noise`` of them with wrong labels."""
        loaded = data.load(spec.dataset)
        drawn = [data.split(loaded, seed, spec.n_train, flat=True) for seed in seeds]
        self.inputs = torch.stack([one.train.inputs for one in drawn])
        labels = [
            data.corrupt(one.train.labels.numpy(), noise, "uniform", seed, data.N_CLASSES).labels
            for seed, one in zip(seeds, drawn, strict=True)
        ]
        self.labels = torch.from_numpy(np.stack(labels))
        self.test_inputs = torch.stack([one.test.inputs for one in drawn])
        self.test_labels = drawn[0].test.labels


def divergence(earlier: Tensor, outputs: Tensor, temperature: float) -> Tensor:
    """Mean divergence KL(p ‖ q) of softened outputs q from earlier ones p, [R]; both [R, B, k]."""
    before, now = (torch.log_softmax(one / temperature, 2) for one in (earlier, outputs))
    return (before.exp() * (before - now)).sum(2).mean(1)


def lengths(slopes: Slopes) -> Tensor:
    """Euclidean length of each network's part of a list of tensors [R, ...], [R]."""
    return torch.stack([one.flatten(1).square().sum(1) for one in slopes]).sum(0).sqrt()


def moved(network: nn.Module, slopes: Slopes, factors: Tensor) -> None:
    """Add ``factors`` [R] times the slopes to the weights, in place."""
    with torch.no_grad():
        for one, slope in zip(network.parameters(), slopes, strict=True):
            one.add_(factors.reshape(-1, *[1] * (slope.dim() - 1)) * slope)


def ascended(network: nn.Module, directions: Slopes, radius: float) -> Slopes:
    """Go ``radius`` along directions, of any length, and return the steps, to be taken back."""
    factors = radius / lengths(directions).clamp(min=1e-12)
    steps = [factors.reshape(-1, *[1] * (one.dim() - 1)) * one for one in directions]
    moved(network, steps, torch.ones_like(factors))
    return steps


def begun(spec: SharpnessAwareSpec, seeds: Sequence[int], inputs: int) -> nn.Module:
    """Networks [R] at their first weights, the same for all methods."""
    sizes = (inputs, spec.width, data.N_CLASSES)
    return stack([initialise(mlp(sizes, spec.activation), generator(seed, INITIALISATION)) for seed in seeds])


def trained(
    spec: SharpnessAwareSpec, seeds: Sequence[int], given: Given, method: str
) -> Iterator[tuple[int, nn.Module]]:
    """The networks as they train, at some `CHECKED` gradient evaluations, the last included; one and the same module.

    Epochs are without replacement, so that SAF sees every example once in each.
    """
    network = begun(spec, seeds, given.inputs.shape[2])
    parameters = list(network.parameters())
    orders = [generator(seed, ORDER) for seed in seeds]
    aside = [generator(seed, "directions") for seed in seeds]
    rows, rate = torch.arange(len(seeds))[:, None], torch.full((len(seeds),), -spec.learning_rate)
    batches = spec.n_train // spec.batch_size
    seen: list[Tensor] = []  # outputs of every example, epoch by epoch
    steps_in_all = spec.gradients // GRADIENTS[method]
    checked = set(np.linspace(1, steps_in_all, CHECKED).round().astype(int).tolist())
    for step in range(steps_in_all):
        if step % batches == 0:
            order = torch.from_numpy(np.stack([one.permutation(spec.n_train) for one in orders]))
            seen = [*seen[-spec.earlier :], torch.zeros(len(seeds), spec.n_train, data.N_CLASSES)]
        start = step % batches * spec.batch_size
        places = order[:, start : start + spec.batch_size]
        inputs, labels = given.inputs[rows, places], given.labels[rows, places]

        if method == "SAM":
            taken = ascended(network, _slopes(losses(network(inputs), labels), parameters), spec.radius)
        elif method == "random":
            taken = ascended(network, [_drawn(aside, one.shape[1:]) for one in parameters], spec.radius)
        outputs = network(inputs)
        total = losses(outputs, labels)
        seen[-1][rows, places] = outputs.detach()
        if method == "SAF" and len(seen) > spec.earlier:
            total = total + spec.trajectory * divergence(seen[0][rows, places], outputs, spec.temperature)
        found = _slopes(total, parameters)
        if method in ("SAM", "random"):
            moved(network, taken, -torch.ones(len(seeds)))
        moved(network, found, rate)
        if step + 1 in checked:
            yield (step + 1) * GRADIENTS[method], network


def _drawn(draws: Sequence[np.random.Generator], shape: Sequence[int]) -> Tensor:
    """Standard normal numbers for each network, [R, ...]."""
    return torch.from_numpy(np.stack([one.standard_normal(shape) for one in draws])).float()


def _slopes(total: Tensor, parameters: Slopes) -> Slopes:
    return torch.autograd.grad(total.sum(), parameters)


def rescaled(network: nn.Module, factor: float) -> nn.Module:
    """The first layer, bias and all, times a factor, and the weights of the second over it: with ReLU, the same."""
    other = copy.deepcopy(network)
    with torch.no_grad():
        for name, one in other.named_parameters():
            one.mul_(factor if name.startswith("0.") else 1 / factor if name == "2.weight" else 1.0)
    return other
