"""What is claimed of the linear student, as statistics of the study's table."""

from __future__ import annotations

import numpy as np
import pandas as pd

from genbook.base.claims import Claim
from genbook.studies.descent.linear_teacher import theory
from genbook.studies.descent.linear_teacher.spec import LinearTeacherSpec
from genbook.tables.tidy import select, series, wide

#: Where the peak is, and where it is compared; the nearest ratios of the spec are used.
BELOW, PEAK, ABOVE = 0.5, 1.0, 2.0
#: Within this factor of α = 1 sizes of a few hundred are not yet large.
CLOSE = 1.25
#: Times between which the peak's growth is measured: the bulk is learned, the smallest eigenvalues are not.
GROWTH = (30.0, 1000.0)

_SOURCE = "advani-et-al-2020"


def nearest_ratio(spec: LinearTeacherSpec, ratio: float) -> float:
    """The ratio of the spec that is nearest to ``ratio`` on the log scale."""
    return min(spec.samples_per_weight, key=lambda known: abs(np.log(known / ratio)))


def errors(table: pd.DataFrame, spec: LinearTeacherSpec, start: str = "small", size: int | None = None) -> pd.DataFrame:
    """Test error in units of the noise: rows (seed, ratio), columns times; of the largest size unless told."""
    size = spec.inputs[-1] if size is None else size
    return wide(table, ["seed", "ratio"], "at", quantity=f"test error, {start} start", size=size)


def final(table: pd.DataFrame, spec: LinearTeacherSpec, start: str = "small", size: int | None = None) -> pd.DataFrame:
    """Test error at the last time: rows seeds, columns ratios."""
    return errors(table, spec, start, size).iloc[:, -1].unstack("ratio")


def stopped(table: pd.DataFrame, spec: LinearTeacherSpec) -> pd.DataFrame:
    """Test error at the best time that one may stop at, chosen with the test error itself: rows seeds, columns ratios.

    An oracle: the time is chosen knowing the answer.
    """
    return errors(table, spec).min(axis=1).unstack("ratio")


def best_ridge(table: pd.DataFrame, spec: LinearTeacherSpec) -> pd.DataFrame:
    """Test error at the best of the ridges that were tried (an oracle too): rows seeds, columns ratios."""
    rows = select(table, quantity="ridge error", size=spec.inputs[-1])
    return rows.groupby(["seed", "ratio"])["value"].min().unstack("ratio")


def guessed_ridge(table: pd.DataFrame, spec: LinearTeacherSpec) -> pd.DataFrame:
    """Test error at the guessed ridge, by default 1/SNR: rows seeds, columns ratios."""
    return wide(table, "seed", "ratio", quantity="guessed ridge error", size=spec.inputs[-1])


def rise(curve: pd.DataFrame) -> pd.Series:
    """Per row, the largest factor by which a value exceeds a value to its left: 1 where the curve only falls."""
    lowest = np.minimum.accumulate(curve.to_numpy(), axis=1)
    return pd.Series((curve.to_numpy() / lowest).max(axis=1), curve.index)


def deviation(table: pd.DataFrame, spec: LinearTeacherSpec, size: int) -> pd.Series:
    """Root mean square of log(measured/formula) over times and ratios away from α = 1, one value per seed."""
    found = errors(table, spec, size=size)
    ratios = found.index.get_level_values("ratio")
    found = found[np.abs(np.log(ratios)) >= np.log(CLOSE) - 1e-9]
    squares = {}
    for seed, rows in found.groupby("seed"):
        expected = [
            theory.generalization_error(ratio, rows.columns, spec.snr, spec.small_start, spec.student_decay)
            for ratio in rows.index.get_level_values("ratio")
        ]
        squares[seed] = np.mean(np.log(rows.to_numpy() / expected) ** 2)
    return np.sqrt(pd.Series(squares, dtype=float))


def shrinking(table: pd.DataFrame, spec: LinearTeacherSpec) -> pd.DataFrame:
    """The deviation from the formula: rows seeds, columns sizes."""
    return pd.DataFrame({size: deviation(table, spec, size) for size in spec.inputs})


def _deviation(table: pd.DataFrame, spec: LinearTeacherSpec) -> pd.Series:
    return deviation(table, spec, spec.inputs[-1])


def _shrinks(table: pd.DataFrame, spec: LinearTeacherSpec) -> pd.Series:
    logs = np.log(shrinking(table, spec))
    return pd.Series(np.polyfit(np.log(spec.inputs), logs.T, 1)[0], logs.index)


def _peak(table: pd.DataFrame, spec: LinearTeacherSpec) -> pd.Series:
    ends = final(table, spec)
    sides = ends[[nearest_ratio(spec, BELOW), nearest_ratio(spec, ABOVE)]]
    return ends[PEAK] / sides.max(axis=1)


