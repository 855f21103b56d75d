"""Train the same networks with steps of all sizes, and measure accuracy, coherence and sharpness on the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch

from genbook import data
from genbook.models import mlp
from genbook.probes import Accuracy, AtSteps, GradientCoherence, MeanLoss, Probe, Sharpness
from genbook.studies.steps.large_steps.spec import LargeStepsSpec
from genbook.training import SGD, Examples, Recipe, Replica, TrainingResult, train

_NAMES = {
    ("train", "loss"): "train loss",
    ("train", "accuracy"): "train accuracy",
    ("test", "accuracy"): "test accuracy",
    ("train", "m-coherence"): "m-coherence",
    ("train", "sharpness"): "sharpness",
}
_FIRST_LOOK = 0.02  # part of a training before which nothing is measured but its start
_SHARPNESS_EXAMPLES = 300


def run(spec: LargeStepsSpec, seeds: Sequence[int], device: str) -> pd.DataFrame:
    """Train with every step of the ladder, then with one that becomes small; return the tidy table."""
    dataset = data.load(spec.dataset)
    sets = {(seed, noise): examples for seed in seeds for noise, examples in _sets(spec, dataset, seed).items()}
    tables = []
    for rung in spec.ladder:
        recipe = _recipe(spec, rung, spec.steps_at(rung))
        replicas = _replicas(spec, sets, recipe, "constant", rung)
        tables.append(_rows(train(replicas, _probes(spec, recipe.steps), device)))
    tables.append(_decayed(spec, sets, device))
    return pd.concat(tables, ignore_index=True)


def _sets(spec: LargeStepsSpec, dataset: data.Dataset, seed: int) -> Mapping[float, Mapping[str, Examples]]:
    """By share of wrong labels, training and test set of one seed."""
    split = data.split(dataset, seed, spec.n_train, flat=True)
    inputs, true, labels = split.train.inputs, split.train.labels, split.test.labels
    if spec.test_labels == "shuffled":
        labels = torch.from_numpy(data.shuffle_labels(labels.numpy(), seed))
    test = Examples(split.test.inputs, labels)

    def given(noise: float) -> torch.Tensor:
        return torch.from_numpy(data.corrupt(true.numpy(), noise, "uniform", seed, split.n_classes).labels)

    return {noise: {"train": Examples(inputs, given(noise), true), "test": test} for noise in spec.label_noise}


def _recipe(spec: LargeStepsSpec, rung: float, steps: int, stop_at_accuracy: float | None = None) -> Recipe:
    optimiser = SGD(lr=spec.scale * rung)
    return Recipe(steps, optimiser, spec.batch_size, stop_at_accuracy=stop_at_accuracy, check_every=5)


def _replicas(spec: LargeStepsSpec, sets: Mapping, recipe: Recipe, name: str, rung: float) -> list[Replica]:
    """One replica for each seed and share of noise; those of a seed share examples, batches and first weights."""
    replicas = []
    for (seed, noise), examples in sets.items():
        inputs, classes = examples["train"].inputs, int(examples["test"].labels.max()) + 1
        condition = {"noise": noise, "run": name, "rate": spec.scale * rung}
        replicas.append(Replica(seed, mlp((inputs.shape[1], spec.hidden, classes)), recipe, examples, condition))
    return replicas


def _decayed(spec: LargeStepsSpec, sets: Mapping, device: str) -> pd.DataFrame:
    """Large steps until a training accuracy is reached, small ones from there; measured in the second part alone."""
    first = _recipe(spec, spec.decay_from, spec.steps_at(spec.decay_from), spec.decay_accuracy)
    begun = train(_replicas(spec, sets, first, "decayed", spec.decay_from), device=device)
    second = _recipe(spec, spec.decay_to, spec.steps_at(spec.decay_to))
    fitted = np.flatnonzero(begun.endings["fitted"])
    if not fitted.size:
        return pd.DataFrame()
    return _rows(begun.continued(second, _probes(spec, second.steps), fitted, device))


def _probes(spec: LargeStepsSpec, steps: int) -> list[Probe]:
    shares = np.geomspace(_FIRST_LOOK, 1, spec.looks)
    looks = np.unique(np.round(shares * steps).astype(int)).tolist()
    at, seldom = AtSteps((0, *looks)), AtSteps((0, *looks[::-4]))
    probes = [MeanLoss(at=at), Accuracy(at=at), Accuracy("test", at=at), GradientCoherence(at=at, layers=False)]
    examples = min(_SHARPNESS_EXAMPLES, spec.n_train)
    return [*probes, Sharpness(at=seldom, examples=examples, tolerance=5e-2, max_iterations=30)]


def _rows(training: TrainingResult) -> pd.DataFrame:
    table = training.table
    found = [_NAMES.get(pair) for pair in zip(table["on"], table["quantity"], strict=True)]
    rows = table.assign(quantity=found).dropna(subset="quantity")
    return rows[["seed", "noise", "run", "rate", "step", "quantity", "value"]]
