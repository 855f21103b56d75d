"""Spectra at the end of training: by classes, widths, labels and clusters; and the loss along a straight path."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence

import pandas as pd
import torch
from torch import Tensor, nn

from genbook.base.progress import report
from genbook.curvature import Hessian, spectrum
from genbook.studies.landscape.hessian_outliers import problem
from genbook.studies.landscape.hessian_outliers.problem import Problem
from genbook.studies.landscape.hessian_outliers.spec import HessianOutliersSpec

COLUMNS = ["seed", "data", "classes", "width", "place", "quantity", "value"]
#: How many of the largest eigenvalues a table keeps.
KEPT = 30
#: Equal parts of the straight path at whose ends the loss is measured.
PARTS = 20
Row = tuple[int, str, int, int, float, str, float]


def run(spec: HessianOutliersSpec, seeds: Sequence[int], device: str) -> pd.DataFrame:
    """Return the tidy table (see the study's columns). ``device`` is not used: the networks are too small for it."""
    rows: list[Row] = []
    todo = list(_settings(spec))
    for done, (kind, classes, width) in enumerate(todo):
        report(done / len(todo), f"{kind}, {classes} classes, width {width}")
        given = _problem(spec, seeds, kind, classes)
        network = problem.begun(spec, seeds, classes, width)
        problem.descend(spec, network, given)
        rows += _of_spectra(spec, seeds, (kind, classes, width), network, given)
        if kind == "images" and (classes, width) == (spec.compared, spec.width):
            rows += _of_path(spec, seeds, network, given)
    table = pd.DataFrame(rows, columns=COLUMNS)
    return table.sort_values(["seed", *COLUMNS[1:-1]], kind="stable", ignore_index=True)


def _settings(spec: HessianOutliersSpec) -> Iterator[tuple[str, int, int]]:
    """(what is learned, number of classes, width) of every network of a seed, each once."""
    by_classes = [(one, spec.width) for one in sorted({*spec.classes, spec.compared})]
    by_width = [(spec.compared, one) for one in spec.widths if one != spec.width]
    yield from (("images", *both) for both in by_classes + by_width)
    yield from ((kind, spec.compared, spec.width) for kind in ("random labels", "separable", "overlapping"))


def _problem(spec: HessianOutliersSpec, seeds: Sequence[int], kind: str, classes: int) -> Problem:
    if kind in ("separable", "overlapping"):
        return problem.clusters(spec, seeds, spec.spreads[kind == "overlapping"])
    return problem.images(spec, seeds, classes, random=kind == "random labels")


def _of_spectra(
    spec: HessianOutliersSpec, seeds: Sequence[int], setting: tuple[str, int, int], network: nn.Module, given: Problem
) -> Iterator[Row]:
    losses = given.loss(network).tolist()
    for seed, loss, values in zip(seeds, losses, eigenvalues(network, given), strict=True):
        found = {
            "train loss": loss,
            "outliers": float((values >= spec.outlier * values[0]).sum()),
            "near zero": float((values.abs() <= spec.near_zero * values[0]).double().mean()),
            "smallest eigenvalue": float(values[-1]),
        }
        yield from ((seed, *setting, 0.0, quantity, value) for quantity, value in found.items())
        kept = values[:KEPT].tolist()
        yield from ((seed, *setting, float(rank), "eigenvalue", value) for rank, value in enumerate(kept, 1))


def eigenvalues(network: nn.Module, given: Problem) -> Tensor:
    """All eigenvalues of each network's Hessian, [R, P], the largest first."""
    return spectrum(Hessian(network, nn.CrossEntropyLoss(), *given))


def _of_path(spec: HessianOutliersSpec, seeds: Sequence[int], large: nn.Module, given: Problem) -> Iterator[Row]:
    """Loss on the straight path from where large batches ended to where small ones end, and how far that is."""
    setting = "images", spec.compared, spec.width
    small = problem.begun(spec, seeds, spec.compared, spec.width, " of small batches")
    if not spec.other_start:
        small = copy.deepcopy(large)
    batches = problem.small_batches(spec, seeds, given.labels.shape[1])
    problem.descend(spec, small, given, batches)
    begun = problem.begun(spec, seeds, spec.compared, spec.width)
    way = (_apart(small, large) / _apart(large, begun)).tolist()
    yield from ((seed, *setting, 1.0, "way", one) for seed, one in zip(seeds, way, strict=True))
    between = copy.deepcopy(large)
    for part in range(PARTS + 1):
        with torch.no_grad():
            ends = zip(between.parameters(), large.parameters(), small.parameters(), strict=True)
            for one, first, last in ends:
                one.copy_(torch.lerp(first, last, part / PARTS))
            losses = given.loss(between).tolist()
        for seed, loss in zip(seeds, losses, strict=True):
            yield seed, *setting, part / PARTS, "loss on the path", loss


def _apart(one: nn.Module, other: nn.Module) -> Tensor:
    """Distance of each network's weights from the other's, [R]."""
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    return torch.cat([(a - b).detach().flatten(1) for a, b in pairs], 1).norm(dim=1)
