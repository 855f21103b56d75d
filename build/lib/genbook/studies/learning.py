"""Whether the networks of a study learn its data at all: what several studies demand of those of their replication."""

from __future__ import annotations

import numpy as np
import pandas as pd

from genbook.base.claims import Precondition
from genbook.base.spec import Spec
from genbook.data import N_CLASSES
from genbook.data.sizes import REACHED
from genbook.tables import tidy
from genbook.tables.readings import rows


def learned(table: pd.DataFrame, spec: Spec) -> pd.Series:
    """How far each seed's best network comes from chance (0) to what is reached with the whole training pool (1).

    By the highest test accuracy of any of a seed's networks at any step. NaN where a seed has none.
    """
    accuracy = rows(table, quantity="test accuracy")
    if accuracy.empty:
        accuracy = tidy.select(table, quantity="test error").assign(value=lambda errors: 1 - errors["value"])
    best = accuracy.groupby("seed")["value"].max().reindex(np.sort(table["seed"].unique()))
    chance, reached = 1 / N_CLASSES, REACHED.get(spec.dataset, 1.0)  # type: ignore[attr-defined]
    return (best - chance) / (reached - chance)


#: Half-way from chance to what is reached with all the data. Where networks hardly learn, there is little that their
#: examples could share, or that noise could spoil.
LEARNS = Precondition(
    "the best test accuracy, on the way from chance (0) to what all the training data allow (1),", learned, ">", 0.5
)
