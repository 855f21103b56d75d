"""Diagonal linear networks on made-up regressions, in float64: all learning rates of each teacher and kind of batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from genbook.base.seeding import ORDER, TRAINING_SUBSET, generator
from genbook.studies.steps.diagonal_networks.descent import descend
from genbook.studies.steps.diagonal_networks.spec import DiagonalNetworksSpec
from genbook.studies.steps.diagonal_networks.theory import end_of_flow

COLUMNS = ["seed", "used", "batches", "fraction", "annealed after", "quantity", "value"]
_MEASURED = ("risk", "loss left", "predicted risk", "shrinkage, used", "shrinkage, unused")
_LEAST = 1e-12  # of the imbalance at the start's scale, from which flow is computed: at zero nothing could ever grow
_FITTED = 1e-6  # of the loss of zero weights: what is left where the largest learning rate is looked for
_SEARCHED = (1e-3, 10.0)  # learning rates between which it is, in units of the teacher's length


@dataclass(frozen=True)
class Problem:
    """One seed's regression on one teacher: inputs [examples, inputs], teacher [inputs], targets [examples]."""

    inputs: np.ndarray
    teacher: np.ndarray

    @property
    def targets(self) -> np.ndarray:
        """What the teacher says, without noise."""
        return self.inputs @ self.teacher


def problem(spec: DiagonalNetworksSpec, seed: int, used: float) -> Problem:
    """Standard normal inputs, the same for all teachers; a teacher with equal weights of random sign on a part."""
    draw = generator(seed, TRAINING_SUBSET)
    inputs = draw.standard_normal((spec.n_train, spec.inputs))
    signs = draw.choice([-1.0, 1.0], spec.inputs)
    nonzeros = max(1, round(used * spec.inputs))
    weights = np.where(np.arange(spec.inputs) < nonzeros, signs, 0.0)
    return Problem(inputs, spec.length / np.sqrt(nonzeros) * weights)


@dataclass(frozen=True)
class Trainer:
    """How one kind of batch trains on a problem."""

    spec: DiagonalNetworksSpec
    problem: Problem
    picks: np.ndarray
    steps: int

    def train(self, rate: float, annealed_after: float) -> tuple[np.ndarray, np.ndarray] | None:
        """The weights u and v at the end, or None where they diverged."""
        u, v = np.full(self.spec.inputs, np.sqrt(2) * self.spec.start), np.zeros(self.spec.inputs)
        at = int(annealed_after * self.steps)
        made, by = self.problem, self.spec.annealed_by
        stays = descend(made.inputs, made.targets, u, v, rate, self.picks, self.steps, at, by)
        return (u, v) if stays else None

    def fits(self, rate: float) -> bool:
        """Whether training at this learning rate ends with every example fitted."""
        ended = self.train(rate, self.spec.annealed_after)
        return ended is not None and loss_left(self.problem, *ended) < _FITTED

    def largest(self) -> float:
        """The largest learning rate that fits, by bisection of its logarithm; what is not between the ends is NaN."""
        low, high = (rate / self.spec.length for rate in _SEARCHED)
        found = np.nan
        for _ in range(self.spec.bisections):
            middle = float(np.sqrt(low * high))
            if self.fits(middle):
                low = found = middle
            else:
                high = middle
        return found


def loss_left(made: Problem, u: np.ndarray, v: np.ndarray) -> float:
    """The squared error on the training examples, over that of zero weights."""
    return float(np.square(made.inputs @ (u * v) - made.targets).sum() / np.square(made.targets).sum())


def trainers(spec: DiagonalNetworksSpec, seed: int, made: Problem) -> dict[str, Trainer]:
    """By kind of batch: small ones drawn with replacement, the same for all learning rates, and the whole set."""
    size = min(spec.batch_size, spec.n_train)
    whole = np.arange(spec.n_train)[None]
    if size == spec.n_train:
        small, steps = whole, spec.whole_steps
    else:
        small, steps = generator(seed, ORDER).integers(0, spec.n_train, (spec.steps, size)), spec.steps
    return {"small": Trainer(spec, made, small, steps), "whole": Trainer(spec, made, whole, spec.whole_steps)}


def run(spec: DiagonalNetworksSpec, seeds: Sequence[int], device: str) -> pd.DataFrame:
    """Return the tidy table (see the study's columns). ``device`` is not used: these are a few hundred numbers."""
    rows: list[tuple[object, ...]] = []
    for seed in seeds:
        for used in spec.used:
            made = problem(spec, seed, used)
            even = np.full(spec.inputs, 2 * spec.start**2)
            flow = risk(made, end_of_flow(made.inputs, made.targets, even))
            rows.append((seed, used, "none", 0.0, 0.0, "risk", flow))
            for name, trainer in trainers(spec, seed, made).items():
                rows += [(seed, used, name, *row) for row in _of_trainer(trainer)]
    return pd.DataFrame(rows, columns=COLUMNS)


def risk(made: Problem, weights: np.ndarray) -> float:
    """Mean squared error on fresh inputs, exactly: the squared distance from the teacher."""
    return float(np.square(weights - made.teacher).sum())


def _of_trainer(trainer: Trainer) -> Iterator[tuple[object, ...]]:
    """Rows of all learning rates of one kind of batch, and of the largest one annealed sooner."""
    spec, largest = trainer.spec, trainer.largest()
    runs = [(fraction, spec.annealed_after) for fraction in spec.fractions]
    runs += [(spec.fractions[-1], sooner) for sooner in spec.annealed_sooner]
    for fraction, after in runs:
        ended = trainer.train(fraction * largest, after) if np.isfinite(largest) else None
        yield fraction, after, "learning rate", fraction * largest
        for quantity, value in _measured(trainer.problem, spec.start, ended).items():
            yield fraction, after, quantity, value


def _measured(made: Problem, start: float, ended: tuple[np.ndarray, np.ndarray] | None) -> dict[str, float]:
    """What is read off the end of a training; NaN where it diverged, or there is nothing to average over."""
    if ended is None:
        return dict.fromkeys(_MEASURED, np.nan)
    u, v = ended
    imbalance = np.abs(u**2 - v**2)
    shrunk = -np.log(np.maximum(imbalance, np.finfo(float).tiny) / (2 * start**2))
    used = made.teacher != 0
    predicted = end_of_flow(made.inputs, made.targets, np.maximum(imbalance, _LEAST * start**2))
    unused = shrunk[~used].mean() if not used.all() else np.nan
    values = risk(made, u * v), loss_left(made, u, v), risk(made, predicted), shrunk[used].mean(), unused
    return dict(zip(_MEASURED, values, strict=True))
