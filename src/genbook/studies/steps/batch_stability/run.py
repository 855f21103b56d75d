"""Train small networks on batches of all sizes, and measure the Hessian where they end, or whether their loss falls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from genbook import data
from genbook.models import mlp
from genbook.probes import AtSteps, HessianTrace, MeanLoss, Sharpness
from genbook.studies.steps.batch_stability.spec import BatchStabilitySpec
from genbook.training import SGD, Examples, Recipe, Replica, train

_COLUMNS = ["seed", "run", "rate", "batch", "step", "quantity", "value"]
_NAMES = {"sharpness": "sharpness", "loss": "train loss", "Hessian trace": "Hessian trace"}
_BOTH_ENDS = AtSteps((0,), end=True)


def run(spec: BatchStabilitySpec, seeds: Sequence[int], device: str) -> pd.DataFrame:
    """Train one output on single examples and on all, then ten outputs on batches; return the tidy table."""
    dataset = data.load(spec.dataset)
    ends = [replica for seed in seeds for replica in one_output(spec, dataset, seed)]
    curvature = [Sharpness(at=_BOTH_ENDS, tolerance=2e-2), HessianTrace(at=_BOTH_ENDS, samples=20)]
    ladders = [replica for seed in seeds for replica in ladder(spec, dataset, seed)]
    measured = [
        train(ends, [MeanLoss(at=_BOTH_ENDS), *curvature], device).table,
        train(ladders, [MeanLoss(at=_BOTH_ENDS)], device).table,
    ]
    table = pd.concat(measured, ignore_index=True)
    found = table.assign(quantity=table["quantity"].map(_NAMES)).dropna(subset="quantity")
    return found[_COLUMNS].reset_index(drop=True)


def one_output(spec: BatchStabilitySpec, dataset: data.Dataset, seed: int) -> Iterator[Replica]:
    """One real output and the squared loss: each example's Hessian then has rank one where it is fitted."""
    split = data.split(dataset, seed, spec.edge_examples, flat=True)
    examples = Examples(split.train.inputs, 1.0 - 2.0 * (split.train.labels % 2))
    model = mlp((examples.inputs.shape[1], spec.edge_hidden, 1), activation="tanh")
    for name, size in (("single", spec.single_batch), ("whole", spec.whole_batch)):
        batch = min(size, spec.edge_examples)
        for rate in spec.single_rates:
            recipe = Recipe(spec.single_steps, SGD(lr=rate), batch, loss="squared", init_scale=spec.init_scale)
            condition = {"run": name, "rate": rate, "batch": batch}
            yield Replica(seed, model, recipe, {"train": examples}, condition)


def ladder(spec: BatchStabilitySpec, dataset: data.Dataset, seed: int) -> Iterator[Replica]:
    """Ten outputs and the squared loss, with every batch size and step that is tried."""
    split = data.split(dataset, seed, spec.edge_examples, flat=True)
    examples = Examples(split.train.inputs, split.train.labels)
    model = mlp((examples.inputs.shape[1], spec.edge_hidden, split.n_classes), activation="tanh")
    for batch in dict.fromkeys(min(size, spec.edge_examples) for size in spec.stable_batches):
        for rate in spec.tried:
            recipe = Recipe(spec.stable_steps, SGD(lr=rate), batch, loss="squared", init_scale=spec.init_scale)
            condition = {"run": "ladder", "rate": rate, "batch": batch}
            yield Replica(seed, model, recipe, {"train": examples}, condition)
