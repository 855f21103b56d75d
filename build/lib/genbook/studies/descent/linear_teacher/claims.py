"""What is claimed of the linear student, as statistics of the study's table."""

from __future__ import annotations

import numpy as np
import pandas as pd

from genbook.studies.descent.linear_teacher import theory
from genbook.studies.descent.linear_teacher.spec import LinearTeacherSpec
from genbook.studies.descent.shared import rise
from genbook.tables.readings import power
from genbook.tables.statistics import claim, identity, ratio, slope
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


def final(table: pd.DataFrame, spec: LinearTeacherSpec, start: str = "small") -> pd.DataFrame:
    """Test error at the last time: rows seeds, columns ratios."""
    return errors(table, spec, start).iloc[:, -1].unstack("ratio")


def stopped(table: pd.DataFrame, spec: LinearTeacherSpec) -> pd.DataFrame:
    """Test error at the best time that one may stop at, chosen with the test error itself: rows seeds, columns ratios.

    An oracle: the time is chosen knowing the answer.
    """
    return errors(table, spec).min(axis=1).unstack("ratio")


def best_ridge(table: pd.DataFrame, spec: LinearTeacherSpec, guessed: bool = True) -> pd.DataFrame:
    """Test error at the best of the ridges that were tried (an oracle too): rows seeds, columns ratios.

    ``guessed``: whether the guessed ridge is among them.
    """
    rows = select(table, quantity="ridge error", size=spec.inputs[-1])
    if not guessed:
        rows = rows[~np.isclose(rows["at"], spec.guess / spec.snr)]
    return rows.groupby(["seed", "ratio"])["value"].min().unstack("ratio")


def guessed_ridge(table: pd.DataFrame, spec: LinearTeacherSpec) -> pd.DataFrame:
    """Test error at the guessed ridge, by default 1/SNR: rows seeds, columns ratios."""
    return wide(table, "seed", "ratio", quantity="guessed ridge error", size=spec.inputs[-1])


def deviations(table: pd.DataFrame, spec: LinearTeacherSpec) -> pd.DataFrame:
    """Root mean square of log(measured/formula) over times and ratios away from α = 1: rows seeds, columns sizes."""
    squares = {}
    for size in spec.inputs:
        for (seed, alpha), found in errors(table, spec, size=size).iterrows():
            if abs(np.log(alpha)) >= np.log(CLOSE) - 1e-9:
                distance = np.log(found / theory.student_error(spec, alpha, found.index))
                squares[size, alpha, seed] = (distance**2).mean()
    return np.sqrt(pd.Series(squares).rename_axis(["size", "ratio", "seed"]).groupby(["seed", "size"]).mean().unstack())


def growth(table: pd.DataFrame, spec: LinearTeacherSpec) -> pd.Series:
    """Slope of log(error − 1) against log time at α = 1, one value per seed."""
    curves = errors(table, spec).xs(PEAK, level="ratio")
    curves = curves.loc[:, (curves.columns >= GROWTH[0]) & (curves.columns <= GROWTH[1])]
    return power(curves - 1)


@ratio("times the error at twice and at half as many samples")
def _peak(table: pd.DataFrame, spec: LinearTeacherSpec) -> pd.Series:
    ends = final(table, spec)
    return ends[PEAK] / ends[[nearest_ratio(spec, BELOW), nearest_ratio(spec, ABOVE)]].max(axis=1)


@identity("fraction of the distance walked that lies in the frozen subspace")
def _frozen(table: pd.DataFrame, spec: LinearTeacherSpec) -> pd.Series:
    return series(table, ["seed"], quantity="moved in the frozen subspace")


#: Errors are computed in float64; where the start is forgotten, those of both starts agree to the last digits.
_ROUNDING = 1e-9


@ratio("times the error from small initial weights, at α = 1/2", continuity=_ROUNDING)
def _start(table: pd.DataFrame, spec: LinearTeacherSpec) -> pd.Series:
    return (final(table, spec, "large") / final(table, spec, "small"))[nearest_ratio(spec, BELOW)]


_RISE = "largest factor by which more samples raise the error"
_OF_RIDGE = "times the error at the best ridge tried, at the worst α"

CLAIMS = (
    claim(
        "closed-form",
        "The test error of real students of a few hundred inputs follows the formula, over α and time.",
        _SOURCE,
        ratio(
            "relative deviation (rms), away from α = 1",
            lambda table, spec: deviations(table, spec)[spec.inputs[-1]],
        ),
        below=0.1,
        origin="paper",
        control="uneven inputs",
    ),
    claim(
        "finite-size",
        "What is left between formula and simulation shrinks as the student grows.",
        _SOURCE,
        slope(
            "slope of log deviation against log N",
            lambda table, spec: power(deviations(table, spec)),
        ),
        below=-0.25,
        origin="consequence",
        control="uneven inputs",
    ),
    claim(
        "worst-at-threshold",
        "After long training the test error is worst where samples and parameters are equally many.",
        _SOURCE,
        _peak,
        above=3,
        origin="paper",
        control="weight decay",
    ),
    claim(
        "root-of-time",
        "At α = 1 the test error grows like the square root of training time.",
        _SOURCE,
        slope("is the log-log slope", growth),
        equals=0.5,
        within=0.15,
        origin="consequence",
        control="weight decay",
    ),
    claim(
        "stopping-removes-peak",
        "Stopped at its best time, the student only gains by more samples: no double descent.",
        _SOURCE,
        ratio(_RISE, lambda table, spec: rise(stopped(table, spec))),
        below=1.1,
        origin="paper",
        control="no stopping, wrong ridge",
    ),
    claim(
        "ridge-removes-peak",
        "With a ridge of 1/SNR the error only falls with more samples.",
        "simon-et-al-2024",
        ratio(_RISE, lambda table, spec: rise(guessed_ridge(table, spec))),
        below=1.1,
        origin="paper",
        control="no stopping, wrong ridge",
    ),
    claim(
        "best-ridge",
        "A ridge of 1/SNR is the best one, whatever the number of samples.",
        _SOURCE,
        ratio(
            "times the error at the best other ridge tried, at the worst α",
            lambda table, spec: (guessed_ridge(table, spec) / best_ridge(table, spec, guessed=False)).max(axis=1),
        ),
        below=1.05,
        origin="paper",
        control="no stopping, wrong ridge",
    ),
    claim(
        "stopping-nearly-ridge",
        "Optimal stopping is nearly as good as the optimal ridge.",
        _SOURCE,
        ratio(_OF_RIDGE, lambda table, spec: (stopped(table, spec) / best_ridge(table, spec)).max(axis=1)),
        below=1.1,
        origin="paper",
        control="no stopping, wrong ridge",
    ),
    claim(
        "frozen",
        "Gradient descent leaves the weights alone in the directions in which there are no data.",
        _SOURCE,
        _frozen,
        equals=0,
        within=1e-9,
        origin="paper",
        control="weight decay",
    ),
    claim(
        "large-start-costs",
        "With fewer samples than parameters, large initial weights are paid for at the end.",
        _SOURCE,
        _start,
        above=1.25,
        origin="paper",
        control="weight decay",
    ),
)
