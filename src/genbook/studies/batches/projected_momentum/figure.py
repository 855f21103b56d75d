"""What the figure of momentum is drawn from in which the reader chooses batches or images, and moves along training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from genbook.figures.moving import summaries
from genbook.studies.batches.projected_momentum.claims import squares
from genbook.studies.batches.projected_momentum.design import ProjectedMomentumSpec
from genbook.tables import readings

#: A colour for each run.
SHADES = {"plain": "control", "momentum": "random", "projected": "real"}


def named(spec: ProjectedMomentumSpec, usual: ProjectedMomentumSpec) -> str:
    """What a page calls a setting: by its batch, and by its images where they are others."""
    batches = f"batches of {spec.batch_size}"
    return batches if spec.dataset == usual.dataset else f"{spec.dataset}, {batches}"


def courses(tables: Mapping[str, Any]) -> pd.DataFrame:
    """Effective learning rates and training losses along training, from the first step on; geometric means.

    The effective rate is that of plain descent which moves as fast, over ‖w‖² of the hidden weights.

    Args:
        tables: by what a page calls them, with their ``frame`` and ``spec``.

    Returns:
        A row for each ``setting``, ``run``, ``step`` and ``what`` ("rate", "loss"): ``estimate``, ``low``, ``high``.
    """
    parts = []
    for setting, table in tables.items():
        rates = table.spec.learning_rate / squares(table.frame, table.spec).stack()
        losses = readings.curve(table.frame, "train loss", "run")
        for what, values in (("rate", rates), ("loss", losses)):
            rows = values.rename("value").reset_index()
            along = summaries(rows[rows["step"] > 0], "step", "value", ["run"], scale="log")
            parts.append(along.assign(setting=setting, what=what))
    return pd.concat(parts, ignore_index=True)
