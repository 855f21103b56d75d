"""Train a small network, write its per-example gradients out, and measure them as the definitions say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from genbook import data
from genbook.base.seeding import generator
from genbook.gradients import coherence
from genbook.models import mlp, stack, unstack
from genbook.probes import AtSteps, LogSpaced, Measurement, Probe
from genbook.studies.coherence.coherence_laws.spec import CoherenceLawsSpec
from genbook.training import SGD, Examples, Recipe, Replica, View, train

SUBSET_FRACTIONS = (0.05, 0.1, 0.2, 0.4, 0.7, 1.0)
NONZERO_FRACTIONS = (1.0, 0.75, 0.5, 0.25)
SCALES = (0.1, 10.0)
_SUBSETS = 200


def run(spec: CoherenceLawsSpec, seeds: Sequence[int], device: str) -> pd.DataFrame:
    """Return the tidy table (see the study's columns); every gradient is of one example and written out."""
    dataset = data.load(spec.dataset)
    replicas = [_replica(spec, dataset, seed) for seed in seeds]
    probes = [Relatives(spec, at=LogSpaced(12)), Laws(spec, at=AtSteps((spec.at_step,)))]
    table = train(replicas, probes, device).table
    return table[["seed", "step", "quantity", "layer", "group", "value"]].assign(
        at=lambda rows: pd.to_numeric(rows.pop("group"), errors="coerce")
    )


def per_example_gradients(model: nn.Module, loss: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    """g_i of every example by itself, [m, P], float64, all of them written out: a copy of the weights for each."""
    copies = stack([model] * len(inputs)).requires_grad_(True)
    total = len(inputs) * loss(copies(inputs.unsqueeze(1)).squeeze(1), targets)  # the loss is a mean over examples
    parts = torch.autograd.grad(total, list(copies.parameters()))
    return torch.cat([part.flatten(1) for part in parts], 1).double()


def alpha(gradients: Tensor) -> float:
    """‖ḡ‖² / mean ‖g_i‖² of gradients [m, P]."""
    return float(gradients.mean(0).square().sum() / gradients.square().sum(1).mean())


@dataclass(frozen=True)
class Relatives(Probe):
    """m-coherence without writing gradients down, and its relatives by their own definitions."""

    spec: CoherenceLawsSpec

    def measure(self, view: View) -> Iterable[Measurement]:
        """Of each layer and of the whole."""
        inputs, targets = view.sets.inputs("train"), view.sets.targets("train")
        measured = coherence(view.model, view.loss.module(), inputs, targets, alignments=False)
        combined = torch.zeros(len(inputs), dtype=torch.float64, device=inputs.device)
        for name, layer in measured.layers.items():
            weight = layer.fraction if self.spec.layer_weights == "norm fractions" else 1 / len(measured.layers)
            combined = combined + weight * layer.alpha
            yield Measurement("m-coherence", layer.m_coherence, layer=name)
            yield Measurement("norm fraction", layer.fraction, layer=name)
        yield Measurement("m-coherence", measured.m_coherence, layer="all")
        yield Measurement("layers combined", combined * measured.m, layer="all")
        on = "train" if self.spec.relatives_on == "the same examples" else "test"
        found = [self._by_definition(view, place, on) for place in range(len(inputs))]
        for quantity in found[0]:
            yield Measurement(quantity, torch.tensor([row[quantity] for row in found]), layer="all")

    def _by_definition(self, view: View, place: int, on: str) -> dict[str, float]:
        inputs = view.sets.inputs(on)[place][: self.spec.n_train]
        targets = view.sets.targets(on)[place][: self.spec.n_train]
        gradients = per_example_gradients(unstack(view.model, place), view.loss.module(), inputs, targets)
        mean = gradients.mean(0)
        deviations = (gradients - mean).square()
        return {
            "gradient diversity": float(gradients.square().sum() / gradients.sum(0).square().sum()),
            "noise scale": float(deviations.sum(1).mean() / mean.square().sum()),
            "signal-to-noise": float(mean.square().sum() / deviations.mean(0).sum()),
        }


@dataclass(frozen=True)
class Laws(Probe):
    """What averaging, sampling, adding zeros and scaling do to coherence."""

    spec: CoherenceLawsSpec

    def measure(self, view: View) -> Iterable[Measurement]:
        """All seeds' gradients, one seed after the other."""
        found = [dict(self._of_one(view, place)) for place in range(len(view.replicas))]
        for quantity, at in found[0]:
            values = torch.tensor([row[quantity, at] for row in found])
            yield Measurement(quantity, values, group=str(at), layer="all")

    def _of_one(self, view: View, place: int) -> Iterable[tuple[tuple[str, float], float]]:
        rng = generator(view.replicas[place].seed, "mini-batches")
        gradients = self._gradients(view, place, rng)
        m, products = len(gradients), gradients @ gradients.T  # of them all squared norms of weighted sums are made
        yield ("alpha", 1), alpha(gradients)
        for k in self.spec.batch_sizes:
            mean_square = _squared_norms(self._draws(m, k, rng, products.device) / k, products).mean()
            yield ("batch alpha", k), float(products.mean() / mean_square)
        for fraction in SUBSET_FRACTIONS:
            n = max(2, round(fraction * m))
            chosen = _counts(np.argsort(rng.random((_SUBSETS, m)), axis=1)[:, :n], m, products.device)
            ratio = _squared_norms(chosen, products) / (chosen @ products.diagonal())
            yield ("subset m-coherence", n), float(ratio.mean())
        for fraction in NONZERO_FRACTIONS:
            zeros = gradients.new_zeros(round(m / fraction) - m, gradients.shape[1])
            yield ("diluted alpha", fraction), alpha(torch.cat([gradients, zeros]))
        for factor in SCALES:
            yield ("scaled alpha", factor), alpha(factor * gradients)

    def _gradients(self, view: View, place: int, rng: np.random.Generator) -> Tensor:
        inputs, targets = view.sets.inputs("train")[place], view.sets.targets("train")[place]
        gradients = per_example_gradients(unstack(view.model, place), view.loss.module(), inputs, targets)
        if self.spec.gradients == "of the network":
            return gradients
        return torch.from_numpy(rng.normal(size=tuple(gradients.shape))).to(gradients.device)

    def _draws(self, m: int, k: int, rng: np.random.Generator, device: torch.device) -> Tensor:
        chosen = rng.integers(m, size=(self.spec.draws, k))
        return _counts(np.repeat(chosen[:, :1], k, axis=1) if self.spec.batches == "copies" else chosen, m, device)


def _counts(chosen: np.ndarray, m: int, device: torch.device) -> Tensor:
    """How often each draw [draws, k] has each of the m examples, [draws, m]."""
    draws = len(chosen)
    flat = (chosen + m * np.arange(draws)[:, None]).ravel()
    return torch.from_numpy(np.bincount(flat, minlength=draws * m).reshape(draws, m).astype(float)).to(device)


def _squared_norms(weights: Tensor, products: Tensor) -> Tensor:
    """‖Σ_i w_i g_i‖² of weights [draws, m], from the products g_i · g_j [m, m]."""
    return ((weights @ products) * weights).sum(1)


def _replica(spec: CoherenceLawsSpec, dataset: data.Dataset, seed: int) -> Replica:
    split = data.split(dataset, seed, spec.n_train, flat=True)
    train_set = Examples(split.train.inputs, split.train.labels)
    model = mlp((train_set.inputs.shape[1], *spec.hidden, split.n_classes), activation="tanh")
    recipe = Recipe(steps=spec.steps, optimiser=SGD(lr=spec.learning_rate))
    return Replica(seed, model, recipe, {"train": train_set, "test": Examples(split.test.inputs, split.test.labels)})
