"""Descent on patches with a strong and a weak feature, over learning rates, batches and strengths of the strong one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from genbook.base.progress import report
from genbook.base.seeding import CORRUPTION, INITIALISATION, ORDER, TRAINING_SUBSET, generator
from genbook.models import SignedMean, SquaredReLU, initialise, patch_network
from genbook.studies.steps.benign_oscillation import theory
from genbook.studies.steps.benign_oscillation.orbit import descend
from genbook.studies.steps.benign_oscillation.spec import BenignOscillationSpec

_STRONG, _WEAK = 0, 1  # the coordinates of u and v
_SHOWN_VISITS = 60
_SWING = 0.2  # the least |1 − y f| that counts as oscillation (Lu et al., 2024, assumption 4)


@dataclass(frozen=True)
class Condition:
    """One run: its name, the length of the strong feature, its scaled learning rate η‖u‖²/m and its steps.

    The rate holds from the step ``start`` up to the step ``stop``; before and after it is ``otherwise``.
    """

    run: str
    strength: float
    rate: float
    steps: int
    start: int = 0
    stop: int | None = None
    otherwise: float = 0.0

    def rates(self) -> np.ndarray:
        """The scaled learning rate of every step."""
        found = np.full(self.steps, self.otherwise)
        found[self.start : self.stop] = self.rate
        return found


def run(spec: BenignOscillationSpec, seeds: Sequence[int], device: str) -> pd.DataFrame:
    """Return the tidy table (see the study's columns). ``device`` is not used: each step is a few thousand products."""
    grid, rows = conditions(spec), []
    for place, seed in enumerate(seeds):
        for number, condition in enumerate(grid):
            rows += _one(spec, seed, condition)
            report((place * len(grid) + number + 1) / (len(seeds) * len(grid)), f"seed {seed}")
    return pd.DataFrame(rows, columns=["seed", "run", "strength", "scaled learning rate", "step", "quantity", "value"])


def conditions(spec: BenignOscillationSpec) -> list[Condition]:
    """The runs of one seed: single examples and full batches at strength 1, jump and oscillation apart, the diagram."""
    grid = [Condition("single", 1.0, rate, spec.steps) for rate in spec.scaled_learning_rates]
    jump, settling, settled = spec.jump_learning_rate, spec.settling_learning_rate, spec.settling_steps
    grid.append(Condition("jump only", 1.0, jump, spec.steps, stop=spec.jump_steps, otherwise=settling))
    grid.append(Condition("no jump", 1.0, jump, spec.steps, start=min(settled, spec.steps // 2), otherwise=settling))
    grid += [Condition("full", 1.0, rate, spec.full_batch_steps) for rate in spec.full_batch_learning_rates]
    diagram = [(strength, rate) for strength in spec.strengths for rate in spec.diagram_learning_rates]
    return grid + [Condition("diagram", length, rate * length**2, spec.steps) for length, rate in diagram]


def training_set(spec: BenignOscillationSpec, strength: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Patches [n, 3, d] (weak, strong, noise) and labels ±1 [n]; the noise is orthogonal to both features."""
    labels = np.repeat([1.0, -1.0], spec.n_train // 2)
    patches = np.zeros((spec.n_train, 3, spec.dimension))
    signs = labels if spec.weak_labels == "real" else generator(seed, CORRUPTION).choice([-1.0, 1.0], spec.n_train)
    patches[:, 0, _WEAK] = spec.weak * signs
    patches[:, 1, _STRONG] = strength * labels
    in_turn = np.arange(spec.n_train).reshape(2, -1).T.ravel()  # one of either label after the other
    patches[in_turn[: spec.weak_only], 1] = 0
    patches[:, 2, 2:] = _noise(spec, spec.n_train, seed, TRAINING_SUBSET)
    return patches, labels


def weak_test_set(spec: BenignOscillationSpec, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Patches [n_test, 2, d] with the weak feature and noise alone, and their labels."""
    labels = np.resize([1.0, -1.0], spec.n_test)
    patches = np.zeros((spec.n_test, 2, spec.dimension))
    patches[:, 0, _WEAK] = spec.weak * labels
    patches[:, 1, 2:] = _noise(spec, spec.n_test, seed, "test points")
    return patches, labels


def _noise(spec: BenignOscillationSpec, patches: int, seed: int, purpose: str) -> np.ndarray:
    return spec.noise_std * generator(seed, purpose).standard_normal((patches, spec.dimension - 2))


def first_weights(spec: BenignOscillationSpec, seed: int) -> np.ndarray:
    """[2m, d]."""
    model = patch_network(spec.dimension, spec.units).double()
    return initialise(model, generator(seed, INITIALISATION))[0].weight.detach().numpy().copy()


def visits(spec: BenignOscillationSpec, condition: Condition, seed: int) -> np.ndarray:
    """The examples of every step, [T, B]: all of them, or one after the other in an order drawn anew each epoch."""
    if condition.run == "full":
        return np.tile(np.arange(spec.n_train), (condition.steps, 1))
    draw = generator(seed, ORDER)
    epochs = [draw.permutation(spec.n_train) for _ in range(-(-condition.steps // spec.n_train))]
    return np.concatenate(epochs)[: condition.steps, None]


def _one(spec: BenignOscillationSpec, seed: int, condition: Condition) -> Iterator[tuple]:
    patches, labels = training_set(spec, condition.strength, seed)
    order, start = visits(spec, condition, seed), first_weights(spec, seed)
    rates = condition.rates() * spec.units / condition.strength**2
    every = max(1, condition.steps // spec.n_measurements)
    snapshots = np.zeros((condition.steps // every, *start.shape))
    # half of the loss is half of the learning rate
    scaled = rates * (1.0 if spec.loss == "squared" else 0.5)
    margins, taken = descend(start.copy(), patches, labels, order, scaled, snapshots, every)
    snapshots = np.concatenate([start[None], snapshots[: taken // every]])
    named = (seed, condition.run, condition.strength, condition.rate)
    yield (*named, taken, "escaped", float(taken < condition.steps))
    if condition.run == "diagram":
        accuracy = np.nan if taken < condition.steps else weak_accuracy(spec, snapshots[-1:], seed)[0]
        yield (*named, taken, "weak accuracy", accuracy)
        return
    known = taken // every * every
    measured = {
        "weak accuracy": weak_accuracy(spec, snapshots, seed),
        "weak fraction": fraction_of_output(snapshots, _WEAK, spec.weak),
        "strong fraction": fraction_of_output(snapshots, _STRONG, condition.strength),
        "weak growth": growth(snapshots, _WEAK),
        "strong growth": growth(snapshots, _STRONG),
        "weak growth by the sum": summed_growth(spec, margins[:known], labels[order[:known]], rates[:known], every),
        **_between(margins[:known].reshape(len(snapshots) - 1, every * order.shape[1])),
    }
    for quantity, values in measured.items():
        for place, value in enumerate(values):
            yield (*named, place * every, quantity, float(value))
    if condition.run == "single":
        for visit in np.flatnonzero(labels[order[:taken, 0]] == 1)[:_SHOWN_VISITS]:
            yield (*named, int(visit), "output", float(margins[visit, 0]))


def weak_accuracy(spec: BenignOscillationSpec, snapshots: np.ndarray, seed: int) -> np.ndarray:
    """Fraction of the weak-only test examples on their label's side, for weights [K, 2m, d]."""
    patches, labels = (torch.from_numpy(part) for part in weak_test_set(spec, seed))
    head, activation = SignedMean(), SquaredReLU()
    outputs = torch.stack([head(activation(patches @ w.T)).squeeze(-1) for w in torch.from_numpy(snapshots)])
    return (labels * outputs > 0).double().mean(1).numpy()


def _projections(snapshots: np.ndarray, feature: int) -> tuple[np.ndarray, np.ndarray]:
    """Projections [K, 2, m] on a feature of the units that fire on label + or −: for their label, and against it."""
    half = snapshots.shape[1] // 2
    of_plus, of_minus = snapshots[:, :half, feature], snapshots[:, half:, feature]
    helping = np.stack([of_plus, -of_minus], 1).clip(min=0)
    opposing = np.stack([of_minus, -of_plus], 1).clip(min=0)
    return helping, opposing


def fraction_of_output(snapshots: np.ndarray, feature: int, length: float) -> np.ndarray:
    """The part of y f that a feature of this length contributes, mean over both labels, [K]."""
    helping, opposing = _projections(snapshots, feature)
    return length**2 * (np.square(helping) - np.square(opposing)).mean((1, 2))


def growth(snapshots: np.ndarray, feature: int) -> np.ndarray:
    """Log of the helping projections' sum over its value at the start, mean over both labels, [K].

    A label for which no unit fires at the start has no growth and is left out; NaN where that is so of both.
    """
    sums = _projections(snapshots, feature)[0].sum(2)
    fires = sums[0] > 0
    if not fires.any():
        return np.full(len(sums), np.nan)
    with np.errstate(divide="ignore"):
        return np.log(sums[:, fires] / sums[0, fires]).mean(1)


def summed_growth(
    spec: BenignOscillationSpec, margins: np.ndarray, labels: np.ndarray, rates: np.ndarray, every: int
) -> np.ndarray:
    """Σ log(1 + ρ²c Σ_b (1 − y f)/B) over a label's part of each step, mean over both labels, after every ``every``."""
    c = theory.curvature(rates * spec.weak**2 / spec.units, spec.loss)
    batch = margins.shape[1]
    logs = [np.log1p(c * np.where(labels == side, 1 - margins, 0).sum(1) / batch) for side in (1, -1)]
    return np.concatenate([[0.0], np.cumsum(np.mean(logs, 0))])[::every]


def _between(margins: np.ndarray) -> dict[str, np.ndarray]:
    """Residual, amplitude and unsettled fraction of y f [K, n] between each measured step and the one before."""
    residuals, start = 1 - margins, [np.nan]
    return {
        "residual": np.concatenate([start, residuals.mean(1)]),
        "amplitude": np.concatenate([start, np.sqrt(np.square(residuals).mean(1))]),
        "unsettled": np.concatenate([start, (np.abs(residuals) >= _SWING).mean(1)]),
    }
