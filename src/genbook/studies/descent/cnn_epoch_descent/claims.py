"""What is claimed of a convolutional network that trains for hundreds of epochs on partly wrong labels."""

from __future__ import annotations

import numpy as np
import pandas as pd

from genbook.studies.descent.cnn_epoch_descent.spec import CnnEpochDescentSpec
from genbook.studies.descent.shared import half_error_step, half_ratio_step, halves_of, later_peak
from genbook.tables.readings import curve, first_crossing, on_other_seeds
from genbook.tables.statistics import claim, difference, half_rung, ratio

#: Epochs after which a later peak is looked for, measurements averaged there, training error that counts as fitted.
BEGUN, AVERAGED, FITTED = 5, 3, 0.01


def errors(table: pd.DataFrame, on: str = "test", group: str = "all") -> pd.DataFrame:
    """Error over training: rows seeds, columns steps."""
    return 1 - curve(table, f"{on} accuracy", group=group).unstack("step")


def rise_and_fall(table: pd.DataFrame) -> pd.DataFrame:
    """The later peak of the test error, as `later_peak` finds it: its step and its height, by seed."""
    return later_peak([errors(table, group=half) for half in halves_of(table)], _begins(table), AVERAGED)


def _begins(table: pd.DataFrame) -> float:
    """The first measured step after `BEGUN` epochs; beyond the last where there is none."""
    begun = table.loc[table["epoch"] >= BEGUN, "step"]
    return float(begun.min()) if len(begun) else float(table["step"].max()) + 1


def _half_measurement(table: pd.DataFrame, spec: CnnEpochDescentSpec) -> float:
    """Half of the logarithm of the factor between neighbouring measurements, once training has begun."""
    steps = np.sort(table["step"].unique())
    return half_rung(steps[steps >= _begins(table)])


@difference(
    "of test error below the later peak, whose step is chosen on the other seeds and half of the test set",
    continuity=half_error_step,
)
def _fall(table: pd.DataFrame, spec: CnnEpochDescentSpec) -> pd.Series:
    return rise_and_fall(table)["height"]


@ratio(
    "times the test error of the best step, chosen on the other seeds and the other half of the test set",
    continuity=half_ratio_step,
)
def _end_over_first(table: pd.DataFrame, spec: CnnEpochDescentSpec) -> pd.Series:
    first, second = (errors(table, group=half) for half in halves_of(table))
    return second.iloc[:, -1] / (1 - on_other_seeds(1 - first.T, 1 - second.T))


@ratio("times the step at which training error falls below 1 %", continuity=_half_measurement)
def _peak_from_fitting(table: pd.DataFrame, spec: CnnEpochDescentSpec) -> pd.Series:
    return rise_and_fall(table)["peak"] / first_crossing(errors(table, "train"), FITTED, rising=False)


_LOG = "In the authors' log test accuracy is 81.9 % after 27 epochs, 70.7 % around the 170th and 73.5 % after 700."

CLAIMS = (
    claim(
        "cnn-falls-again",
        "While a convolutional network trains on, its test error falls, rises as wrong labels are fitted, and falls "
        "again.",
        "heckel-yilmaz-2021",
        _fall,
        above=0.01,
        origin="paper",
        control="no noise",
        reported=_LOG,
        note="Means over some ten epochs of the log `double_descent_5layer.txt`; the file of settings beside it names "
        "a tenth of the noise.",
    ),
    claim(
        "cnn-early-stopping-wins",
        "However long it trains on, a convolutional network does not come back to the error of its best early step.",
        "heckel-yilmaz-2021",
        _end_over_first,
        above=1.2,
        origin="consequence",
        control="no noise",
        reported="26.5 % of errors after 700 epochs over 18.1 % after 27: 1.46.",
    ),
    claim(
        "cnn-worst-before-fitted",
        "While a convolutional network trains on, test error is highest before all of the training labels are fitted.",
        "heckel-yilmaz-2021",
        _peak_from_fitting,
        below=0.8,
        origin="consequence",
        control="no noise",
        reported="Around the 170th epoch, where 94 % are fitted; 99 % are around the 320th.",
    ),
)
