"""Descent on the squared loss, measured at a few steps: losses, and the spectrum of the hidden activations there.

No design: what the eigenvalues are of are the weights in the middle of a training.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import torch

from genbook import data
from genbook.base.recipes import SGD, Recipe
from genbook.models import mlp
from genbook.probes import Accuracy, AtEnd, MeanLoss
from genbook.studies.descent.hidden_eigenvalues.spec import HiddenEigenvaluesSpec
from genbook.training import Examples, Replica, TrainingResult, train

COLUMNS = ["seed", "trained", "width", "step", "quantity", "value"]
#: The layers that learn, by the name of the network.
TRAINED = ("whole", "last layer")


def run(spec: HiddenEigenvaluesSpec, seeds: Sequence[int], device: str) -> pd.DataFrame:
    """Train every network of every seed at once and return the tidy table (see the study's columns)."""
    replicas = [replica for seed in seeds for replica in _replicas(spec, seed)]
    probes = [kind(on, at=AtEnd()) for on in ("train", "test") for kind in (Accuracy, MeanLoss)]
    result = train(replicas, probes, device)
    rows = [_measured(result, spec.steps[0])]
    for before, after in pairwise(spec.steps):
        further = replace(replicas[0].recipe, steps=after - before)
        result = result.continued(further, probes, device=device)
        rows.append(_measured(result, after))
    return pd.concat(rows, ignore_index=True)


def _replicas(spec: HiddenEigenvaluesSpec, seed: int) -> Iterator[Replica]:
    """One seed's networks: each width twice, from the same first weights."""
    split = data.split(data.load(spec.dataset), seed, spec.distinct(), flat=True)
    given = data.corrupt(split.train.labels.numpy(), spec.noise, "uniform", seed, split.n_classes).labels
    labels = torch.from_numpy(np.tile(given, spec.copies))
    sets = {
        "train": Examples(split.train.inputs.repeat(spec.copies, 1), labels),
        "test": Examples(split.test.inputs, split.test.labels),
    }
    recipe = Recipe(spec.steps[0], SGD(spec.learning_rate, spec.momentum), loss="squared")
    for trained in TRAINED:
        fixed = trained == "last layer" or spec.first_layer == "fixed"
        for width in spec.widths:
            units = round(width * spec.n_train)
            model = mlp((split.train.inputs.shape[1], units, split.n_classes), frozen=("0",) if fixed else ())
            yield Replica(seed, model, recipe, sets, {"trained": trained, "width": width})


def _measured(result: TrainingResult, step: int) -> pd.DataFrame:
    """All rows of one step: losses as squared distances from the one-hot labels, eigenvalues of the activations."""
    table = result.table[result.table["group"].isin(["", "all"])]
    table = table.assign(quantity=table["on"] + " " + table["quantity"], step=step)
    classes = table["quantity"].str.endswith("loss").map({True: data.N_CLASSES, False: 1})
    table = table.assign(value=table["value"] * classes)[COLUMNS]
    spectra = [
        (replica.seed, *replica.condition.values(), step, quantity, value)
        for replica, state in zip(result.replicas, result.states, strict=True)
        for quantity, value in spectrum(hidden(state, replica.data["train"].inputs)).items()
    ]
    return pd.concat([table, pd.DataFrame(spectra, columns=COLUMNS)], ignore_index=True)


def hidden(state: Mapping[str, torch.Tensor], inputs: torch.Tensor) -> torch.Tensor:
    """The hidden layer's activations [n, units] in double precision."""
    weights, bias = (state[f"0.{name}"].double() for name in ("weight", "bias"))
    return torch.relu(inputs.double() @ weights.T + bias)


def spectrum(activations: torch.Tensor) -> dict[str, float]:
    """Least positive and largest eigenvalue of activations' second moments, and how many are positive.

    Positive are those of singular values that `numpy.linalg.matrix_rank` counts.
    """
    values = torch.linalg.svdvals(activations)
    floor = values[0] * max(activations.shape) * torch.finfo(values.dtype).eps
    squares = values[values > floor] ** 2 / len(activations)
    least, largest = (float(squares[place]) if len(squares) else float("nan") for place in (-1, 0))
    return {"least eigenvalue": least, "largest eigenvalue": largest, "rank": float(len(squares))}
