"""Gradient descent on a small network and the flows beside it, in float64."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from genbook.studies.steps.edge_flows.flows import courses
from genbook.studies.steps.edge_flows.network import made
from genbook.studies.steps.edge_flows.spec import EdgeFlowsSpec

COLUMNS = ["seed", "path", "step", "quantity", "value"]


def run(spec: EdgeFlowsSpec, seeds: Sequence[int], device: str) -> pd.DataFrame:
    """Return the tidy table (see the study's columns). ``device`` is not used: these are a hundred parameters."""
    rows: list[tuple[object, ...]] = []
    for seed in seeds:
        network, start = made(spec, seed)
        rate = 2 * spec.start / float(np.linalg.eigvalsh(network.hessian(start))[-1])
        with np.errstate(over="ignore", invalid="ignore"):
            paths = courses(network, start, rate, spec.steps, spec.substeps, spec.threshold)
        travelled = np.linalg.norm(paths["descent"] - start, axis=1)
        for name, path in paths.items():
            for step in range(0, spec.steps, spec.every):
                sharpest = float(np.linalg.eigvalsh(network.hessian(path[step]))[-1])
                apart = float(np.linalg.norm(path[step] - paths["descent"][step]) / travelled[step])
                rows.append((seed, name, step, "sharpness", sharpest * rate / 2))
                rows.append((seed, name, step, "loss", network.loss(path[step])))
                rows.append((seed, name, step, "distance", apart))
    return pd.DataFrame(rows, columns=COLUMNS)
