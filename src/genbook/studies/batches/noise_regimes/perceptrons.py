"""Perceptrons that train by SGD on the hinge loss until every point is beyond the margin; all in float64."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from genbook.base.seeding import ORDER, TRAINING_SUBSET, generator
from genbook.studies.batches.noise_regimes.spec import NoiseRegimesSpec

_CHUNK = 2048  # steps whose batches are drawn at once


class Fitted(NamedTuple):
    """A perceptron at its end: the last step that moved it (NaN where it never fitted), and its weights."""

    seed: int
    density: float
    size: int
    steps: float
    weights: np.ndarray


def points(seed: int, size: int, inputs: int, density: float, gap: float) -> np.ndarray:
    """Points times their labels, [size, inputs]: the first coordinate, made positive, has density ∝ x^χ exp(-x²/2).

    The others are standard normal; the label is the first one's sign. Of one seed, a smaller set begins a larger one.
    """
    drawn = generator(seed, TRAINING_SUBSET).standard_normal((size, inputs))
    first = generator(seed, f"density {density:g}").gamma((density + 1) / 2, size=size)
    drawn[:, 0] = gap + np.sqrt(2 * first)
    return drawn


def checked(step: int) -> int:
    """The next step at which one looks whether all fit: one that does stays where it is, so that it can wait."""
    return max(step + 1, step * 21 // 20)


def trained(spec: NoiseRegimesSpec, seeds: Sequence[int]) -> Iterator[Fitted]:
    """Every perceptron as it fits: from w = 0, w ← w + T Σ y x over the points of a batch with y w·x < 1."""
    most = spec.perceptron_sizes[-1]
    sets = np.stack([points(seed, most, spec.inputs, d, spec.gap) for seed in seeds for d in spec.densities])
    runs = [
        (s, s * len(spec.densities) + k, density, size)
        for s in range(len(seeds))
        for k, density in enumerate(spec.densities)
        for size in spec.perceptron_sizes
    ]
    of_seed, of_set, densities, sizes = map(np.array, zip(*runs, strict=True))
    weights, last = np.zeros((len(runs), spec.inputs)), np.zeros(len(runs))
    orders = [generator(seed, ORDER) for seed in seeds]
    beyond = np.arange(most) >= sizes[:, None]  # places that are not in a training set
    open_ = np.arange(len(runs))
    step = 0
    while len(open_) and step < spec.perceptron_steps:
        until = min(checked(step), spec.perceptron_steps)
        while step < until:
            chunk = min(_CHUNK, until - step)
            parts = np.stack([order.random((chunk, spec.perceptron_batch)) for order in orders], 1)
            places = (parts[:, of_seed[open_]] * sizes[open_, None]).astype(int)
            own, mine = of_set[open_, None], weights[open_]
            for now in places:
                batch = sets[own, now]
                short = (batch * mine[:, None]).sum(2) < 1
                step += 1
                if short.any():
                    mine += spec.perceptron_temperature * (batch * short[..., None]).sum(1)
                    last[open_[short.any(1)]] = step
            weights[open_] = mine
        margins = (sets[of_set[open_]] * weights[open_, None]).sum(2)
        fits = ((margins >= 1) | beyond[open_]).all(1)
        given_up = step >= spec.perceptron_steps
        for r in open_[fits | given_up]:
            taken = last[r] if r in open_[fits] else np.nan
            yield Fitted(seeds[of_seed[r]], densities[r], int(sizes[r]), taken, weights[r])
        open_ = open_[~fits]
