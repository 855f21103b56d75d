"""Networks of one hidden layer, less what they began with, that train until every example is beyond the margin."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from genbook import data
from genbook.base.seeding import INITIALISATION, ORDER, generator
from genbook.studies.batches.noise_regimes.perceptrons import checked
from genbook.studies.batches.noise_regimes.spec import NoiseRegimesSpec


@dataclass
class Networks:
    """f(x) = a · relu(W x / √d) / h of one hidden layer, one for each run: ``hidden`` W [R, h, d], ``top`` a [R, h]."""

    hidden: Tensor
    top: Tensor

    def signals(self, inputs: Tensor) -> Tensor:
        """What comes to the hidden units, [n, R, h], of inputs [n, d]."""
        runs, width, inputs_ = self.hidden.shape
        return (inputs @ self.hidden.reshape(-1, inputs_).T / inputs_**0.5).reshape(-1, runs, width)

    def outputs(self, inputs: Tensor) -> Tensor:
        """f, [n, R]."""
        return (self.signals(inputs).relu() * self.top).mean(2)

    def step(self, inputs: Tensor, push: Tensor) -> None:
        """Go up ``push`` [n, R] times the gradients of h f at the inputs: the width is taken into the learning rate."""
        runs, width, inputs_ = self.hidden.shape
        signals = self.signals(inputs)
        at_units = (push[..., None] * self.top * (signals > 0)).reshape(-1, runs * width)
        self.top += (push[..., None] * signals.relu()).sum(0)
        self.hidden += (at_units.T @ inputs).reshape(runs, width, inputs_) / inputs_**0.5

    def only(self, kept: Tensor) -> Networks:
        """Those of the runs that ``kept`` [R] says."""
        return Networks(self.hidden[kept], self.top[kept])

    def distance(self, other: Networks) -> Tensor:
        """‖w − w₀‖ / ‖w₀‖ over all weights, [R], from those of ``other``."""
        moved = (self.hidden - other.hidden).square().sum((1, 2)) + (self.top - other.top).square().sum(1)
        return (moved / (other.hidden.square().sum((1, 2)) + other.top.square().sum(1))).sqrt()


class Images(NamedTuple):
    """Training and test inputs [n, d], and labels ±1 [n]: whether the class's number is even."""

    inputs: Tensor
    labels: Tensor
    test_inputs: Tensor
    test_labels: Tensor


class Fitted(NamedTuple):
    """A network at its end: the last step that moved it (NaN where it never fitted), and what is measured then."""

    scale: float
    temperature: float
    steps: float
    change: float
    flipped: float
    error: float


def begun(seed: int, width: int, inputs: int, runs: int) -> Networks:
    """Standard normal weights, the same for all runs of a seed."""
    draw = generator(seed, INITIALISATION)
    hidden, top = draw.standard_normal((width, inputs)), draw.standard_normal(width)
    return Networks(*(torch.from_numpy(one).float().expand(runs, *one.shape).clone() for one in (hidden, top)))


def images(spec: NoiseRegimesSpec, seed: int, size: int) -> Images:
    """What a seed draws; where few examples are distinct, they fill the training set in turn."""
    drawn = data.split(data.load(spec.dataset), seed, size, flat=True)
    places = torch.arange(size) % min(spec.distinct or size, size)
    parts = [(part.inputs, 1.0 - 2.0 * (part.labels % 2).float()) for part in (drawn.train, drawn.test)]
    return Images(parts[0][0][places], parts[0][1][places], *parts[1])


def trained(spec: NoiseRegimesSpec, seed: int, size: int) -> Iterator[Fitted]:
    """Every network of a seed on so many examples, as it fits.

    With F = f − f₀ the loss is max(0, 1 − s y F) / s, its mean over a batch, and the learning rate T B. Whatever fits
    has no gradient any more, so it is enough to look from time to time, and the last step that moved it is its own.
    """
    given = images(spec, seed, size)
    runs = spec.runs(size)
    scales, temperatures = map(torch.tensor, zip(*runs, strict=True))
    start = begun(seed, spec.width, given.inputs.shape[1], 1)
    before = start.outputs(given.inputs)
    networks = begun(seed, spec.width, given.inputs.shape[1], len(runs))
    last, order, step = torch.zeros(len(runs)), generator(seed, ORDER), 0
    while len(runs) and step < spec.steps:
        until = min(checked(step), spec.steps)
        places = torch.from_numpy((order.random((until - step, spec.batch_size)) * size).astype(np.int64))
        for now in places:
            step += 1
            inputs, labels = given.inputs[now], given.labels[now, None]
            short = ~(scales * labels * (networks.outputs(inputs) - before[now]) >= 1)
            networks.step(inputs, temperatures * labels * short)
            last[short.any(0)] = step
        margins = scales * given.labels[:, None] * (networks.outputs(given.inputs) - before)
        fits = (margins >= 1).all(0)
        done = fits | (step >= spec.steps)
        if done.any():
            ends = torch.where(fits, last, torch.nan)
            yield from measured(networks.only(done), start, given, scales[done], temperatures[done], ends[done])
            networks, last, scales, temperatures = networks.only(~done), last[~done], scales[~done], temperatures[~done]
            runs = scales.tolist()


def measured(
    networks: Networks, start: Networks, given: Images, scales: Tensor, temperatures: Tensor, ends: Tensor
) -> Iterator[Fitted]:
    """What is measured of networks at their ends, [R]."""
    before = start.signals(given.test_inputs)
    after = networks.signals(given.test_inputs)
    flipped = ((after > 0) != (before > 0)).float().mean((0, 2))
    wrong = given.test_labels[:, None] * (networks.outputs(given.test_inputs) - start.outputs(given.test_inputs)) <= 0
    columns = (scales, temperatures, ends, networks.distance(start), flipped, wrong.float().mean(0))
    yield from (Fitted(*row) for row in zip(*(column.tolist() for column in columns), strict=True))
