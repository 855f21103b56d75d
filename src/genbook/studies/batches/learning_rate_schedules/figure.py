"""What figures of schedules are drawn from: bounds in closed form, and refined schedules for other batches."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from genbook.studies.batches.learning_rate_schedules import theory
from genbook.studies.batches.learning_rate_schedules.spec import LearningRateSchedulesSpec
from genbook.studies.batches.shared import factors, refined, smoothed
from genbook.tables import tidy

#: A colour for each schedule, and what figures call it.
SHADES = {
    "constant": "control",
    "inverse square root": "random",
    "step": "corrupted",
    "cosine": "clean",
    "linear": "real",
    "refined": "test",
}
#: Numbers of steps at which bounds are compared.
LENGTHS = (20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)
#: Sizes of a batch that the slider offers, up to the whole training set, which comes last.
SIZES = (1, 2, 5, 10, 20, 50, 100, 200)
#: Every so many of the kept steps is drawn.
_THINNED = 2


def constants() -> pd.DataFrame:
    """The least bound of each schedule in units of D G / √T, for gradients of equal norm.

    The peak is the best for each schedule and number of steps: numbers of steps down, schedules across.
    """
    return pd.DataFrame(
        {
            steps: {
                name: theory.best_peak(shape, np.ones(steps), 1.0)[1] * np.sqrt(steps)
                for name, shape in factors(steps).items()
            }
            for steps in LENGTHS
        }
    ).T


def at_batch(table: pd.DataFrame, spec: LearningRateSchedulesSpec) -> pd.DataFrame:
    """The schedule that a batch's expected gradient norms ask for: rows by ``batch``, ``seed`` and ``step``.

    ``norm`` is the root of E‖g_B‖² = ‖g‖² + (E‖g_i‖² − ‖g‖²) / B, of the two numbers measured in the first run and
    smoothed by a running median, as the paper's norms are; ``factor`` is the schedule that is made of it.
    """
    each, mean = (
        tidy.wide(table, "seed", "step", quantity=name)
        for name in ("mean of squared norms", "squared norm of the mean")
    )
    parts = []
    for size in [*(size for size in SIZES if size < spec.n_train), spec.n_train]:
        norms = np.sqrt(mean + (each - mean) / size)
        norms = norms.apply(lambda row: pd.Series(smoothed(row.to_numpy(), spec.window), row.index), axis=1)
        shapes = norms.apply(lambda row: pd.Series(refined(row.to_numpy()), row.index), axis=1)
        drawn = norms.columns[::_THINNED]
        parts.append(
            pd.DataFrame({"norm": norms[drawn].stack(), "factor": shapes[drawn].stack()})
            .rename_axis(["seed", "step"])
            .reset_index()
            .assign(batch=size)
        )
    return pd.concat(parts, ignore_index=True)


def in_words(sizes: Sequence[int]) -> list[str]:
    """What the slider says of each size."""
    return ["1 example", *(f"{size} examples" for size in sizes[1:-1]), f"all {sizes[-1]}"]
