"""What is claimed of networks that train on, as statistics of the study's table."""

from __future__ import annotations

import numpy as np
import pandas as pd

from genbook.base.claims import Claim
from genbook.studies.descent.epoch_descent.spec import EpochDescentSpec
from genbook.tables import peaks
from genbook.tables.tidy import wide

#: Epochs after which a peak is looked for, training error at which a network counts as fitted, and how many of the
#: watched settings, from the first on, claims are about; measurements that are averaged where a peak is looked for.
BEGUN, FITTED, CLAIMED, AVERAGED = 10, 0.01, 2, 3


def errors(table: pd.DataFrame, setting: str, on: str = "test") -> pd.DataFrame:
    """Error over training in one setting: rows seeds, columns steps."""
    return 1 - wide(table, "seed", "step", quantity=f"{on} accuracy", setting=setting)


def rise_and_fall(table: pd.DataFrame, setting: str) -> pd.DataFrame:
    """The later peak of the test error: its step as the other seeds have it, and how far this seed's error falls then.

    The height is what `genbook.tables.peaks.left_out` says of the curve from `BEGUN` epochs on, in means over
    `AVERAGED` neighbouring measurements: large steps make the error of a single step a matter of chance.
    """
    curves = errors(table, setting)
    epochs = table.drop_duplicates("step").set_index("step")["epoch"]
    begun = curves.loc[:, epochs[curves.columns] >= BEGUN]
    return peaks.left_out(begun.T.rolling(AVERAGED, center=True).mean().dropna().T)


def fitted_step(table: pd.DataFrame, setting: str) -> pd.Series:
    """The first measured step at which a seed's training error is below `FITTED`; NaN if there is none."""
    fitted = errors(table, setting, "train") <= FITTED
    return fitted.idxmax(axis=1).astype(float).where(fitted.any(axis=1))


def _fall(table: pd.DataFrame, spec: EpochDescentSpec) -> pd.Series:
    """The height of the later peak above the error before and after it, mean over the claimed settings."""
    heights = {setting: rise_and_fall(table, setting)["height"] for setting in spec.watched[:CLAIMED]}
    return pd.DataFrame(heights).mean(axis=1, skipna=False)


def _from_fitting(table: pd.DataFrame, spec: EpochDescentSpec) -> pd.Series:
    """By which factor, up or down, the step of the later peak is from that of fitting; geometric mean over settings."""
    factors = {
        setting: np.log(rise_and_fall(table, setting)["peak"] / fitted_step(table, setting)).abs()
        for setting in spec.watched[:CLAIMED]
    }
    return np.exp(pd.DataFrame(factors).mean(axis=1, skipna=False))


def _end_over_first(table: pd.DataFrame, spec: EpochDescentSpec) -> pd.Series:
    """Test error at the end over that at the step that was best for the other seeds, geometric mean over settings."""
    return np.exp(pd.DataFrame({s: _log_end_over_first(table, s) for s in spec.watched[:CLAIMED]}).mean(axis=1))


def _log_end_over_first(table: pd.DataFrame, setting: str) -> pd.Series:
    curves = errors(table, setting)
    first = {}
    for seed in curves.index:
        others = curves.drop(index=seed).mean()
        first[seed] = np.nan if others.isna().all() else curves.loc[seed, others.idxmin()]
    return np.log(curves.iloc[:, -1] / pd.Series(first))


CLAIMS = (
    Claim(
        id="falls-again-in-time",
        statement="While a network trains on, its test error falls, rises as wrong labels are fitted, and falls again.",
        source="nakkiran-et-al-2020",
        statistic=_fall,
        relation=">",
        threshold=0.02,
        threshold_text="of test error below the later peak, whose step is chosen on the other seeds",
        null="no noise",
    ),
    Claim(
        id="peak-when-fitted",
        statement="The later peak is at the moment at which the last training labels are fitted.",
        source="nakkiran-et-al-2020",
        statistic=_from_fitting,
        relation="<",
        threshold=1.5,
        threshold_text="times the step, or that part of it, at which training error falls below 1 %",
        scale="log",
        null="no noise",
    ),
    Claim(
        id="early-stopping-wins",
        statement="However long it trains on, the network does not come back to the error of its best early step.",
        source="nakkiran-et-al-2020",
        statistic=_end_over_first,
        relation=">",
        threshold=1.5,
        threshold_text="times the test error of the best step, chosen on the other seeds",
        scale="log",
        null="no noise",
    ),
)
