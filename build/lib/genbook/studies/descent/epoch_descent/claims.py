"""What is claimed of networks that train on, as statistics of the study's table."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from genbook.studies.descent.epoch_descent.design import EpochDescentSpec
from genbook.studies.descent.shared import half_error_step, half_ratio_step, halves_of, later_peak
from genbook.tables.readings import curve, first_crossing, on_other_seeds
from genbook.tables.statistics import claim, difference, half_rung, ratio

#: Epochs after which a peak is looked for, training error at which a network counts as fitted, and how many of the
#: settings, from the first on, claims are about; measurements that are averaged where a peak is looked for.
BEGUN, FITTED, CLAIMED, AVERAGED = 10, 0.01, 2, 3


def errors(table: pd.DataFrame, setting: str, on: str = "test", group: str = "all") -> pd.DataFrame:
    """Error over training in one setting: rows seeds, columns steps."""
    return 1 - curve(table, f"{on} accuracy", setting=setting, group=group).unstack("step")


def rise_and_fall(table: pd.DataFrame, setting: str) -> pd.DataFrame:
    """The later peak of the test error: its step as the other seeds have it, and how far this seed's error falls then.

    The height is what `genbook.tables.peaks.left_out` says of the curve from `BEGUN` epochs on, in means over
    `AVERAGED` neighbouring measurements: large steps make the error of a single step a matter of chance. The step is
    chosen on one half of the test set, the height measured on the other, in both directions.
    """
    halves = [errors(table, setting, group=half) for half in halves_of(table)]
    return later_peak(halves, _begins(table), AVERAGED)


def _begins(table: pd.DataFrame) -> float:
    """The first measured step after `BEGUN` epochs; beyond the last where there is none."""
    epochs = table.drop_duplicates("step").set_index("step")["epoch"]
    begun = epochs.index[epochs >= BEGUN]
    return float(begun.min()) if len(begun) else float(epochs.index.max()) + 1


def _half_measurement(table: pd.DataFrame, spec: EpochDescentSpec) -> float:
    """Half of the logarithm of the factor between neighbouring measurements, once training has begun."""
    steps = pd.Index(np.sort(table["step"].unique()))
    return half_rung(steps[steps >= _begins(table)])


def fitted_step(table: pd.DataFrame, setting: str) -> pd.Series:
    """The first measured step at which a seed's training error is below `FITTED`; NaN if there is none."""
    return first_crossing(errors(table, setting, "train"), FITTED, rising=False)


def _over_settings(spec: EpochDescentSpec, read: Callable[[str], pd.Series]) -> pd.Series:
    """Mean over the settings that claims are about."""
    return pd.DataFrame({name: read(name) for name in spec.settings[:CLAIMED]}).mean(axis=1, skipna=False)


@difference(
    "of test error below the later peak, whose step is chosen on the other seeds and half of the test set",
    continuity=half_error_step,
)
def _fall(table: pd.DataFrame, spec: EpochDescentSpec) -> pd.Series:
    """The height of the later peak above the error before and after it."""
    return _over_settings(spec, lambda setting: rise_and_fall(table, setting)["height"])


@ratio("times the step at which training error falls below 1 %", continuity=_half_measurement)
def _from_fitting(table: pd.DataFrame, spec: EpochDescentSpec) -> pd.Series:
    """Step of the later peak over that of fitting, the geometric mean over settings."""

    def factor(setting: str) -> pd.Series:
        return np.log(rise_and_fall(table, setting)["peak"] / fitted_step(table, setting))

    return np.exp(_over_settings(spec, factor))


@ratio(
    "times the test error of the best step, chosen on the other seeds and the other half of the test set",
    continuity=half_ratio_step,
)
def _end_over_first(table: pd.DataFrame, spec: EpochDescentSpec) -> pd.Series:
    """Test error at the end over that at the step that was best for the other seeds."""

    def factor(setting: str) -> pd.Series:
        first, second = (errors(table, setting, group=half) for half in halves_of(table))
        return np.log(second.iloc[:, -1] / (1 - on_other_seeds(1 - first.T, 1 - second.T)))

    return np.exp(_over_settings(spec, factor))


CLAIMS = (
    claim(
        "falls-again-in-time",
        "While a network trains on, its test error falls, rises as wrong labels are fitted, and falls again.",
        "nakkiran-et-al-2020",
        _fall,
        above=0.02,
        origin="paper",
        control="no noise",
    ),
    claim(
        "peak-when-fitted",
        "The later peak is at the step at which the last training labels are fitted.",
        "nakkiran-et-al-2020",
        _from_fitting,
        equals=1,
        within=1.5,
        origin="paper",
        control="no noise",
    ),
    claim(
        "early-stopping-wins",
        "However long it trains on, the network does not come back to the error of its best early step.",
        "nakkiran-et-al-2020",
        _end_over_first,
        above=1.5,
        origin="consequence",
        control="no noise",
    ),
)
