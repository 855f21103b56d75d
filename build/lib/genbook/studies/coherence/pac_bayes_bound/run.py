"""SGD, then gradient descent on the PAC-Bayes bound, for all seeds and both kinds of labels at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import softplus

from genbook import data
from genbook.base.progress import report
from genbook.base.seeding import CORRUPTION, INITIALISATION, ORDER, generator
from genbook.studies.coherence.pac_bayes_bound import bound
from genbook.studies.coherence.pac_bayes_bound.spec import PacBayesBoundSpec

LABELS = ("real", "random")
COLUMNS = ["seed", "labels", "step", "quantity", "value"]
_SHOWN = (0.0, 1 / 30, 1 / 10, 1 / 3, 1.0)  # parts of the posterior's steps after which it is measured
_ANNEALED, _DROP = 0.7, 0.2  # of the posterior's steps at the full rate, and the rate after that
_HALF = 5  # classes below this one are -1, the others +1


@dataclass(frozen=True)
class Sets:
    """Of R networks: inputs [R, n, d + 1], the last of which is 1, and labels ±1 [R, n], of both sets."""

    inputs: dict[str, Tensor]
    labels: dict[str, Tensor]


def run(spec: PacBayesBoundSpec, seeds: Sequence[int], device: str) -> pd.DataFrame:
    """Return the tidy table (see the study's columns)."""
    sets = _sets(spec, seeds, device)
    centres = _initial(spec, seeds, sets.inputs["train"].shape[2] - 1, device)
    trained = _trained(spec, seeds, sets, centres)
    rows = list(
        _rows(
            seeds,
            0,
            {
                f"trained {on} error": _errors(outputs(trained, sets.inputs[on]), sets.labels[on])
                for on in ("train", "test")
            },
        )
    )
    for step, measured in _posterior(spec, seeds, sets, centres, trained):
        report(step / spec.posterior_steps, f"posterior, step {step}")
        rows += _rows(seeds, step, measured)
    return pd.DataFrame(rows, columns=COLUMNS)


def binary(spec: PacBayesBoundSpec, split: data.Split, seed: int, labels: str) -> dict[str, np.ndarray]:
    """Labels ±1 of the training and the test set, as the condition has them."""
    draw = generator(seed, CORRUPTION)
    found = {}
    for on in ("train", "test"):
        signs = np.where(getattr(split, on).labels.numpy() < _HALF, -1.0, 1.0)
        if spec.labels == "shuffled":
            signs = draw.permutation(signs)
        drawn, redrawn = draw.choice([-1.0, 1.0], len(signs)), draw.random(len(signs)) < spec.noise
        if labels == "random":
            signs = np.where(redrawn, drawn, signs)
        found[on] = drawn if on == "test" and spec.fresh == "at random" else signs
    return found


def outputs(
    weights: Sequence[Tensor],
    inputs: Tensor,
    deviations: Sequence[Tensor] | None = None,
    noise: Sequence[Tensor] | None = None,
) -> Tensor:
    """Outputs [R, B] of R ReLU networks; with deviations, of weights drawn for each example by itself.

    Independent Gaussian weights make the units that an input x feeds independent Gaussians, with the mean x·w and the
    variance x²·σ² (Kingma, Salimans and Welling, 2015): to draw the units is to draw the weights, exactly.

    Args:
        weights: layer by layer [R, inputs + 1, outputs], the last row is the bias. inputs: [R, B, d + 1].
        deviations: the weights' standard deviations, as ``weights``. noise: standard normal, by layer [R, B, outputs].
    """
    units = inputs
    for place, weight in enumerate(weights):
        if place:
            units = torch.cat([torch.relu(units), torch.ones_like(units[..., :1])], 2)
        mean = units @ weight
        if deviations is not None and noise is not None:
            mean = mean + (units.square() @ deviations[place].square()).sqrt() * noise[place]
        units = mean
    return units[..., 0]


def _sets(spec: PacBayesBoundSpec, seeds: Sequence[int], device: str) -> Sets:
    """Pixels from -1 to 2, which is near to standardised, by fixed numbers: the prior may not know the training set."""
    dataset = data.load(spec.dataset)
    inputs: dict[str, list[Tensor]] = {"train": [], "test": []}
    labels: dict[str, list[Tensor]] = {"train": [], "test": []}
    for seed in seeds:
        split = data.split(dataset, seed, spec.n_train, standardise="none", flat=True)
        for kind in LABELS:
            signs = binary(spec, split, seed, kind)
            for on in inputs:
                images = 3 * getattr(split, on).inputs - 1
                inputs[on].append(torch.cat([images, torch.ones(len(images), 1)], 1))
                labels[on].append(torch.from_numpy(signs[on]).float())
    return Sets(*({on: torch.stack(parts[on]).to(device) for on in parts} for parts in (inputs, labels)))


def _initial(spec: PacBayesBoundSpec, seeds: Sequence[int], dimension: int, device: str) -> list[Tensor]:
    """Weights and biases from N(0, 1/fan-in), the same for both kinds of labels."""
    sizes = [dimension, *spec.hidden, 1]
    draws = {seed: generator(seed, INITIALISATION) for seed in seeds}
    layers = []
    for fan_in, fan_out in pairwise(sizes):
        drawn = [draws[seed].standard_normal((fan_in + 1, fan_out)) / np.sqrt(fan_in) for seed in seeds]
        layers.append(_twice(drawn, device))
    return layers


def _trained(spec: PacBayesBoundSpec, seeds: Sequence[int], sets: Sets, centres: Sequence[Tensor]) -> list[Tensor]:
    """SGD on the logistic loss from the prior's centres."""
    weights = [centre.clone().requires_grad_() for centre in centres]
    optimiser = torch.optim.SGD(weights, spec.learning_rate, spec.momentum, weight_decay=spec.weight_decay)
    batches = _batches(spec, seeds, sets, "order of SGD")
    for step in range(spec.steps):
        report(step / spec.steps, f"SGD, step {step}")
        inputs, labels = next(batches)
        loss = softplus(-labels * outputs(weights, inputs)).mean(1).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return [weight.detach() for weight in weights]


def _posterior(
    spec: PacBayesBoundSpec, seeds: Sequence[int], sets: Sets, centres: Sequence[Tensor], trained: Sequence[Tensor]
) -> Iterator[tuple[int, dict[str, Tensor]]]:
    """Adam on surrogate + √(budget / 2); yields the step and what was measured there.

    The surrogate is the logistic loss over ln 2, which is above the error; the square root is Pinsker's inequality.
    """
    means = [weight.clone().requires_grad_() for weight in trained]
    log_stds = [torch.log(spec.start * weight.abs() + 1e-6).requires_grad_() for weight in trained]
    log_variance = torch.full((len(trained[0]),), -2.0, device=trained[0].device).requires_grad_()
    optimiser = torch.optim.Adam([*means, *log_stds, log_variance], spec.posterior_rate)
    batches, noise = _batches(spec, seeds, sets, ORDER), _Noise(seeds, "posterior")
    shown = {round(part * spec.posterior_steps) for part in _SHOWN}
    for step in range(spec.posterior_steps + 1):
        if step in shown:
            yield step, _measured(spec, seeds, sets, centres, means, log_stds, log_variance)
        if step == spec.posterior_steps:
            return
        for group in optimiser.param_groups:
            group["lr"] = spec.posterior_rate * (1 if step < _ANNEALED * spec.posterior_steps else _DROP)
        inputs, labels = next(batches)
        stds = [s.exp() for s in log_stds]
        surrogate = softplus(-labels * outputs(means, inputs, stds, noise(means, inputs))).mean(1) / np.log(2)
        spread = bound.divergence(means, log_stds, centres, log_variance)
        budget = bound.budget(spread, bound.prior_index(log_variance), spec.n_train, spec.delta)
        optimiser.zero_grad()
        (surrogate + (budget / 2).sqrt()).sum().backward()
        optimiser.step()


@torch.no_grad()
def _measured(
    spec: PacBayesBoundSpec,
    seeds: Sequence[int],
    sets: Sets,
    centres: Sequence[Tensor],
    means: Sequence[Tensor],
    log_stds: Sequence[Tensor],
    log_variance: Tensor,
) -> dict[str, Tensor]:
    """The bound with the nearest prior that the union bound has, its terms, and the stochastic network's errors."""
    index = bound.prior_index(log_variance).round()
    spread = bound.divergence(means, log_stds, centres, bound.prior_log_variance(index))
    budget = bound.budget(spread.double(), index.double(), spec.n_train, spec.delta)
    stds, errors = [s.exp() for s in log_stds], {}
    for on in ("train", "test"):
        noise, inputs = _Noise(seeds, f"draws on {on}"), sets.inputs[on]
        drawn = [outputs(means, inputs, stds, noise(means, inputs)) for _ in range(spec.draws)]
        errors[on] = torch.stack([_errors(answers, sets.labels[on]) for answers in drawn]).mean(0).double()
    n = spec.draws * spec.n_train
    limit = bound.error_bound(errors["train"].cpu(), n, budget.cpu(), spec.delta_draws)
    return {
        "train error": errors["train"],
        "test error": errors["test"],
        "bound": torch.from_numpy(limit),
        "KL": spread,
        "budget": budget,
        "prior variance": bound.prior_log_variance(index).exp(),
    }


class _Noise:
    """Standard normal numbers from each seed's own stream, the same for both kinds of labels."""

    def __init__(self, seeds: Sequence[int], purpose: str) -> None:
        self.streams = [generator(seed, f"weights of the {purpose}") for seed in seeds]

    def __call__(self, weights: Sequence[Tensor], inputs: Tensor) -> list[Tensor]:
        """By layer, [R, B, outputs]."""
        shapes = [(inputs.shape[1], weight.shape[2]) for weight in weights]
        drawn = [[stream.standard_normal(shape, dtype=np.float32) for shape in shapes] for stream in self.streams]
        return [_twice(layer, inputs.device) for layer in zip(*drawn, strict=True)]


def _batches(
    spec: PacBayesBoundSpec, seeds: Sequence[int], sets: Sets, purpose: str
) -> Iterator[tuple[Tensor, Tensor]]:
    """Mini-batches without replacement within an epoch, in each seed's own order; a last partial one is dropped."""
    inputs, labels = sets.inputs["train"], sets.labels["train"]
    streams = [generator(seed, purpose) for seed in seeds]
    rows = torch.arange(len(inputs), device=inputs.device)[:, None]
    while True:
        orders = _twice([stream.permutation(spec.n_train) for stream in streams], inputs.device, torch.int64)
        for first in range(0, spec.n_train - spec.batch_size + 1, spec.batch_size):
            chosen = orders[:, first : first + spec.batch_size]
            yield inputs[rows, chosen], labels[rows, chosen]


def _twice(values: Sequence[np.ndarray], device: torch.device | str, kind: torch.dtype = torch.float32) -> Tensor:
    """One value per seed as one per network: each for both kinds of labels."""
    stacked = torch.from_numpy(np.stack(values)).to(kind)
    return stacked.repeat_interleave(len(LABELS), 0).to(device)


def _errors(answers: Tensor, labels: Tensor) -> Tensor:
    """Fraction of the examples on the wrong side, [R]; an output of 0 is wrong."""
    return (answers * labels <= 0).float().mean(1)


def _rows(seeds: Sequence[int], step: int, measured: dict[str, Tensor]) -> Iterator[tuple]:
    networks = [(seed, labels) for seed in seeds for labels in LABELS]
    for quantity, values in measured.items():
        for (seed, labels), value in zip(networks, values.tolist(), strict=True):
            yield (seed, labels, step, quantity, value)
