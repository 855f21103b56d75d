"""Gaussian noise on the gradients of a stack, for each replica from the streams of its own seed."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from genbook.base.recipes import GradientNoise
from genbook.base.seeding import generator
from genbook.training.layout import Layout


def noise_at(step: int) -> str:
    """The purpose of the stream of a step's noise: one for each step, so that none must be remembered."""
    return f"gradient noise, step {step}"


def add_noise(gradient: Tensor, layout: Layout, seeds: Sequence[int], rule: GradientNoise, step: int) -> None:
    """Add a step's noise to the flat gradient of all replicas, in place; `seeds` has one for each.

    A network's noise is drawn on the CPU, parameter by parameter in their order; replicas of one seed draw the same.
    """
    drawn = _drawn(layout, seeds, step)
    noise = np.empty(layout.size)
    begun = [0] * len(seeds)
    for block in layout.blocks:
        for row, replica in enumerate(block.replicas):
            start, begun[replica] = begun[replica], begun[replica] + block.size
            place = block.start + row * block.size
            noise[place : place + block.size] = drawn[seeds[replica]][start : begun[replica]]
    gradient.add_(torch.from_numpy(noise).to(gradient), alpha=rule.deviation(step))


def _drawn(layout: Layout, seeds: Sequence[int], step: int) -> dict[int, np.ndarray]:
    """Each seed's noise, as much as its largest replica takes; a smaller one takes the beginning."""
    entries: dict[int, int] = {}
    for replica, taken in enumerate(layout.entries(len(seeds))):
        entries[seeds[replica]] = max(taken, entries.get(seeds[replica], 0))
    return {seed: generator(seed, noise_at(step)).standard_normal(most) for seed, most in entries.items()}
