"""What the figure of noise on gradients is drawn from."""

from __future__ import annotations

import pandas as pd

from genbook.tables import readings

#: What a page calls the runs, and the shade of each.
CALLED = {
    ("poor", "none"): ("poor start", "control"),
    ("poor", "annealed"): ("poor, annealed noise", "real"),
    ("poor", "constant"): ("poor, constant noise", "random"),
    ("good", "none"): ("good start", "clean"),
    ("good", "annealed"): ("good, annealed noise", "theory"),
}
SHADES = dict(CALLED.values())


def lowest_so_far(table: pd.DataFrame) -> pd.DataFrame:
    """The lowest training loss until a step, which a run that diverges keeps: ``seed``, ``run``, ``step``, ``loss``."""
    losses = readings.curve(table, "train loss", "start", "noise").unstack("step")
    found = losses.cummin(axis=1).ffill(axis=1).stack().rename("loss").reset_index()
    names = [CALLED[run][0] for run in zip(found["start"], found["noise"], strict=True)]
    return found.assign(run=names)[["seed", "run", "step", "loss"]]
