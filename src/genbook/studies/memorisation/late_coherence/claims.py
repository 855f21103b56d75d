"""What is claimed of the late coherence of random labels, as statistics of the study's table."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from genbook.base.claims import Claim
from genbook.studies.memorisation.late_coherence.spec import LateCoherenceSpec
from genbook.tables import tidy

#: Until when the small steps are given to calm a network, as a share of the time that it is watched: short beside the
#: time of learning, long beside that of the sharp directions.
CALM = 0.05


def select(table: pd.DataFrame, quantity: str, path: str, part: str = "all", labels: str | None = None) -> pd.DataFrame:
    """The rows of a quantity on a path: columns seed, labels, factor, time, value."""
    where = {} if labels is None else {"labels": labels}
    rows = tidy.select(table, quantity=quantity, path=path, part=part, **where)
    return rows[["seed", "labels", "factor", "time", "value"]]


def late(table: pd.DataFrame, labels: str = "random") -> pd.DataFrame:
    """Geometric mean over time of m-coherence where training goes on as before: rows seeds, columns step factors."""
    rows = select(table, "m-coherence", "as before", labels=labels)
    return np.exp(np.log(rows["value"]).groupby([rows["seed"], rows["factor"]]).mean()).unstack("factor")


def at_start(table: pd.DataFrame, quantity: str, part: str = "all", labels: str = "random") -> pd.DataFrame:
    """A quantity where the networks were stopped: rows seeds, columns step factors."""
    rows = select(table, quantity, "at the start", part, labels)
    return rows.set_index(["seed", "factor"])["value"].unstack("factor")


def calmed(table: pd.DataFrame, spec: LateCoherenceSpec, labels: str = "random") -> pd.DataFrame:
    """m-coherence and loss before and after a short time of small steps, one row per seed.

    Columns ``before``, ``after``, ``loss before``, ``loss after``.
    """
    columns = {}
    for quantity, prefix in (("m-coherence", ""), ("loss", "loss ")):
        rows = select(table, quantity, "small steps", labels=labels).sort_values("time").groupby("seed")
        columns[f"{prefix}before"] = rows["value"].first()
        columns[f"{prefix}after"] = rows.apply(lambda r: np.interp(CALM * spec.time, r["time"], r["value"]))
    return pd.DataFrame(columns)


def calm_at_equal_loss(table: pd.DataFrame, spec: LateCoherenceSpec) -> pd.Series:
    """Real over random m-coherence, both in small steps, at the loss at which the random labels are calm; by seed.

    Real labels fall through this loss on their way; where they begin below it, their first calm value is taken.
    """
    random, ratios = calmed(table, spec), {}
    for seed, rows in select(table, "m-coherence", "small steps", labels="real").groupby("seed"):
        losses = select(table, "loss", "small steps", labels="real")
        both = rows.merge(losses[losses["seed"] == seed], on="time", suffixes=("", " of loss"))
        both = both[both["time"] >= CALM * spec.time].sort_values("value of loss")
        value = np.interp(np.log(random.loc[seed, "loss after"]), np.log(both["value of loss"]), np.log(both["value"]))
        ratios[seed] = float(np.exp(value)) / random.loc[seed, "after"]
    return pd.Series(ratios, dtype=float)


def projected(table: pd.DataFrame, spec: LateCoherenceSpec, labels: str = "random") -> pd.Series:
    """m-coherence without the sharp directions over m-coherence with them, where the networks were stopped; by seed.

    The geometric mean over the step sizes from the plain one up: one moment of an oscillation says little.
    """
    removed = [part for part in table["part"].unique() if part.endswith(" removed")]
    last = max(removed, key=lambda part: int(part.split()[0]))
    without, whole = (at_start(table, "m-coherence", part, labels) for part in (last, "0 removed"))
    logs = np.log(without / whole)
    return np.exp(logs[[factor for factor in logs.columns if factor >= 1]].mean(axis=1))


def _slope(table: pd.DataFrame, spec: LateCoherenceSpec) -> pd.Series:
    """Power of the step size with which late coherence grows: least squares on logarithms over the steps up to 1.

    Larger steps reach the edge of stability, where sharpness itself depends on the step. NaN for a single step size.
    """
    logs = np.log(late(table))
    small = [factor for factor in logs.columns if factor <= 1]
    logs = logs[small if len(small) > 1 else logs.columns]

    def slope(row: pd.Series) -> float:
        row = row.dropna()
        return np.polyfit(np.log(row.index.to_numpy(float)), row, 1)[0] if len(row) > 1 else np.nan

    return logs.apply(slope, axis=1)


def _off_prediction(table: pd.DataFrame, spec: LateCoherenceSpec) -> pd.Series:
    """Factor by which late coherence misses what noise predicts, in either direction; by seed."""
    return np.exp(np.abs(np.log(late(table)[1.0] / at_start(table, "predicted m-coherence")[1.0])))


def _calming(table: pd.DataFrame, spec: LateCoherenceSpec) -> pd.Series:
    both = calmed(table, spec)
    return both["after"] / both["before"]


def _of(labels: str, statistic: Callable) -> Callable[[pd.DataFrame, LateCoherenceSpec], pd.Series]:
    return lambda table, spec: statistic(table, spec, labels)


CLAIMS = (
    Claim(
        id="late-rise-needs-large-steps",
        statement="The late coherence of random labels grows with the step size.",
        source="chatterjee-zielinski-2020",
        statistic=_slope,
        relation=">",
        threshold=0.5,
        threshold_text="is the power of the step size with which it grows",
        null="labels kept",
    ),
    Claim(
        id="small-steps-calm-random",
        statement="A moment of small steps on all examples takes the late coherence of random labels away.",
        source="chatterjee-zielinski-2020",
        statistic=_calming,
        relation="<",
        threshold=1 / 3,
        threshold_text="of the m-coherence is left",
        scale="log",
        null="labels kept",
    ),
    Claim(
        id="sharp-directions-carry-random",
        statement="What random labels agree on late lies in the sharpest directions of the loss.",
        source="chatterjee-zielinski-2020",
        statistic=_of("random", projected),
        relation="<",
        threshold=0.5,
        threshold_text="of the m-coherence is left without these directions",
        scale="log",
        null="labels kept",
    ),
    Claim(
        id="real-pattern-lies-elsewhere",
        statement="What real labels agree on lies outside the sharpest directions.",
        source="chatterjee-zielinski-2022",
        statistic=_of("real", projected),
        relation=">",
        threshold=1.5,
        threshold_text="times the m-coherence is left without these directions",
        scale="log",
        null="shuffled labels",
    ),
    Claim(
        id="noise-explains-late-rise",
        statement="The noise of small batches in sharp directions gives the size of the late coherence.",
        source="mandt-et-al-2017",
        statistic=_off_prediction,
        relation="<",
        threshold=2.5,
        threshold_text="is the factor by which measurement and prediction differ, either way",
        scale="log",
        null="labels kept",
    ),
    Claim(
        id="calm-real-above-random",
        statement="Without the oscillation, at equal training loss, real labels stand far above random ones.",
        source="chatterjee-zielinski-2022",
        statistic=lambda table, spec: calm_at_equal_loss(table, spec),
        relation=">",
        threshold=5,
        threshold_text="times the m-coherence of random labels",
        scale="log",
        null="shuffled labels",
    ),
)