def growth(table: pd.DataFrame, spec: LinearTeacherSpec) -> pd.Series:
    """Slope of log(error − 1) against log time at α = 1, one value per seed."""
    course = errors(table, spec).xs(PEAK, level="ratio")
    course = course.loc[:, (course.columns >= GROWTH[0]) & (course.columns <= GROWTH[1])]
    if course.shape[1] < 2:
        return pd.Series(np.nan, course.index)
    return pd.Series(np.polyfit(np.log(course.columns), np.log(course.T - 1), 1)[0], course.index)


def _root(table: pd.DataFrame, spec: LinearTeacherSpec) -> pd.Series:
    return (growth(table, spec) - 0.5).abs()


def _stopping(table: pd.DataFrame, spec: LinearTeacherSpec) -> pd.Series:
    return rise(stopped(table, spec))


def _ridge_monotone(table: pd.DataFrame, spec: LinearTeacherSpec) -> pd.Series:
    return rise(guessed_ridge(table, spec))


def _guess(table: pd.DataFrame, spec: LinearTeacherSpec) -> pd.Series:
    return (guessed_ridge(table, spec) / best_ridge(table, spec)).max(axis=1)


def _stopping_price(table: pd.DataFrame, spec: LinearTeacherSpec) -> pd.Series:
    return (stopped(table, spec) / best_ridge(table, spec)).max(axis=1)


def _frozen(table: pd.DataFrame, spec: LinearTeacherSpec) -> pd.Series:
    return series(table, ["seed"], quantity="moved in the frozen subspace")


def start_price(table: pd.DataFrame, spec: LinearTeacherSpec) -> pd.DataFrame:
    """Test error at the end from the large start over that from the small one: rows seeds, columns ratios."""
    return final(table, spec, "large") / final(table, spec, "small")


def _start(table: pd.DataFrame, spec: LinearTeacherSpec) -> pd.Series:
    return start_price(table, spec)[nearest_ratio(spec, BELOW)]


CLAIMS = (
    Claim(
        id="closed-form",
        statement="The test error of real students of a few hundred inputs follows the formula, over α and time.",
        source=_SOURCE,
        statistic=_deviation,
        relation="<",
        threshold=0.1,
        threshold_text="relative deviation (rms), away from α = 1",
        scale="log",
        null="uneven inputs",
    ),
    Claim(
        id="finite-size",
        statement="What is left between formula and simulation shrinks as the student grows.",
        source=_SOURCE,
        statistic=_shrinks,
        relation="<",
        threshold=-0.25,
        threshold_text="slope of log deviation against log N",
        null="uneven inputs",
    ),
    Claim(
        id="worst-at-threshold",
        statement="After long training the test error is worst where samples and parameters are equally many.",
        source=_SOURCE,
        statistic=_peak,
        relation=">",
        threshold=3,
        threshold_text="times the error at twice and at half as many samples",
        scale="log",
        null="weight decay",
    ),
    Claim(
        id="root-of-time",
        statement="At α = 1 the test error grows like the square root of training time.",
        source=_SOURCE,
        statistic=_root,
        relation="<",
        threshold=0.15,
        threshold_text="distance of the log-log slope from 1/2",
        null="weight decay",
    ),
    Claim(
        id="stopping-removes-peak",
        statement="Stopped at its best time, the student only gains by more samples: no double descent.",
        source=_SOURCE,
        statistic=_stopping,
        relation="<",
        threshold=1.1,
        threshold_text="largest factor by which more samples raise the error",
        scale="log",
        null="no stopping, wrong ridge",
    ),
    Claim(
        id="ridge-removes-peak",
        statement="With a ridge of 1/SNR the error only falls with more samples.",
        source="simon-et-al-2024",
        statistic=_ridge_monotone,
        relation="<",
        threshold=1.1,
        threshold_text="largest factor by which more samples raise the error",
        scale="log",
        null="no stopping, wrong ridge",
    ),
    Claim(
        id="best-ridge",
        statement="A ridge of 1/SNR is the best one, whatever the number of samples.",
        source=_SOURCE,
        statistic=_guess,
        relation="<",
        threshold=1.05,
        threshold_text="times the error at the best ridge tried, at the worst α",
        scale="log",
        null="no stopping, wrong ridge",
    ),
    Claim(
        id="stopping-nearly-ridge",
        statement="Optimal stopping is nearly as good as the optimal ridge.",
        source=_SOURCE,
        statistic=_stopping_price,
        relation="<",
        threshold=1.1,
        threshold_text="times the error at the best ridge tried, at the worst α",
        scale="log",
        null="no stopping, wrong ridge",
    ),
    Claim(
        id="frozen",
        statement="Gradient descent leaves the weights alone in the directions in which there are no data.",
        source=_SOURCE,
        statistic=_frozen,
        kind="exact",
        relation="=",
        threshold=0,
        tolerance=1e-9,
        threshold_text="share of the way walked that lies in the frozen subspace",
        null="weight decay",
    ),
    Claim(
        id="large-start-costs",
        statement="With fewer samples than parameters, large initial weights are paid for at the end.",
        source=_SOURCE,
        statistic=_start,
        relation=">",
        threshold=1.25,
        threshold_text="times the error from small initial weights, at α = 1/2",
        scale="log",
        null="weight decay",
    ),
)
