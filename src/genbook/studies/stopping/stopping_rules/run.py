"""Stopping rules: train at several levels of label noise and record every signal a rule may look at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from genbook import data
from genbook.base.seeding import generator
from genbook.models import mlp
from genbook.probes import Accuracy, GradientCoherence, LogSpaced, MeanLoss, Measurement, Probe
from genbook.studies.stopping.stopping_rules.spec import StoppingRulesSpec
from genbook.training import SGD, Examples, Recipe, Replica, View, train

HALVES = ("one half", "other half")


def run(spec: StoppingRulesSpec, seeds: Sequence[int], device: str) -> pd.DataFrame:
    """Train one network per seed and noise level, all at once, and return the tidy table (see the study's columns)."""
    dataset = data.load(spec.dataset)
    replicas = [replica for seed in seeds for replica in _replicas(spec, dataset, seed)]
    at = LogSpaced(spec.checkpoints)
    probes = [
        Accuracy("test", at=at),
        Accuracy("held-out", at=at),
        MeanLoss("held-out", at=at),
        MeanLoss("train", at=at),
        LossSpread(at=at),
        GradientCoherence(groups=HALVES, layers=False, at=at),
    ]
    table = _tidy(train(replicas, probes, device).table)
    table = pd.concat([table, _disparity(table, spec)], ignore_index=True)
    return _shifted(table) if spec.signals == "shifted" else table


def _replicas(spec: StoppingRulesSpec, dataset: data.Dataset, seed: int) -> Iterator[Replica]:
    """The replicas of one seed: one subset, one batch order, one initialisation, a replica per noise level."""
    split = data.split(dataset, seed, spec.n_train, spec.n_validation, flat=True)
    model = mlp((split.train.inputs.shape[1], *spec.hidden, split.n_classes))
    recipe = Recipe(steps=spec.steps, optimiser=SGD(lr=spec.learning_rate), batch_size=spec.batch_size)
    decoys = _chosen(spec.n_train, spec.decoys, seed, "decoys")
    half = _chosen(spec.n_train, spec.n_train // 2, seed, "halves")
    groups = {"decoys": decoys, HALVES[0]: half, HALVES[1]: ~half}
    test = Examples(split.test.inputs, split.test.labels)
    for noise in spec.noise_levels:
        given = _corrupted(split.train.labels, noise, seed, split.n_classes)
        given = torch.where(decoys, _relabelled(given, seed, split.n_classes), given)
        held_out = _corrupted(split.validation.labels, noise, seed, split.n_classes)
        sets = {
            "train": Examples(split.train.inputs, given, split.train.labels, groups),
            "held-out": Examples(split.validation.inputs, held_out),
            "test": test,
        }
        yield Replica(seed, model, recipe, sets, {"noise": noise})


def _corrupted(labels: torch.Tensor, noise: float, seed: int, n_classes: int) -> torch.Tensor:
    return torch.from_numpy(data.corrupt(labels.numpy(), noise, "uniform", seed, n_classes).labels)


def _relabelled(given: torch.Tensor, seed: int, n_classes: int) -> torch.Tensor:
    """Another label than the one given, each as likely: who places decoys does not know the right one."""
    shift = generator(seed, "decoy labels").integers(1, n_classes, len(given))
    return (given + torch.from_numpy(shift)) % n_classes


def _chosen(n: int, size: int, seed: int, purpose: str) -> torch.Tensor:
    mask = np.zeros(n, dtype=bool)
    mask[generator(seed, purpose).permutation(n)[:size]] = True
    return torch.from_numpy(mask)


@dataclass(frozen=True)
class LossSpread(Probe):
    """The standard deviation of the training examples' losses."""

    def measure(self, view: View) -> Iterable[Measurement]:
        """From the outputs alone."""
        yield Measurement("loss spread", view.values("train").to(torch.float64).std(1), "train", "given", "all")


def _tidy(table: pd.DataFrame) -> pd.DataFrame:
    """The probes' rows under the study's own names of quantities."""
    names = {
        ("test", "accuracy", "all"): "test accuracy",
        ("held-out", "accuracy", "all"): "held-out accuracy",
        ("held-out", "loss", "all"): "held-out loss",
        ("train", "loss", "all"): "train loss",
        ("train", "loss", "decoys"): "decoy loss",
        ("train", "loss spread", "all"): "loss spread",
        ("train", "m-coherence", "all"): "m-coherence",
        ("train", "gradient norm", "all"): "gradient norm",
        ("train", "gradient cosine", ", ".join(HALVES)): "cosine of halves",
    }
    keys = zip(table["on"], table["quantity"], table["group"], strict=True)
    rows = table.assign(quantity=[names.get(key) for key in keys]).dropna(subset="quantity")
    return rows[["seed", "noise", "step", "epoch", "quantity", "value"]].reset_index(drop=True)


def _disparity(table: pd.DataFrame, spec: StoppingRulesSpec) -> pd.DataFrame:
    """Gradient disparity (Forouzesh and Thiran, 2021): the distance of two random batches' gradients, exactly.

    The mean square of ‖g_B − g_B'‖ over all pairs of disjoint batches of b examples is 2/b times the variance of the
    per-example gradients, (Q − ‖S‖²/m) / (m − 1), so that no batch has to be drawn.
    """
    keys = ["seed", "noise", "step", "epoch"]
    wide = table.pivot(index=keys, columns="quantity", values="value")
    m = spec.n_train
    summed = (m * wide["gradient norm"]) ** 2
    variance = (summed / wide["m-coherence"] - summed / m) / (m - 1)
    disparity = np.sqrt(2 / spec.batch_size * variance).rename("value").reset_index()
    return disparity.assign(quantity="gradient disparity")[[*keys, "quantity", "value"]]


def _shifted(table: pd.DataFrame) -> pd.DataFrame:
    """Every signal from another moment of the same run, half of the measured points away; test accuracy stays."""

    def shift(values: pd.Series) -> np.ndarray:
        return np.roll(values.to_numpy(), len(values) // 2)

    table = table.sort_values(["seed", "noise", "quantity", "step"], ignore_index=True)
    moved = table.groupby(["seed", "noise", "quantity"])["value"].transform(shift)
    return table.assign(value=moved.where(table["quantity"] != "test accuracy", table["value"]))
