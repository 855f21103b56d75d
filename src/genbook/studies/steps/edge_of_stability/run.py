"""Train small networks with constant steps and measure the Hessian's top eigenvalue and trace on the way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from genbook import data
from genbook.models import mlp
from genbook.probes import AtEnd, AtSteps, HessianTrace, MeanLoss, Sharpness
from genbook.studies.steps.edge_of_stability.spec import EdgeOfStabilitySpec
from genbook.training import SGD, Examples, Recipe, Replica, train

_COLUMNS = ["seed", "run", "activation", "loss", "rate", "batch", "step", "quantity", "value"]


def run(spec: EdgeOfStabilitySpec, seeds: Sequence[int], device: str) -> pd.DataFrame:
    """Train all runs of all seeds at once and return the tidy table (see the study's columns)."""
    dataset = data.load(spec.dataset)
    replicas = [replica for seed in seeds for replica in replicas_of(spec, dataset, seed)]
    at = schedule(spec)
    table = train(
        replicas, [Sharpness(at=at, tolerance=2e-2), MeanLoss(at=at), HessianTrace(at=AtEnd(), samples=20)], device
    ).table
    names = {"sharpness": "sharpness", "loss": "train loss", "Hessian trace": "Hessian trace"}
    found = table.assign(quantity=table["quantity"].map(names)).dropna(subset="quantity")
    return found[_COLUMNS].reset_index(drop=True)


def schedule(spec: EdgeOfStabilitySpec) -> AtSteps:
    """Step 0, log-spaced steps up to the middle of the training, and three late ones, over which claims average."""
    early = np.geomspace(1, max(1, spec.edge_steps // 2), spec.edge_probes - 3)
    late = spec.edge_steps * np.array([0.65, 0.8, 1])
    return AtSteps((0, *np.unique(np.concatenate([early, late]).round().astype(int)).tolist()))


def replicas_of(spec: EdgeOfStabilitySpec, dataset: data.Dataset, seed: int) -> Iterator[Replica]:
    """The runs of one seed: they share their examples and, but for the activation, their initial weights."""
    split = data.split(dataset, seed, spec.edge_examples, flat=True)
    examples = Examples(split.train.inputs, split.train.labels)
    sizes = (examples.inputs.shape[1], spec.edge_hidden, split.n_classes)

    def one(
        name: str, rate: float, activation: str = "tanh", loss: str = "squared", batch: int | None = None
    ) -> Replica:
        recipe = Recipe(spec.edge_steps, SGD(lr=rate), batch, loss=loss, init_scale=spec.init_scale)
        condition = {"run": name, "activation": activation, "loss": loss, "rate": rate, "batch": batch or 0}
        return Replica(seed, mlp(sizes, activation=activation), recipe, {"train": examples}, condition)

    for rate in spec.edge_rates:
        yield one("full batch", rate)
        yield one("ReLU", rate, activation="relu")
    yield one("small step", spec.unreached_rate)
    yield one("other loss", spec.edge_rates[0], loss=spec.other_loss)
    for size in spec.edge_batches:
        yield one("mini-batch", spec.edge_rates[0], batch=min(size, spec.edge_examples))
