"""What the figure is drawn from in which the reader stops the training."""

from __future__ import annotations

import pandas as pd

from genbook.figures.moving import summaries
from genbook.studies.stopping.early_stopping import claims

#: The four accuracies, by what they are called: quantity, group, and the ink of their line.
CURVES = {
    "new images": ("test accuracy", "all", "test"),
    "clean, given label": ("train accuracy", "clean", "clean"),
    "corrupted, given label": ("train accuracy", "corrupted", "corrupted"),
    "corrupted, true label": ("train accuracy on true labels", "corrupted", "corrupted"),
}


def stop_here(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """``accuracies`` along training by ``curve``, and ``driven``: the clean examples' part of the descent."""
    shown = table[(table["step"] > 0) & (table["layer"] == "all")]
    tall = pd.concat(
        shown[(shown["quantity"] == quantity) & (shown["group"] == group)].assign(curve=name)
        for name, (quantity, group, _) in CURVES.items()
    )
    driven = claims.running_descent_fraction(table).rename(columns={"clean fraction of descent": "value"})
    return {
        "accuracies": summaries(tall, "step", "value", ["curve"]),
        "driven": summaries(driven[driven["step"] > 0].assign(of="clean"), "step", "value", ["of"]),
    }
