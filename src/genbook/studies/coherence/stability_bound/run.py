"""Train small networks by gradient descent and measure every term of the bound on the way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import pandas as pd
import torch

from genbook import data
from genbook.gradients import gradient_norms
from genbook.models import mlp
from genbook.probes import Every, GradientCoherence, MeanLoss, Measurement, Probe, Sharpness
from genbook.studies.coherence.stability_bound.spec import StabilityBoundSpec
from genbook.training import SGD, Examples, Recipe, Replica, View, train

_LOOKS, _CURVATURE_LOOKS = 20, 3
#: Fresh examples have labels of their own, drawn apart from those of the training set.
_FRESH = 10**6


def run(spec: StabilityBoundSpec, seeds: Sequence[int], device: str) -> pd.DataFrame:
    """One network per seed and noise level, all at once; returns the tidy table (see the study's columns)."""
    dataset = data.load(spec.dataset)
    replicas = [replica for seed in seeds for replica in _replicas(spec, dataset, seed)]
    often, seldom = Every(-(-spec.steps // _LOOKS)), Every(-(-spec.steps // _CURVATURE_LOOKS))
    probes = [
        GradientCoherence(layers=False, at=often),
        MeanLoss("train", at=often),
        MeanLoss("fresh", at=often),
        LargestGradient(at=often),
        Sharpness(tolerance=0.02, at=seldom),
    ]
    table = train(replicas, probes, device).table
    names = {("loss", "train"): "train loss", ("loss", "fresh"): "fresh loss"}
    found = [names.get(pair, pair[0]) for pair in zip(table["quantity"], table["on"], strict=True)]
    return table.assign(quantity=found)[["seed", "noise", "step", "quantity", "value"]]


@dataclass(frozen=True)
class LargestGradient(Probe):
    """The largest norm of an example's gradient: what the Lipschitz constant is at least."""

    def measure(self, view: View) -> Iterable[Measurement]:
        """Over the training examples."""
        inputs, targets = view.sets.inputs("train"), view.sets.targets("train")
        norms = gradient_norms(view.model, view.loss.module(), inputs, targets)
        yield Measurement("largest gradient", norms.amax(-1), "train")


def _replicas(spec: StabilityBoundSpec, dataset: data.Dataset, seed: int) -> Iterator[Replica]:
    """The replicas of one seed: same images, same first weights; labels of growing noise, on fresh images too.

    The theorem speaks of fresh examples from the distribution that the training set was drawn from: noisy ones.
    """
    split = data.split(dataset, seed, spec.n_train, flat=True)
    model = mlp((split.train.inputs.shape[1], *spec.hidden, split.n_classes), activation="tanh")
    recipe = Recipe(steps=spec.steps, optimiser=SGD(lr=spec.learning_rate))
    for noise in spec.noise_levels:
        sets = {}
        for name, part, stream in (("train", split.train, seed), ("fresh", split.test, seed + _FRESH)):
            labels = part.labels.numpy()
            base = data.shuffle_labels(labels, stream) if spec.labels == "shuffled" else labels
            given = data.corrupt(base, noise, "uniform-any", stream, split.n_classes).labels
            sets[name] = Examples(part.inputs, torch.from_numpy(given))
        yield Replica(seed, model, recipe, sets, {"noise": noise})
