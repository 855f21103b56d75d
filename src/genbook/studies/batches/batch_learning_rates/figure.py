"""What the figure is drawn from in which the reader chooses what counts as a stable learning rate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from genbook.base.stats import t_interval
from genbook.studies.batches.batch_learning_rates import claims
from genbook.tables import readings
from genbook.tables.statistics import half_rung

#: Multiples of the loss before, below which the loss has to end.
TOLERATED = (0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0)
#: The powers of the batch size that are said of the optimisers.
SAID = {"SGD": 1.0, "Adam": 0.5}


def stable_at(table: pd.DataFrame, spec: Any, tolerated: Sequence[float] = TOLERATED) -> dict[str, pd.DataFrame]:
    """Largest stable learning rates by what is tolerated, optimiser and batch size, over seeds; lines of the powers.

    Returns:
        ``rates``: columns tolerated, optimiser, size, estimate, low, high; no row where a seed alone has a value.
        ``said``: the same columns but ``value`` for the interval: the power that is said, from the smallest batch on.
    """
    rates, said = [], []
    for multiple in tolerated:
        for optimiser, power in SAID.items():
            there = spec.model_copy(update={"tolerated": multiple})
            found = claims.largest_stable(table, there, optimiser)
            for size, values in found.items():
                values = values.dropna()
                if len(values) < 2:
                    continue
                one = t_interval(values, scale="log", continuity=half_rung(spec.tried(optimiser)))
                rates.append([multiple, optimiser, size, one.estimate, one.low, one.high])
            first = readings.geometric_mean(found.iloc[:, 0])
            for size in found.columns[[0, -1]]:
                value = first * (size / found.columns[0]) ** power
                if np.isfinite(value):
                    said.append([multiple, optimiser, size, value])
    columns = ["tolerated", "optimiser", "size"]
    return {
        "rates": pd.DataFrame(rates, columns=[*columns, "estimate", "low", "high"]),
        "said": pd.DataFrame(said, columns=[*columns, "value"]),
    }
