"""What the figure is drawn from in which the reader asks which measure orders networks by how they generalize."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from genbook.figures.moving import summaries
from genbook.studies.landscape.degeneracy import claims

#: What is measured of a network, by what a page calls it.
MEASURES = {
    "dependent directions": claims.degenerate,
    "units that fire alike": lambda table: claims.counted(table, "firing alike"),
    "effective parameters": lambda table: claims.of_network(table, "effective parameters"),
    "sharpness": lambda table: claims.of_network(table, "sharpness"),
}


def networks(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Test accuracy over seeds, with what is measured of the same networks.

    Args:
        tables: by data set.

    Returns:
        A row for each data set (``images``), measure (``measured``) and fraction of random labels (``noise``): the mean
        over seeds of the measure (``value``), and ``estimate``, ``low``, ``high`` of test accuracy.
    """
    parts = []
    for images, table in tables.items():
        accuracy = claims.of_network(table, "test accuracy").rename_axis("seed").stack().rename("value").reset_index()
        generalized = summaries(accuracy.assign(images=images), "noise", "value", ["images"])
        for called, measure in MEASURES.items():
            means = measure(table).mean().rename("value").rename_axis("noise").reset_index()
            parts.append(generalized.merge(means, on="noise").assign(measured=called))
    found = pd.concat(parts, ignore_index=True)
    found[["low", "high"]] = found[["low", "high"]].clip(0, 1)
    return found
