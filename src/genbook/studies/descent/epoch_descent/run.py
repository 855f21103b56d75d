"""Train networks that fit wrong labels, for long after they have fitted them, and watch the test error."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd
import torch

from genbook import data
from genbook.models import mlp
from genbook.probes import Accuracy, LogSpaced, MeanLoss
from genbook.studies.descent.epoch_descent.spec import SETTINGS, EpochDescentSpec, Setting
from genbook.training import SGD, Adam, Examples, Recipe, Replica, train

_COLUMNS = ["seed", "setting", "step", "epoch", "quantity", "value"]


def run(spec: EpochDescentSpec, seeds: Sequence[int], device: str) -> pd.DataFrame:
    """Train one network per seed and setting, and return the tidy table (see the study's columns)."""
    dataset = data.load(spec.dataset)
    replicas = [replica for seed in seeds for replica in replicas_of(spec, dataset, seed)]
    at = LogSpaced(spec.epoch_checks)
    probes = [probe(on, at=at) for on in ("train", "test") for probe in (Accuracy, MeanLoss)]
    table = train(replicas, probes, device).table
    return table.assign(quantity=table["on"] + " " + table["quantity"])[_COLUMNS]


def replicas_of(spec: EpochDescentSpec, dataset: data.Dataset, seed: int) -> Iterator[Replica]:
    """The networks of one seed, on one training set."""
    split = data.split(dataset, seed, spec.epoch_examples, flat=True)
    inputs, test = split.train.inputs, Examples(split.test.inputs, split.test.labels)
    for name in spec.watched:
        setting = SETTINGS[name]
        share = min(0.9, spec.noise_factor * setting.noise)
        given = data.corrupt(split.train.labels.numpy(), share, "uniform", seed, split.n_classes).labels
        sets = {"train": Examples(inputs, torch.from_numpy(given), split.train.labels), "test": test}
        recipe = Recipe(steps=spec.epoch_steps, optimiser=_optimiser(setting), batch_size=spec.epoch_batch)
        model = mlp((inputs.shape[1], *[setting.width] * setting.layers, split.n_classes))
        yield Replica(seed, model, recipe, sets, {"setting": name})


def _optimiser(setting: Setting) -> SGD | Adam:
    if setting.optimiser == "adam":
        return Adam(setting.rate)
    return SGD(setting.rate, momentum=0.9 if setting.optimiser == "momentum" else 0.0)
