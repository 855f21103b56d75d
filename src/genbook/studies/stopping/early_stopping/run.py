"""Early stopping: train on partly wrong labels, and watch the gradients of clean and of corrupted examples."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from genbook import data
from genbook.base.seeding import generator
from genbook.gradients import coherence
from genbook.models import mlp
from genbook.probes import Accuracy, DistanceFromInitialisation, LogSpaced, MeanLoss, Measurement, Probe
from genbook.studies.stopping.early_stopping.spec import EarlyStoppingSpec
from genbook.training import SGD, Examples, Recipe, Replica, View, train

GROUPS = ("clean", "corrupted")


def run(spec: EarlyStoppingSpec, seeds: Sequence[int], device: str) -> pd.DataFrame:
    """Train one network per seed, all at once, and return the tidy table (see the study's columns)."""
    dataset = data.load(spec.dataset)
    at = LogSpaced(spec.probes)
    probes = [
        Accuracy("train", at=at),
        Accuracy("train", labels="true", at=at),
        Accuracy("test", at=at),
        MeanLoss("train", at=at),
        DistanceFromInitialisation(at=at),
        GroupGradients(at=at),
    ]
    return _tidy(train([_replica(spec, dataset, seed) for seed in seeds], probes, device).table)


def _replica(spec: EarlyStoppingSpec, dataset: data.Dataset, seed: int) -> Replica:
    split = data.split(dataset, seed, spec.n_train, flat=True)
    real = split.train.labels
    corrupted = data.corrupt(real.numpy(), spec.noise, "uniform", seed, split.n_classes)
    tags = torch.from_numpy(corrupted.changed)
    if spec.tags == "shuffled":
        tags = tags[torch.from_numpy(generator(seed, "shuffled tags").permutation(len(tags)))]
    given = torch.from_numpy(corrupted.labels) if spec.labels == "noisy" else real
    recipe = Recipe(steps=spec.steps, optimiser=SGD(lr=spec.learning_rate), batch_size=spec.batch_size)
    sets = {
        "train": Examples(split.train.inputs, given, real, {"clean": ~tags, "corrupted": tags}),
        "test": Examples(split.test.inputs, split.test.labels),
    }
    return Replica(seed, mlp((split.train.inputs.shape[1], *spec.hidden, split.n_classes)), recipe, sets)


@dataclass(frozen=True)
class GroupGradients(Probe):
    """The summed gradients S_g of clean and corrupted training examples, of the whole network and of each layer.

    Quantities: "gradient length" ‖S_g‖ and "m-coherence" (at the size of the smaller group) of each group; "gradient
    cosine" and "clean descent" ⟨S, S_clean⟩ and "descent" ⟨S, S⟩ of both, S being the sum over all examples. Descent is
    kept apart from its share f_g = ⟨S, S_g⟩ / ⟨S, S⟩ because shares of different moments average badly: where S is
    nearly zero they are huge.
    """

    def measure(self, view: View) -> Iterable[Measurement]:
        """One forward and one backward pass over the training set."""
        measured = coherence(
            view.model,
            view.loss.module(),
            view.sets.inputs("train"),
            view.sets.targets("train"),
            groups=view.sets.groups("train")["corrupted"].int(),
            group_names=list(GROUPS),
            alignments=False,
            allow_nonfinite=True,
        )
        for layer, part in {"all": measured, **measured.layers}.items():
            groups = part.groups
            towards = groups.products.sum(-1)
            for place, name in enumerate(GROUPS):
                length = groups.products[..., place, place].sqrt()
                yield Measurement("gradient length", length, group=name, layer=layer)
                yield Measurement("m-coherence", groups.m_coherence_at()[..., place], group=name, layer=layer)
            yield Measurement("gradient cosine", groups.cosines[..., 0, 1], group="both", layer=layer)
            yield Measurement("clean descent", towards[..., 0], group="clean", layer=layer)
            yield Measurement("descent", towards.sum(-1), group="both", layer=layer)


def _tidy(table: pd.DataFrame) -> pd.DataFrame:
    """The probes' rows under the study's own names of quantities."""
    names = {
        ("train", "given", "accuracy"): "train accuracy",
        ("train", "true", "accuracy"): "true accuracy",
        ("test", "given", "accuracy"): "test accuracy",
        ("train", "given", "loss"): "train loss",
    }
    keys = zip(table["on"], table["labels"], table["quantity"], strict=True)
    found = [names.get(key, key[2]) for key in keys]
    rows = table.assign(
        quantity=found,
        group=table["group"].replace("", "all"),
        layer=_layer_names(table["layer"].replace("", "all")),
    )
    # of the distance only the whole network's is told
    rows = rows[(rows["quantity"] != "distance") | (rows["layer"] == "all")]
    return rows[["seed", "step", "epoch", "quantity", "group", "layer", "value"]].reset_index(drop=True)


def _layer_names(layers: pd.Series) -> np.ndarray:
    """Layers by their place among those with parameters, from 1: the network's own names count the activations."""
    order = sorted({name for name in layers if name.isdigit()}, key=int)
    places = {name: f"layer {place}" for place, name in enumerate(order, start=1)}
    return layers.map(lambda name: places.get(name, name)).to_numpy()
