"""Random versus real labels: train the same networks on the same images with labels that mean less and less."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
import torch
from torch import nn

from genbook import data
from genbook.curvature import Hessian, top_eigenpairs
from genbook.models import mlp, parameter_count, stack
from genbook.probes import (
    Accuracy,
    AtEnd,
    DistanceFromInitialisation,
    GradientCoherence,
    LogSpaced,
    MeanLoss,
    WeightNorm,
)
from genbook.studies.random_labels.spec import RandomLabelsSpec
from genbook.training import SGD, Examples, Recipe, Replica, TrainingResult, train


def run(spec: RandomLabelsSpec, seeds: Sequence[int], device: str) -> pd.DataFrame:
    """Train one network per seed and noise level, all at once, and return the tidy table (see the study's columns).

    Beside them train, on real and on the most random labels, networks with a larger start or with larger steps: the
    controls that move measures of the weights and leave the labels alone.
    """
    dataset = data.load(spec.dataset)
    replicas = [replica for seed in seeds for replica in _replicas(spec, dataset, seed)]
    at = LogSpaced(spec.probes)
    probes = [
        *(Accuracy("train", at=at), Accuracy("test", at=at), MeanLoss("train", at=at), GradientCoherence(at=at)),
        *(WeightNorm(at=AtEnd()), DistanceFromInitialisation(at=AtEnd())),
    ]
    training = train(replicas, probes, device)
    return pd.concat([_measured(training.table), _summary(training, device)], ignore_index=True)


def _replicas(spec: RandomLabelsSpec, dataset: data.Dataset, seed: int) -> Iterator[Replica]:
    """The replicas of one seed: one subset, one batch order, one initialisation, a replica per noise level.

    The controls come last, for the first and the last noise level each.
    """
    split = data.split(dataset, seed, spec.n_train, flat=True)
    inputs, test = split.train.inputs, Examples(split.test.inputs, split.test.labels)
    model = mlp((inputs.shape[1], *spec.hidden, split.n_classes))
    real = split.train.labels.numpy()
    base = data.shuffle_labels(real, seed) if spec.labels == "shuffled" else real

    def replica(noise: float, network: str = "base", start: float = 1.0, step: float = 1.0) -> Replica:
        drawn = 0.0 if spec.labels == "kept" else noise
        given = data.corrupt(base, drawn, "uniform-any", seed, split.n_classes).labels
        train_set = Examples(inputs, torch.from_numpy(given), torch.from_numpy(real))
        recipe = Recipe(
            steps=spec.steps,
            optimiser=SGD(lr=step * spec.learning_rate),
            batch_size=spec.batch_size,
            init_scale=start,
            stop_at_accuracy=spec.fit_accuracy,
        )
        return Replica(seed, model, recipe, {"train": train_set, "test": test}, {"noise": noise, "network": network})

    for noise in spec.noise_levels:
        yield replica(noise)
    for noise in (spec.noise_levels[0], spec.noise_levels[-1]):
        yield replica(noise, "larger start", start=spec.control_start)
        yield replica(noise, "larger steps", step=spec.control_step)


def _measured(table: pd.DataFrame) -> pd.DataFrame:
    """The probes' rows under the study's own names of quantities."""
    names = {
        ("train", "accuracy"): "train accuracy",
        ("test", "accuracy"): "test accuracy",
        ("train", "loss"): "train loss",
        ("train", "m-coherence"): "m-coherence",
        ("", "weight norm"): "weight norm",
        ("", "distance"): "distance",
    }
    found = [names.get(pair) for pair in zip(table["on"], table["quantity"], strict=True)]
    rows = table.assign(quantity=found, layer=table["layer"].replace("", "all")).dropna(subset="quantity")
    rows = rows[(rows["quantity"] == "m-coherence") | (rows["layer"] == "all")]
    return rows[["seed", "noise", "network", "step", "epoch", "quantity", "layer", "value"]]


def _summary(training: TrainingResult, device: str) -> pd.DataFrame:
    """What there is one number of per replica: steps to fit, wrong labels, classes, parameters, sharpness."""
    replicas, endings = training.replicas, training.endings
    wrong = [float((r.data["train"].labels != r.data["train"].true_labels).double().mean()) for r in replicas]
    classes = [float(np.unique(r.data["test"].labels).size) for r in replicas]
    wide = endings[["seed", "noise", "network"]].assign(
        step=endings["steps"],
        epoch=endings["epochs"],
        layer="all",
        **{
            "steps to fit": endings["fitted_step"],
            "wrong labels": wrong,
            "classes": classes,
            "parameters": [float(parameter_count(r.model)) for r in replicas],
            "sharpness": _sharpness(training, device),
        },
    )
    kept = ["seed", "noise", "network", "step", "epoch", "layer"]
    return wide.melt(id_vars=kept, var_name="quantity", value_name="value")


def _sharpness(training: TrainingResult, device: str) -> np.ndarray:
    """The largest eigenvalue of the training loss's Hessian at the end, for real and for the most random labels.

    NaN for what lies between, which no claim compares, and for what diverged.
    """
    noises = [replica.condition["noise"] for replica in training.replicas]
    places = [place for place, noise in enumerate(noises) if noise in (min(noises), max(noises))]
    networks = stack([training.model(place) for place in places]).to(device)
    sets = [training.replicas[place].data["train"] for place in places]
    inputs, labels = (torch.stack([getattr(s, name) for s in sets]).to(device) for name in ("inputs", "labels"))
    pairs = top_eigenpairs(Hessian(networks, nn.CrossEntropyLoss(), inputs, labels), tolerance=1e-2)
    values = np.full(len(noises), np.nan)
    values[places] = pairs.values[:, 0].cpu().numpy()
    return values
