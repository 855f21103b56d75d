"""Learning from noisy labels: the same images mislabelled in different ways, watched example by example."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
import torch

from genbook import data
from genbook.base.seeding import CORRUPTION, generator
from genbook.models import mlp
from genbook.probes import Accuracy, LogSpaced
from genbook.studies.noise.noisy_labels import mistakes
from genbook.studies.noise.noisy_labels.patches import PatchFilters
from genbook.studies.noise.noisy_labels.scores import FindsCorrupted
from genbook.studies.noise.noisy_labels.spec import NoisyLabelsSpec
from genbook.training import SGD, Examples, Recipe, Replica, train


def run(spec: NoisyLabelsSpec, seeds: Sequence[int], device: str) -> pd.DataFrame:
    """Train one network per seed and kind of noise, all at once, and return the tidy table."""
    dataset = data.load(spec.dataset)
    replicas = [replica for seed in seeds for replica in _replicas(spec, dataset, seed)]
    at = LogSpaced(spec.probes)
    probes = [
        Accuracy("train", at=at),
        Accuracy("train", "true", at=at),
        Accuracy("test", at=at),
        FindsCorrupted(at=at),
    ]
    training = train(replicas, probes, device)
    return pd.concat([_measured(training.table), _summary(replicas)], ignore_index=True)


def _replicas(spec: NoisyLabelsSpec, dataset: data.Dataset, seed: int) -> Iterator[Replica]:
    """The replicas of one seed: one subset, one batch order, one initialisation, the same examples mislabelled."""
    n_test = min(spec.test_images, len(dataset.test_labels))
    split = data.split(dataset, seed, spec.n_train, n_validation=spec.reader_examples, n_test=n_test, flat=True)
    real = split.train.labels.numpy()
    true = data.shuffle_labels(real, seed) if spec.labels == "shuffled" else real
    given = wrong_labels(spec, dataset, split, true, seed)
    changed = given["uniform"] != true
    groups = {"clean": torch.from_numpy(~changed), "corrupted": torch.from_numpy(changed)}
    inputs, test_inputs = _seen(spec, dataset, split, seed)
    test = Examples(test_inputs, split.test.labels)
    model = mlp((inputs.shape[1], *spec.hidden, split.n_classes))
    recipe = Recipe(steps=spec.steps, optimiser=SGD(lr=spec.learning_rate), batch_size=spec.batch_size)
    for noise in spec.noises:
        train_set = Examples(inputs, torch.from_numpy(given[noise]), torch.from_numpy(true), groups)
        yield Replica(seed, model, recipe, {"train": train_set, "test": test}, {"noise": noise})


def _seen(
    spec: NoisyLabelsSpec, dataset: data.Dataset, split: data.Split, seed: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """What the network sees of the training and of the test images: standardised pixels or features."""
    if spec.features == "pixels":
        return split.train.inputs, split.test.inputs
    images = dataset.train_inputs[split.train.indices]
    respond = PatchFilters.draw(images, spec.filters, generator(seed, "patches"))
    train, test = respond(images), respond(dataset.test_inputs[split.test.indices])
    mean, std = train.mean(0), train.std(0) + 1e-6
    return torch.from_numpy((train - mean) / std), torch.from_numpy((test - mean) / std)


def wrong_labels(
    spec: NoisyLabelsSpec, dataset: data.Dataset, split: data.Split, true: np.ndarray, seed: int
) -> dict[str, np.ndarray]:
    """By kind of noise, the labels [n] given to the training examples: wrong for the same ones in every kind."""
    classes = split.n_classes
    people = data.human_labels(dataset, spec.people)[split.train.indices] if "human" in spec.noises else None
    if people is None:
        changed = data.corrupt(true, spec.share, "uniform", seed, classes).changed
        reader = split.validation
        seen = mistakes.read(reader.inputs.numpy(), reader.labels.numpy(), split.train.inputs.numpy(), classes)
        confusion = mistakes.confusion(seen, true)
    else:
        changed = people != true
        seen = np.eye(classes)[people]
        confusion = mistakes.confusion(seen, true)
    blind = np.ones((len(true), classes))
    sighted = spec.reader == "trained"
    probabilities = {
        "uniform": blind,
        "confused": confusion[true] if sighted else blind,
        "lookalike": seen if sighted else blind,
        "human": seen if sighted else blind,
    }
    # A stream for each kind: in the null world the kinds are independent draws of one noise.
    return {
        noise: np.where(
            changed, mistakes.wrong(probabilities[noise], true, generator(seed, f"{CORRUPTION}, {noise}")), true
        )
        for noise in spec.noises
    }


def _measured(table: pd.DataFrame) -> pd.DataFrame:
    """The probes' rows under the study's own names of quantities."""
    names = {
        ("train", "accuracy", "given"): "as given",
        ("train", "accuracy", "true"): "as true",
        ("test", "accuracy", "given"): "test accuracy",
    }
    found = [
        names.get(kind, kind[1] if kind[1].startswith("AUC") else None)
        for kind in zip(table["on"], table["quantity"], table["labels"], strict=True)
    ]
    rows = table.assign(quantity=found).dropna(subset="quantity")
    return rows[["seed", "noise", "step", "epoch", "quantity", "group", "value"]]


def _summary(replicas: Sequence[Replica]) -> pd.DataFrame:
    """What there is one number of per replica: share of wrong labels, number of classes."""
    rows = []
    for replica in replicas:
        train_set = replica.data["train"]
        shared = {"seed": replica.seed, **replica.condition, "step": 0, "epoch": 0.0, "group": "all"}
        wrong = float((train_set.labels != train_set.true_labels).double().mean())
        classes = float(replica.data["test"].labels.unique().numel())
        rows += [{**shared, "quantity": "wrong labels", "value": wrong}]
        rows += [{**shared, "quantity": "classes", "value": classes}]
    return pd.DataFrame(rows)
