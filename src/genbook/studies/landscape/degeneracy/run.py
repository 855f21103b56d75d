"""Networks stopped as they fit, and what of their parameters changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from torch import nn

from genbook.base.progress import report
from genbook.curvature import sharpness
from genbook.experiments.run import Drawn
from genbook.studies.landscape.degeneracy import counts
from genbook.studies.landscape.degeneracy.spec import DegeneracySpec
from genbook.studies.landscape.shared import layers_of
from genbook.training import Replica, train
from genbook.training.programs import initial_model

COLUMNS = ["seed", "when", "noise", "layer", "quantity", "value"]
Row = tuple[str, str, float]


def run(spec: DegeneracySpec, seeds: Sequence[int], device: str) -> pd.DataFrame:
    """Train, count and return the tidy table (see the study's columns)."""
    drawn, conditions = Drawn(), list(spec.conditions())
    placed = [(seed, condition) for seed in seeds for condition in conditions]
    result = train([drawn.replica(condition, seed) for seed, condition in placed], [], device)
    rows = []
    for place, (seed, condition) in enumerate(placed):
        report(0.5 + 0.4 * place / len(placed), "counting degenerate directions")
        replica, ended = result.replicas[place], result.endings.loc[place]
        fits = bool(ended["fitted"])
        told = [*_measured(spec, result.model(place), replica, device), ("all", "steps to fit", ended["fitted_step"])]
        noise = condition.columns["noise"]
        rows += [(seed, "fitted", noise, layer, name, value if fits else np.nan) for layer, name, value in told]
    firsts = [replica for replica in result.replicas if replica.condition["noise"] == spec.noises[0]]
    for replica in firsts:
        start = _counted(spec, initial_model(replica), replica)
        rows += [(replica.seed, "start", spec.noises[0], *row) for row in start]
    needed = result.endings[result.endings["noise"] == spec.noises[-1]]["fitted_step"].tolist()
    rows += _as_long(spec, firsts, needed, device)
    return pd.DataFrame(rows, columns=COLUMNS).sort_values(COLUMNS[:-1], kind="stable", ignore_index=True)


def _as_long(
    spec: DegeneracySpec, firsts: Sequence[Replica], needed: Sequence[float], device: str
) -> list[tuple[int, str, float, str, str, float]]:
    """Rows of the least random labels' networks after as many steps as the most random ones need to fit."""
    steps = [spec.steps if np.isnan(one) else int(one) for one in needed]
    longer = [
        replace(replica, recipe=replace(replica.recipe, steps=one, stop_at_accuracy=None))
        for replica, one in zip(firsts, steps, strict=True)
    ]
    result = train(longer, [], device)
    rows = []
    for place, (replica, one) in enumerate(zip(longer, needed, strict=True)):
        known = not np.isnan(one) and not result.endings.loc[place, "diverged"]
        told = _measured(spec, result.model(place), replica, device)
        rows += [
            (replica.seed, "as long", spec.noises[0], layer, name, value if known else np.nan)
            for layer, name, value in told
        ]
    return rows


def _measured(spec: DegeneracySpec, model: nn.Module, replica: Replica, device: str) -> Iterator[Row]:
    """Rows of one trained network: how degenerate, how flat, how it generalizes."""
    yield from _counted(spec, model, replica)
    yield from _told(model, replica, device)


def _counted(spec: DegeneracySpec, model: nn.Module, replica: Replica) -> Iterator[Row]:
    """Rows (layer, quantity, value) of the degeneracy of one network."""
    layers, inputs = layers_of(model), replica.data["train"].inputs.double().numpy()
    given = counts.activations(layers, inputs)
    for place, (units, change) in enumerate(zip(given[1:], counts.backwards(layers, given), strict=True)):
        width = units.shape[1]
        by_outputs = change.reshape(-1, width)
        found = {
            "dependent activations": 1 - counts.rank(units, spec.threshold) / width,
            "dependent gradients": 1 - counts.rank(by_outputs, spec.threshold) / width,
            "firing alike": counts.firing_alike(units, spec.apart) / width,
        }
        yield from ((str(place), name, value) for name, value in found.items())
    few = counts.activations(layers, inputs[: spec.examples])
    yield "all", "effective parameters", float(counts.above(counts.behaviour(layers, few), spec.threshold))


def _told(model: nn.Module, replica: Replica, device: str) -> Iterator[Row]:
    """Rows of how flat one network is, and how it generalizes."""
    train_set, test = replica.data["train"], replica.data["test"]
    with torch.no_grad():
        correct = model(test.inputs).argmax(1) == test.labels
    top = sharpness(
        model.to(device),
        nn.CrossEntropyLoss(),
        train_set.inputs.to(device),
        train_set.labels.to(device),
        tolerance=0.01,
        max_iterations=20,
    )
    yield "all", "test accuracy", float(correct.double().mean())
    yield "all", "sharpness", float(top[0])
