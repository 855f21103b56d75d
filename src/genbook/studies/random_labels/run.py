"""Random versus real labels: train the same networks on the same images with labels that mean less and less."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch

from genbook import data
from genbook.models import mlp
from genbook.probes import Accuracy, GradientCoherence, LogSpaced, MeanLoss
from genbook.studies.random_labels.spec import RandomLabelsSpec
from genbook.training import SGD, Examples, Recipe, Replica, train


def run(spec: RandomLabelsSpec, seeds: Sequence[int], device: str, progress: Any = None) -> pd.DataFrame:
    """Train one network per seed and noise level, all at once, and return the tidy table (see the study's columns)."""
    dataset = data.load(spec.dataset)
    replicas = [replica for seed in seeds for replica in _replicas(spec, dataset, seed)]
    at = LogSpaced(spec.probes)
    probes = [Accuracy("train", at=at), Accuracy("test", at=at), MeanLoss("train", at=at), GradientCoherence(at=at)]
    training = train(replicas, probes, device)
    return pd.concat([_measured(training.table), _summary(replicas, training.endings)], ignore_index=True)


def _replicas(spec: RandomLabelsSpec, dataset: data.Dataset, seed: int) -> Iterator[Replica]:
    """The replicas of one seed: one subset, one batch order, one initialisation, a replica per noise level."""
    split = data.split(dataset, seed, spec.n_train, flat=True)
    inputs, test = split.train.inputs, Examples(split.test.inputs, split.test.labels)
    model = mlp((inputs.shape[1], *spec.hidden, split.n_classes))
    recipe = Recipe(
        steps=spec.steps,
        optimiser=SGD(lr=spec.learning_rate),
        batch_size=spec.batch_size,
        stop_at_accuracy=spec.fit_accuracy,
    )
    real = split.train.labels.numpy()
    base = data.shuffle_labels(real, seed) if spec.labels == "shuffled" else real
    for noise in spec.noise_levels:
        drawn = 0.0 if spec.labels == "kept" else noise
        given = data.corrupt(base, drawn, "uniform-any", seed, split.n_classes).labels
        train_set = Examples(inputs, torch.from_numpy(given), torch.from_numpy(real))
        yield Replica(seed, model, recipe, {"train": train_set, "test": test}, {"noise": noise})


def _measured(table: pd.DataFrame) -> pd.DataFrame:
    """The probes' rows under the study's own names of quantities."""
    names = {
        ("train", "accuracy"): "train accuracy",
        ("test", "accuracy"): "test accuracy",
        ("train", "loss"): "train loss",
        ("train", "m-coherence"): "m-coherence",
    }
    found = [names.get(pair) for pair in zip(table["on"], table["quantity"], strict=True)]
    rows = table.assign(quantity=found, layer=table["layer"].replace("", "all")).dropna(subset="quantity")
    return rows[["seed", "noise", "step", "epoch", "quantity", "layer", "value"]]


def _summary(replicas: Sequence[Replica], endings: pd.DataFrame) -> pd.DataFrame:
    """What there is one number of per replica: steps to fit, share of wrong labels, number of classes."""
    wrong = [float((r.data["train"].labels != r.data["train"].true_labels).double().mean()) for r in replicas]
    classes = [float(np.unique(r.data["test"].labels).size) for r in replicas]
    wide = endings[["seed", "noise"]].assign(
        step=endings["steps"],
        epoch=endings["epochs"],
        layer="all",
        **{"steps to fit": endings["fitted_step"], "wrong labels": wrong, "classes": classes},
    )
    kept = ["seed", "noise", "step", "epoch", "layer"]
    return wide.melt(id_vars=kept, var_name="quantity", value_name="value")
