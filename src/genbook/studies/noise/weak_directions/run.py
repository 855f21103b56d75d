"""Suppressing weak directions: robust averages of the batch's gradients against plain descent and its controls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd
import torch

from genbook import data
from genbook.base.seeding import CORRUPTION, generator
from genbook.models import mlp
from genbook.probes import Accuracy, LogSpaced
from genbook.studies.noise.weak_directions.spec import WeakDirectionsSpec
from genbook.training import SGD, Average, Examples, Recipe, Replica, train


def run(spec: WeakDirectionsSpec, seeds: Sequence[int], device: str) -> pd.DataFrame:
    """Train one network per seed and rule and return the tidy table (see the study's columns)."""
    dataset = data.load(spec.dataset)
    replicas = [replica for seed in seeds for replica in _replicas(spec, dataset, seed)]
    at = LogSpaced(spec.n_measurements)
    probes = [Accuracy("train", at=at), Accuracy("train", "true", at=at), Accuracy("test", at=at)]
    table = train(replicas, [*probes, Accuracy("held out", at=at)], device).table
    names = {
        ("train", "given"): "as given",
        ("train", "true"): "as true",
        ("test", "given"): "test accuracy",
        ("held out", "given"): "held-out accuracy",
    }
    table["quantity"] = [names[kind] for kind in zip(table["on"], table["labels"], strict=True)]
    return table[["seed", "rule", "step", "epoch", "quantity", "group", "value"]]


def rules(spec: WeakDirectionsSpec) -> dict[str, tuple[float, Average | None]]:
    """By name, the learning rate and the average of each rule; None is the mean gradient."""
    robust = {
        **{f"winsorised {c}": Average("winsorised", c) for c in spec.winsorised},
        "M3": Average("median of means"),
        "RM3": Average("running median"),
        "RA3": Average("running mean"),
        "clipped": Average("clipped", spec.clip),
    }
    if spec.averages == "plain":
        robust = dict.fromkeys(robust)
    return {
        "SGD": (spec.learning_rate, None),
        **{f"SGD, step x {factor:g}": (factor * spec.learning_rate, None) for factor in spec.learning_rate_factors},
        **{name: (spec.learning_rate, average) for name, average in robust.items()},
    }


def _replicas(spec: WeakDirectionsSpec, dataset: data.Dataset, seed: int) -> Iterator[Replica]:
    """The replicas of one seed: one mislabelled set, one batch order, one initialisation, a replica per rule."""
    split = data.split(dataset, seed, spec.n_train, n_validation=spec.held_out, flat=True)
    inputs, true, classes = split.train.inputs, split.train.labels, split.n_classes
    given = data.corrupt(true.numpy(), spec.noise, "uniform", seed, classes)
    changed = torch.from_numpy(given.changed)
    sets = {
        "train": Examples(inputs, torch.from_numpy(given.labels), true, {"clean": ~changed, "corrupted": changed}),
        "held out": Examples(split.validation.inputs, _as_noisy(split.validation.labels, spec.noise, seed, classes)),
        "test": Examples(split.test.inputs, split.test.labels),
    }
    model = mlp((inputs.shape[1], spec.width, classes))
    for rule, (learning_rate, average) in rules(spec).items():
        recipe = Recipe(steps=spec.steps, optimiser=SGD(lr=learning_rate), batch_size=spec.batch_size, average=average)
        yield Replica(seed, model, recipe, sets, {"rule": rule})


def _as_noisy(labels: torch.Tensor, noise: float, seed: int, classes: int) -> torch.Tensor:
    """Held-out labels with the training labels' noise, from a stream of their own: no clean label is seen."""
    rng = generator(seed, f"{CORRUPTION}, held out")
    wrong = torch.from_numpy(rng.random(len(labels)) < noise)
    other = (labels + torch.from_numpy(rng.integers(1, classes, len(labels)))) % classes
    return torch.where(wrong, other, labels)
