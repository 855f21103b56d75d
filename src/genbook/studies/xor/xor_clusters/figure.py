"""What the figure is drawn from in which the reader steps through the diagram."""

from __future__ import annotations

import numpy as np
import pandas as pd

from genbook.figures.moving import summaries
from genbook.studies.xor.xor_clusters import claims


def step_by_step(cells: pd.DataFrame, table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """``course``: accuracy of each cell of the diagram at each step; ``directions``: where hidden units point then.

    ``cell`` numbers the pairs of dimension and strength. Directions were stored at a few steps only: those of ``step``
    are the last known of all steps before ``until``.
    """
    course = summaries(cells, "step", "value", ["dimension", "strength"])
    course["cell"] = course.groupby(["dimension", "strength"]).ngroup()
    turning = claims.one_by_one(table, "unit along first mean", "unit along second mean")
    stored = sorted(turning)
    units = pd.concat(
        turning[step]
        .rename(columns={"unit along first mean": "first", "unit along second mean": "second"})
        .reset_index(drop=True)
        .assign(step=step, until=until, unit=range(len(turning[step])))
        for step, until in zip(stored, [*stored[1:], int(cells["step"].max()) + 1], strict=True)
    )
    return {"course": course, "directions": units.assign(sign=np.where(units["unit"] % 2, "negative", "positive"))}
