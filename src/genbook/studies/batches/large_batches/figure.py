"""What the figure is drawn from in which the reader chooses how training is counted: in updates or in epochs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from genbook.base.stats import t_interval
from genbook.tables import readings

#: The runs that differ in batch, learning rate and length alone, and what a page calls them.
CALLED = {
    "small": "small batches",
    "large": "large",
    "scaled": "large, larger steps",
    "long": "large, as many updates",
}


def courses(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Test error over seeds along training, from the first update on.

    Args:
        tables: by data set.

    Returns:
        A row for each data set (``images``), way of counting (``counted``), run (by its name on the page) and place:
        ``estimate``, ``low``, ``high``; and whether it is the run's ``last``.
    """
    rows = []
    for images, table in tables.items():
        errors = 1 - readings.curve(table, "test accuracy", "run", "epoch")
        for (run, step, epoch), values in errors.groupby(["run", "step", "epoch"]):
            if run not in CALLED or not step:
                continue
            found = t_interval(values)
            ends = (found.low, found.high) if np.isfinite(found.low) else (found.estimate, found.estimate)
            for counted, place in (("updates", step), ("epochs", epoch)):
                rows.append([images, counted, CALLED[run], place, found.estimate, *np.clip(ends, 0, 1)])
    names = ["images", "counted", "run", "place", "estimate", "low", "high"]
    found = pd.DataFrame(rows, columns=names)
    return found.assign(last=found["place"] == found.groupby(names[:3])["place"].transform("max"))
