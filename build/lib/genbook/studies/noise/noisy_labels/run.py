"""Learning from noisy labels: the same images mislabelled in different ways, watched example by example.

No design: who mislabels has learned from other images or is asked about these, and a network may see features.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
import torch

from genbook import data
from genbook.base.seeding import CORRUPTION, generator
from genbook.models import mlp
from genbook.probes import Accuracy, ExampleScores, LogSpaced
from genbook.studies.noise.noisy_labels import annotator
from genbook.studies.noise.noisy_labels.patches import features
from genbook.studies.noise.noisy_labels.spec import NoisyLabelsSpec
from genbook.tables.quantities import name_of
from genbook.training import Examples, Replica, train

#: Images that are not trained on, with wrong labels drawn alike, and the quantity that is measured there.
ELSEWHERE, GIVEN_ELSEWHERE = "elsewhere", "wrong labels given elsewhere"
COLUMNS = ["seed", "mistakes", "step", "epoch", "quantity", "group", "value"]


def run(spec: NoisyLabelsSpec, seeds: Sequence[int], device: str) -> pd.DataFrame:
    """Train one network per seed and kind of mistakes, all at once, and return the tidy table."""
    replicas = [replica for seed in seeds for replica in _replicas(spec, data.load(spec.dataset), seed)]
    at = LogSpaced(spec.n_measurements)
    accuracies = [Accuracy("train", at=at), Accuracy("train", "true", at=at), Accuracy("test", at=at)]
    accuracies += [] if "human" in spec.mistakes else [Accuracy(ELSEWHERE, at=at)]
    table = train(replicas, [*accuracies, ExampleScores(at=at)], device).table
    kinds = zip(table["quantity"], table["on"], table["labels"], strict=True)
    names = [GIVEN_ELSEWHERE if kind[1] == ELSEWHERE else name_of(*kind) for kind in kinds]
    facts = pd.DataFrame([row for replica in replicas for row in _facts(replica)], columns=COLUMNS)
    return pd.concat([table.assign(quantity=names)[COLUMNS], facts], ignore_index=True)


def _replicas(spec: NoisyLabelsSpec, dataset: data.Dataset, seed: int) -> Iterator[Replica]:
    """The replicas of one seed: one subset, one batch order, one initialisation, the same examples mislabelled."""
    n_test = min(spec.n_test, len(dataset.test_labels))
    split = data.split(dataset, seed, spec.n_train, spec.annotator_examples, n_test, flat=True)
    true = split.train.labels.numpy()
    true = data.shuffle_labels(true, seed) if spec.labels == "shuffled" else true
    given = wrong_labels(spec, dataset, split, true, seed)
    changed = torch.from_numpy(given["uniform"] != true)
    groups = {"clean": ~changed, "corrupted": changed}
    inputs, test_inputs = split.train.inputs, split.test.inputs
    if spec.features == "patches":
        images = dataset.train_inputs[split.train.indices], dataset.test_inputs[split.test.indices]
        inputs, test_inputs = map(torch.from_numpy, features(*images, spec.filters, generator(seed, "patches")))
    test = Examples(test_inputs, split.test.labels)
    model = mlp((inputs.shape[1], *spec.hidden, split.n_classes))
    for kind, labels in given.items():
        train_set = Examples(inputs, torch.from_numpy(labels), torch.from_numpy(true), groups)
        sets = {"train": train_set, "test": test}
        if "human" not in spec.mistakes:
            sets[ELSEWHERE] = Examples(test_inputs, torch.from_numpy(_wrong_elsewhere(spec, split, true, kind, seed)))
        yield Replica(seed, model, spec.recipe(), sets, {"mistakes": kind})


def _wrong_elsewhere(spec: NoisyLabelsSpec, split: data.Split, true: np.ndarray, kind: str, seed: int) -> np.ndarray:
    """A wrong label for every test image [n], drawn as that kind of mistakes draws one for a training image."""
    learned = split.validation.inputs.numpy(), split.validation.labels.numpy()
    labels = split.test.labels.numpy()
    if kind == "confused":
        seen = annotator.read(*learned, split.train.inputs.numpy(), split.n_classes)
        weights = annotator.confusion(seen, true)[labels]
    else:
        weights = annotator.read(*learned, split.test.inputs.numpy(), split.n_classes)
    if kind == "uniform" or spec.annotator == "uninformed":
        weights = np.ones_like(weights)
    return annotator.wrong(weights, labels, generator(seed, f"{CORRUPTION}, {kind}, elsewhere"))


def wrong_labels(spec: NoisyLabelsSpec, dataset: data.Dataset, split: data.Split, true: np.ndarray, seed: int) -> dict:
    """By kind of mistakes, the labels [n] given to the training examples: wrong for the same ones in every kind."""
    if "human" in spec.mistakes:
        said = data.human_labels(dataset, spec.people)[split.train.indices]
        changed, seen = said != true, np.eye(split.n_classes)[said]
    else:
        changed = data.corrupt(true, spec.noise, "uniform", seed, split.n_classes).changed
        learned = split.validation.inputs.numpy(), split.validation.labels.numpy()
        seen = annotator.read(*learned, split.train.inputs.numpy(), split.n_classes)
    given = {}
    for kind in spec.mistakes:
        weights = annotator.confusion(seen, true)[true] if kind == "confused" else seen
        if kind == "uniform" or spec.annotator == "uninformed":
            weights = np.ones_like(seen)
        # A stream for each kind: in the control the kinds are independent draws of one noise.
        given[kind] = np.where(changed, annotator.wrong(weights, true, generator(seed, f"{CORRUPTION}, {kind}")), true)
    return given


def _facts(replica: Replica) -> Iterator[tuple]:
    """What there is one number of per replica: the fraction of wrong labels, the number of classes."""
    train_set, classes = replica.data["train"], replica.data["test"].labels.unique().numel()
    wrong = float((train_set.labels != train_set.true_labels).double().mean())
    for quantity, value in (("wrong labels", wrong), ("classes", float(classes))):
        yield replica.seed, replica.condition["mistakes"], 0, 0.0, quantity, "all", value
