"""What the figure is drawn from in which the reader walks the straight path between two networks."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from genbook.figures.moving import summaries
from genbook.tables import tidy

#: What a page calls the two orders of units.
CALLED = {"as trained": "as trained", "matched": "units matched"}


def paths(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Test error over seeds along the path, with m-coherence there.

    Args:
        tables: by data set.

    Returns:
        A row for each data set (``images``), ``width``, order of units (``units``, by its name on the page) and
        ``place``: ``estimate``, ``low``, ``high`` of test error, and the mean over seeds of ``coherence``.
    """
    parts = []
    for images, table in tables.items():
        errors, coherence = (tidy.select(table, quantity=name) for name in ("test error", "m-coherence"))
        along = summaries(errors, "place", "value", ["width", "order"])
        means = coherence.groupby(["width", "order", "place"])["value"].mean().rename("coherence").reset_index()
        parts.append(along.merge(means, on=["width", "order", "place"]).assign(images=images))
    found = pd.concat(parts, ignore_index=True)
    found[["low", "high"]] = found[["low", "high"]].clip(0, 1)
    return found.assign(units=found["order"].map(CALLED)).drop(columns="order")
