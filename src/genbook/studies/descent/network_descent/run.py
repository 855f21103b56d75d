"""Train networks of growing width on partly wrong labels, and look at them across the interpolation threshold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd
import torch
from torch import nn

from genbook import data
from genbook.curvature import Hessian, top_eigenpairs
from genbook.models import mlp, parameter_count, stack
from genbook.probes import Accuracy, AtEnd, GradientCoherence, LogSpaced, MeanLoss, WeightNorm
from genbook.studies.descent.network_descent.spec import NetworkDescentSpec
from genbook.training import SGD, Examples, Recipe, Replica, TrainingResult, train

_COLUMNS = ["seed", "width", "step", "epoch", "quantity", "group", "value"]
_NAMES = {
    ("train", "accuracy"): "train accuracy",
    ("train", "loss"): "train loss",
    ("test", "accuracy"): "test accuracy",
    ("test", "loss"): "test loss",
    ("train", "m-coherence"): "m-coherence",
    ("train", "m-coherence at equal size"): "m-coherence at equal size",
    ("train", "gradient cosine"): "gradient cosine",
    ("", "weight norm"): "weight norm",
}


def run(spec: NetworkDescentSpec, seeds: Sequence[int], device: str) -> pd.DataFrame:
    """Train one network per seed and width, all at once, and return the tidy table (see the study's columns)."""
    dataset = data.load(spec.dataset)
    replicas = [replica for seed in seeds for replica in replicas_of(spec, dataset, seed)]
    at = LogSpaced(spec.checks)
    groups = ("clean", "corrupted") if spec.label_noise else ()
    probes = [
        *(Accuracy("train", at=at), MeanLoss("train", at=at), Accuracy("test", at=at), MeanLoss("test", at=at)),
        *(GradientCoherence(at=at, examples=spec.coherence_examples, groups=groups, layers=False),),
        WeightNorm(at=AtEnd()),
    ]
    training = train(replicas, probes, device)
    return pd.concat([_measured(training.table), _summary(training, device)], ignore_index=True)


def replicas_of(spec: NetworkDescentSpec, dataset: data.Dataset, seed: int) -> Iterator[Replica]:
    """The networks of one seed: they share their examples, labels and batches."""
    split = data.split(dataset, seed, spec.train_size, flat=True)
    inputs, real = split.train.inputs, split.train.labels.numpy()
    if spec.base_labels == "shuffled":
        real = data.shuffle_labels(real, seed)
    given = data.corrupt(real, spec.label_noise, "uniform", seed, split.n_classes)
    changed = torch.from_numpy(given.changed)
    groups = {"clean": ~changed, "corrupted": changed}
    sets = {
        "train": Examples(inputs, torch.from_numpy(given.labels), torch.from_numpy(real), groups),
        "test": Examples(split.test.inputs, split.test.labels),
    }
    recipe = Recipe(
        steps=spec.training_steps,
        optimiser=SGD(spec.learning_rate, spec.momentum, weight_decay=spec.decay),
        batch_size=spec.batch_size,
    )
    for width in spec.hidden_widths:
        model = mlp((inputs.shape[1], *[width] * spec.hidden_layers, split.n_classes))
        yield Replica(seed, model, recipe, sets, {"width": width})


def _measured(table: pd.DataFrame) -> pd.DataFrame:
    """The probes' rows under the study's own names of quantities, of the whole network."""
    found = [_NAMES.get(pair) for pair in zip(table["on"], table["quantity"], strict=True)]
    rows = table.assign(quantity=found, group=table["group"].replace("", "all")).dropna(subset="quantity")
    return rows.loc[rows["layer"].isin(["", "all"]), _COLUMNS]


def _summary(training: TrainingResult, device: str) -> pd.DataFrame:
    """What there is one number of per network: its parameters, and the sharpness at its end."""
    endings = training.endings
    wide = endings[["seed", "width"]].assign(
        step=endings["steps"],
        epoch=endings["epochs"],
        group="all",
        parameters=[float(parameter_count(replica.model)) for replica in training.replicas],
        sharpness=_sharpness(training, device),
    )
    kept = ["seed", "width", "step", "epoch", "group"]
    return wide.melt(id_vars=kept, var_name="quantity", value_name="value")[_COLUMNS]


def _sharpness(training: TrainingResult, device: str) -> pd.Series:
    """The largest eigenvalue of the training loss's Hessian at the end, width by width; NaN for what diverged."""
    values = pd.Series(float("nan"), index=training.endings.index)
    for _, alike in training.endings.groupby("width"):
        places = list(alike.index)
        networks = stack([training.model(place) for place in places]).to(device)
        sets = [training.replicas[place].data["train"] for place in places]
        inputs, labels = (torch.stack([getattr(s, name) for s in sets]).to(device) for name in ("inputs", "labels"))
        pairs = top_eigenpairs(Hessian(networks, nn.CrossEntropyLoss(), inputs, labels), tolerance=2e-2)
        values[places] = pairs.values[:, 0].cpu().numpy()
    return values
