"""What the networks learn: some of the classes of images, and clusters of points; and how they learn it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from genbook import data
from genbook.base.seeding import INITIALISATION, ORDER, generator
from genbook.data import N_CLASSES
from genbook.models import initialise, mlp, stack
from genbook.studies.landscape.hessian_outliers.spec import HessianOutliersSpec
from genbook.studies.landscape.shared import losses


class Problem(NamedTuple):
    """Training sets of R seeds: inputs [R, n, d] of mean square 1, labels [R, n]."""

    inputs: Tensor
    labels: Tensor

    def loss(self, network: nn.Module) -> Tensor:
        """Mean cross-entropy of each of R networks, [R]."""
        return losses(network(self.inputs), self.labels)


def images(spec: HessianOutliersSpec, seeds: Sequence[int], classes: int, random: bool = False) -> Problem:
    """Images of so many classes, drawn by the seed, as their leading principal components.

    Labels are the classes' places, or these modulo ``merged``; ``random``: in a random order.
    """
    loaded = data.load(spec.dataset)
    return _together([_images(spec, loaded, seed, classes, random) for seed in seeds])


def _images(
    spec: HessianOutliersSpec, loaded: data.Dataset, seed: int, classes: int, random: bool
) -> tuple[Tensor, Tensor]:
    drawn = data.split(loaded, seed, spec.drawn, flat=True).train
    centred = drawn.inputs - drawn.inputs.mean(0)
    axes = torch.linalg.svd(centred, full_matrices=False).Vh[: spec.components]
    chosen = generator(seed, "classes").permutation(N_CLASSES)[:classes]
    places = [torch.nonzero(drawn.labels == int(one))[: spec.per_class, 0] for one in chosen]
    labels = torch.cat([torch.full((len(own),), label) for label, own in enumerate(places)])
    if spec.merged:
        labels = labels % spec.merged
    if random:
        labels = labels[torch.from_numpy(generator(seed, "random labels").permutation(len(labels)))]
    return centred[torch.cat(places)] @ axes.T, labels


def clusters(spec: HessianOutliersSpec, seeds: Sequence[int], spread: float) -> Problem:
    """Gaussian clusters, one a class, around centres that are standard normal."""
    shape = (spec.compared, spec.per_class, spec.components)
    drawn = []
    for seed in seeds:
        draw = generator(seed, "clusters")
        centres, noise = draw.standard_normal((spec.compared, 1, spec.components)), draw.standard_normal(shape)
        points = torch.from_numpy(centres + spread * noise).float().reshape(-1, spec.components)
        drawn.append((points, torch.arange(spec.compared).repeat_interleave(spec.per_class)))
    return _together(drawn)


def begun(spec: HessianOutliersSpec, seeds: Sequence[int], classes: int, width: int, start: str = "") -> nn.Module:
    """Networks [R] at their first weights; another ``start`` has others."""
    sizes = (spec.components, width, classes)
    return stack([initialise(mlp(sizes), generator(seed, INITIALISATION + start)) for seed in seeds])


def descend(spec: HessianOutliersSpec, network: nn.Module, problem: Problem, batches: Tensor | None = None) -> None:
    """Train in place with momentum, on all examples, or on batches [R, steps, B] of places."""
    parameters = list(network.parameters())
    moving = [torch.zeros_like(one) for one in parameters]
    for step in range(spec.steps):
        inputs, labels = problem
        if batches is not None:
            rows = torch.arange(len(inputs))[:, None]
            inputs, labels = inputs[rows, batches[:, step]], labels[rows, batches[:, step]]
        slopes = torch.autograd.grad(losses(network(inputs), labels).sum(), parameters)
        with torch.no_grad():
            for one, pace, slope in zip(parameters, moving, slopes, strict=True):
                one.sub_(spec.learning_rate * pace.mul_(spec.momentum).add_(slope))


def small_batches(spec: HessianOutliersSpec, seeds: Sequence[int], examples: int) -> Tensor:
    """Places of the examples of every small batch, drawn with replacement: [R, steps, B]."""
    shape = (spec.steps, spec.small_batch)
    return torch.from_numpy(np.stack([generator(seed, ORDER).integers(0, examples, shape) for seed in seeds]))


def _together(drawn: list[tuple[Tensor, Tensor]]) -> Problem:
    inputs = torch.stack([each / each.square().mean().sqrt() for each, _ in drawn])
    return Problem(inputs, torch.stack([labels for _, labels in drawn]))
