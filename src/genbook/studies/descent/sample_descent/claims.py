"""What is claimed of one network on growing training sets."""

from __future__ import annotations

import numpy as np
import pandas as pd

from genbook.tables import peaks
from genbook.tables.readings import curve, final, on_other_seeds
from genbook.tables.statistics import claim, difference, ratio


def end_error(table: pd.DataFrame, on: str = "test") -> pd.DataFrame:
    """Error at the end of training, on the test set or on the training labels as given: seeds by sizes."""
    return 1 - final(table, f"{on} accuracy", "examples")


def stopped_error(table: pd.DataFrame) -> pd.DataFrame:
    """Test error at the step that was best, for each size, for the other seeds' networks: seeds by sizes."""
    accuracy = curve(table, "test accuracy", "examples").unstack("seed")
    return pd.DataFrame({size: 1 - on_other_seeds(own) for size, own in accuracy.groupby(level="examples")})


CLAIMS = (
    claim(
        "more-data-hurts",
        "For one network there is a range of sizes of the training set in which more data raise test error.",
        "nakkiran-et-al-2020",
        difference(
            "of test error above both sides; the place is chosen on the other seeds",
            lambda table, spec: peaks.left_out(end_error(table))["height"],
        ),
        above=0.02,
        control="no noise",
    ),
    claim(
        "more-data-hurts-loss",
        "In that range more data raise the test loss as well.",
        "nakkiran-et-al-2020",
        ratio(
            "times the test loss on the higher side",
            lambda table, spec: np.exp(peaks.left_out(np.log(final(table, "test loss", "examples")))["height"]),
        ),
        above=1.1,
        control="no noise",
    ),
)
