"""Courses and ends of four methods, with and without wrong labels, and the sharpness of rescaled networks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd
import torch
from torch import Tensor, nn

from genbook.base.progress import report
from genbook.curvature import sharpness
from genbook.studies.landscape.shared import losses
from genbook.studies.landscape.sharpness_aware import methods
from genbook.studies.landscape.sharpness_aware.methods import Given
from genbook.studies.landscape.sharpness_aware.spec import METHODS, RESCALED, SharpnessAwareSpec

COLUMNS = ["seed", "method", "noise", "scale", "gradients", "quantity", "value"]
Row = tuple[int, str, float, float, int, str, float]


def run(spec: SharpnessAwareSpec, seeds: Sequence[int], device: str) -> pd.DataFrame:
    """Return the tidy table (see the study's columns). ``device`` is not used: the networks are too small for it."""
    rows: list[Row] = []
    for k, noise in enumerate((0.0, spec.noise)):
        given = Given(spec, seeds, noise)
        for done, method in enumerate(METHODS):
            report((k + done / len(METHODS)) / 2, f"{method}, {noise:.0%} wrong labels")
            rows += _of_method(spec, seeds, given, method, noise, rescale=k == 0 and method in RESCALED)
    table = pd.DataFrame(rows, columns=COLUMNS)
    return table.sort_values(["seed", *COLUMNS[1:-1]], kind="stable", ignore_index=True)


def _of_method(
    spec: SharpnessAwareSpec, seeds: Sequence[int], given: Given, method: str, noise: float, rescale: bool
) -> Iterator[Row]:
    for gradients, network in methods.trained(spec, seeds, given, method):
        for quantity, values in _learned(network, given).items():
            for seed, value in zip(seeds, values.tolist(), strict=True):
                yield seed, method, noise, 1.0, gradients, quantity, value
    for scale in sorted({1.0, *(spec.scales if rescale else ())}):
        other = methods.rescaled(network, scale)
        found = {"sharpness": sharpest(other, given), "change of outputs": changed(network, other, given)}
        for quantity, values in found.items():
            for seed, value in zip(seeds, values.tolist(), strict=True):
                yield seed, method, noise, scale, gradients, quantity, value


@torch.no_grad()
def _learned(network: nn.Module, given: Given) -> dict[str, Tensor]:
    wrong = network(given.test_inputs).argmax(2) != given.test_labels
    return {
        "train loss": losses(network(given.inputs), given.labels),
        "test error": wrong.double().mean(1),
    }


def sharpest(network: nn.Module, given: Given) -> Tensor:
    """The largest eigenvalue of each network's Hessian on all training examples, [R]."""
    return sharpness(network, nn.CrossEntropyLoss(), given.inputs, given.labels, tolerance=1e-2)


@torch.no_grad()
def changed(network: nn.Module, other: nn.Module, given: Given) -> Tensor:
    """The largest change of a test output between two networks, over the largest output, [R]."""
    before, after = (one(given.test_inputs).flatten(1) for one in (network, other))
    return (after - before).abs().amax(1) / before.abs().amax(1)
