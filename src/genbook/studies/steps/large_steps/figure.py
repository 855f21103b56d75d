"""What the figure is drawn from in which the reader chooses the training loss at which learning rates are compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from genbook.base.stats import t_interval
from genbook.studies.steps.large_steps import claims

#: The losses at which one may ask, in units of the one at which the page compares.
PLACES = (10, 5, 3, 2, 1.4, 1, 0.7, 0.5, 0.3)


def compared_at(tables: Mapping[str, tuple[pd.DataFrame, Any]], noises: Sequence[float], level: float) -> pd.DataFrame:
    """Test error over that of the smallest learning rate: ``estimate``, ``low``, ``high`` over seeds.

    Args:
        tables: by data set (``set``), a table and its spec.
        noises: fractions of wrong labels.
        level: the training loss that the page compares at.

    Returns:
        A row for each data set, noise, training loss (``place``) and rung of the ladder of learning rates (``rung``;
        ``rate``: over the largest that trains) that at least two seeds come down to.
    """
    rows = []
    for name, (table, spec) in tables.items():
        rungs = {rate: rung for rung, rate in enumerate(claims.learning_rates(table))}
        for noise in noises:
            for place in places(level):
                there = spec.model_copy(update={"loss_level": place})
                ratios = claims.errors_by_rate(table, there, noise).dropna()
                largest = claims.largest_that_trains(table, there, noise)
                for relative, values in ratios.groupby("learning rate"):
                    if len(values) < 2:
                        continue  # one seed says nothing of the others
                    found = t_interval(values["value"], scale="log")
                    rung = min(rungs, key=lambda rate: abs(np.log(rate / (relative * largest))))
                    rows.append([name, noise, place, rungs[rung], relative, found.estimate, found.low, found.high])
    return pd.DataFrame(rows, columns=["set", "noise", "place", "rung", "rate", "estimate", "low", "high"])


def places(level: float) -> list[float]:
    """The training losses at which one may ask, falling as training goes on."""
    return sorted({float(f"{level * factor:.2g}") for factor in PLACES}, reverse=True)


def in_words(rungs: Sequence[int]) -> list[str]:
    """What rungs of a ladder are called: the last of them is the largest."""
    counted = ("", "second ", "third ", "fourth ", "fifth ", "sixth ")
    return [f"{counted[min(len(rungs) - 1 - k, 5)]}largest" for k in range(len(rungs))]
