"""What the figure is drawn from in which the reader turns up the noise."""

from __future__ import annotations

import pandas as pd

from genbook.figures.moving import summaries
from genbook.studies.noise.noise_sweep import claims
from genbook.tables import readings

#: What a network knows, by whom: quantity and group.
KNOWN = {
    "clean": ("train accuracy", "clean"),
    "corrupted": ("train accuracy", "corrupted"),
    "new images": ("test accuracy", "all"),
}


def turned_up(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """By level of noise and step: accuracies (``known``), and what is ``owed`` to an example of either group."""
    as_given = table[table["trained on"] == claims.GIVEN]
    known = pd.concat(
        readings.curve(as_given, quantity, "noise", group=group)
        .unstack("step")
        .ffill(axis=1)
        .stack()
        .rename("value")
        .reset_index()
        .assign(of=name)
        for name, (quantity, group) in KNOWN.items()
    )
    owed = pd.concat(
        claims.per_capita(table, group).stack().rename("value").reset_index().assign(of=group)
        for group in claims.GROUPS
    )
    return {
        "known": summaries(known[known["step"] > 0], "step", "value", ["noise", "of"]),
        "owed": summaries(owed, "step", "value", ["noise", "of"]),
    }
