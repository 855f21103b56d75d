"""What the figure is drawn from in which the reader chooses how training is counted: in updates or in epochs."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from genbook.figures.moving import summaries
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
    parts = []
    for images, table in tables.items():
        errors = (1 - readings.curve(table, "test accuracy", "run", "epoch")).rename("error").reset_index()
        errors = errors[errors["run"].isin(CALLED) & (errors["step"] > 0)].replace({"run": CALLED})
        for counted, place in (("updates", "step"), ("epochs", "epoch")):
            along = summaries(errors.assign(place=errors[place]), "place", "error", ["run"])
            parts.append(along.assign(images=images, counted=counted))
    found = pd.concat(parts, ignore_index=True)
    found[["low", "high"]] = found[["low", "high"]].clip(0, 1)
    return found.assign(last=found["place"] == found.groupby(["images", "counted", "run"])["place"].transform("max"))
