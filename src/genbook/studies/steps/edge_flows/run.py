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
            found = courses(network, start, rate, spec)
        descent = found["descent"].path
        travelled = np.linalg.norm(descent - start, axis=1)
        for name, course in found.items():
            for step in range(0, spec.steps, spec.every):
                at = course.path[step]
                measured = {
                    "sharpness": float(np.linalg.eigvalsh(network.hessian(at))[-1]) * rate / 2,
                    "loss": network.loss(at),
                    "distance": float(np.linalg.norm(at - descent[step]) / travelled[step]),
                    "gradients": float(course.gradients[step]),
                }
                rows += [(seed, name, step, quantity, value) for quantity, value in measured.items()]
    return pd.DataFrame(rows, columns=COLUMNS)
