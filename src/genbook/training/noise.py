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
    streams = {seed: generator(seed, noise_at(step)) for seed in seeds}
    for block in layout.blocks:
        drawn = {seed: stream.standard_normal(block.size) for seed, stream in streams.items()}
        rows = torch.from_numpy(np.stack([drawn[seeds[replica]] for replica in block.replicas]))
        block.view(gradient).flatten(1).add_(rows.to(gradient), alpha=rule.deviation(step))
