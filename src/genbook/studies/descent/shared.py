"""What the studies of double descent share: errors along an axis of conditions, stopped early, and how they rise."""

from __future__ import annotations

import numpy as np
import pandas as pd

from genbook.tables.readings import curve, final, on_other_seeds


def end_error(table: pd.DataFrame, axis: str, on: str = "test") -> pd.DataFrame:
    """Error at the end of training, on the test set or on the training labels as given: seeds by places on the axis."""
    return 1 - final(table, f"{on} accuracy", axis)


def stopped_error(table: pd.DataFrame, axis: str) -> pd.DataFrame:
    """Test error at the step that was best, at each place, for the other seeds' networks: seeds by places."""
    accuracy = curve(table, "test accuracy", axis).unstack("seed")
    return pd.DataFrame({place: 1 - on_other_seeds(own) for place, own in accuracy.groupby(level=axis)})


def rise(curves: pd.DataFrame) -> pd.Series:
    """Per row, the largest factor by which a value exceeds one to its left: 1 where the curve only falls."""
    values = curves.to_numpy()
    return pd.Series((values / np.minimum.accumulate(values, axis=1)).max(axis=1), curves.index)
