"""Two trainings of each seed: with linear decay to see gradients, then with every schedule at every peak.

No design: the refined schedule is made of what the first training measured, and so is another one for each seed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from genbook.experiments import Design, Watch
from genbook.studies.batches.network_schedules.spec import GRADIENTS, LEARNED, NetworkSchedulesSpec
from genbook.studies.batches.shared import factors, refined, smoothed
from genbook.tables import readings

COLUMNS = ["seed", "schedule", "peak", "step", "quantity", "value"]
#: What the seeds of the first runs lie above those of the compared ones: another draw of examples, weights and batches.
FIRST = 10**6
#: The place of a first run among the schedules.
BEFORE = "first run"


def run(spec: NetworkSchedulesSpec, seeds: Sequence[int], device: str) -> pd.DataFrame:
    """Return the tidy table (see the study's columns)."""
    return pd.concat([_one_seed(spec, seed, device) for seed in seeds], ignore_index=True)[COLUMNS]


def _one_seed(spec: NetworkSchedulesSpec, seed: int, device: str) -> pd.DataFrame:
    shapes = dict(factors(spec.steps))
    first = _trained(spec, {"linear": shapes["linear"]}, GRADIENTS, seed + FIRST, device)
    ends = readings.final(first, "train loss", "peak").iloc[0]
    course = first[first["peak"] == ends.idxmin()].pivot(index="step", columns="quantity", values="value")
    norms = batch_norms(course, spec)
    shapes["refined"] = refined(np.interp(np.arange(spec.steps), norms.index, norms))
    kept = norms.index[norms.index < spec.steps]
    made = pd.DataFrame(
        {
            "step": np.tile(kept, 2),
            "quantity": np.repeat(["batch gradient norm", "factor"], len(kept)),
            "value": np.concatenate([norms[kept], shapes["refined"][kept]]),
        }
    ).assign(schedule=BEFORE, peak=ends.idxmin())
    compared = _trained(spec, shapes, LEARNED, seed, device)
    return pd.concat([made, compared], ignore_index=True).assign(seed=seed)


def _trained(
    spec: NetworkSchedulesSpec, shapes: dict[str, np.ndarray], watch: Watch, seed: int, device: str
) -> pd.DataFrame:
    """Every schedule at every peak, all on the same batches from the same first weights."""
    design = Design(
        spec.condition(name, tuple(shape.tolist()), peak, watch)
        for name, shape in shapes.items()
        for peak in spec.peaks
    )
    return readings.rows(design.run([seed], device))


def batch_norms(course: pd.DataFrame, spec: NetworkSchedulesSpec) -> pd.Series:
    """The root of E‖g_B‖² = ‖g‖² (1 + (1 − α) / (α B)) at the measured steps, smoothed by a running median.

    Args:
        course: rows steps; columns "gradient norm", ‖g‖, and "m-coherence", α times the number of examples.
        spec: of the batch.
    """
    alpha = course["m-coherence"] / spec.n_train
    squares = course["gradient norm"] ** 2 * (1 + (1 - alpha) / (alpha * spec.batch_size))
    return pd.Series(smoothed(np.sqrt(squares.to_numpy()), spec.window), course.index)
