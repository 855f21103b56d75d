"""What is claimed of the student of two scales, as statistics of the study's table."""

from __future__ import annotations

import numpy as np
import pandas as pd

from genbook.studies.descent.two_scale_descent import theory
from genbook.studies.descent.two_scale_descent.run import RATES
from genbook.studies.descent.two_scale_descent.spec import TwoScaleDescentSpec
from genbook.tables import peaks
from genbook.tables.readings import interpolated_crossing, on_other_seeds
from genbook.tables.statistics import claim, ratio
from genbook.tables.tidy import wide

#: Places in the list of noises: below the noise that a rise needs; where the second descent beats the first; where both
#: are told apart best, and the cure is tried; where it does not beat it.
SILENT, QUIET, MIDDLE, LOUD = 0, 1, 2, -1


def course(table: pd.DataFrame, noise: float, rates: str = RATES[0], quantity: str = "test error") -> pd.DataFrame:
    """An error over training: rows seeds, columns steps."""
    return wide(table, "seed", "step", quantity=quantity, noise=noise, rates=rates)


def descents(table: pd.DataFrame, noise: float) -> pd.DataFrame:
    """Of each seed: the factor of its rise between two descents, and the second's minimum over the first's.

    The steps of the peak and of the minima before and after it are those of the other seeds' mean, on the log scale.
    """
    curves = course(table, noise)
    found = peaks.left_out(np.log(curves))
    own = {place: _at(curves, found[place]) for place in ("left", "right")}
    return pd.DataFrame({"rise": np.exp(found["height"]), "second over first": own["right"] / own["left"]})


def _at(curves: pd.DataFrame, chosen: pd.Series) -> pd.Series:
    """Each seed's value at the step that was chosen for it; NaN where none was."""
    return pd.Series({seed: curves.loc[seed].get(step, np.nan) for seed, step in chosen.items()}, dtype=float)


def expected(spec: TwoScaleDescentSpec, noise: float, steps: np.ndarray, rates: str = RATES[0]) -> np.ndarray:
    """The theory's error after each number of steps."""
    return theory.error(theory.scales(spec, own_rates=rates == RATES[1]), spec.examples, noise, steps, spec.rate)


def deviation(table: pd.DataFrame, spec: TwoScaleDescentSpec) -> pd.Series:
    """Root mean square of log(measured/theory) over noises and steps with one rate for all, one value a seed."""
    squares = []
    for noise in spec.noises:
        curves = course(table, noise)
        squares.append(np.log(curves / expected(spec, noise, curves.columns.to_numpy())) ** 2)
    return np.sqrt(pd.concat(squares, axis=1).mean(axis=1))


def ratios(table: pd.DataFrame, spec: TwoScaleDescentSpec) -> pd.DataFrame:
    """The second descent's minimum over the first's: rows seeds, columns noises from `QUIET` on."""
    return pd.DataFrame({noise: descents(table, noise)["second over first"] for noise in spec.noises[QUIET:]})


def expected_ratios(spec: TwoScaleDescentSpec, steps: np.ndarray) -> pd.DataFrame:
    """The same of the theory, as one row."""
    found = {}
    for noise in spec.noises[QUIET:]:
        curve = pd.Series(expected(spec, noise, steps), steps)
        places = peaks.places(np.log(curve))
        found[noise] = np.nan if places is None else curve[places[2]] / curve[places[1]]
    return pd.DataFrame(found, index=["theory"])


def critical(found: pd.DataFrame) -> pd.Series:
    """The noise at which the second descent's minimum comes to equal the first's, interpolated between noises."""
    return interpolated_crossing(np.log(found), 0.0, first=True)


#: Where an error has settled, or one rate is as good as two, seeds agree to the last digits of float64.
_ROUNDING = 1e-9


@ratio("times the error of both descents' minima, at the peak between them", continuity=_ROUNDING)
def _rise(table: pd.DataFrame, spec: TwoScaleDescentSpec) -> pd.Series:
    return descents(table, spec.noises[MIDDLE])["rise"]


@ratio(
    "times the error of the minima beside it, at the highest point in between; at the least noise",
    continuity=_ROUNDING,
)
def _rise_when_silent(table: pd.DataFrame, spec: TwoScaleDescentSpec) -> pd.Series:
    return descents(table, spec.noises[SILENT])["rise"]


@ratio("times the error of the first descent's minimum", continuity=_ROUNDING)
def _second_when_quiet(table: pd.DataFrame, spec: TwoScaleDescentSpec) -> pd.Series:
    return descents(table, spec.noises[QUIET])["second over first"]


@ratio("times the error of the first descent's minimum, at the most noise", continuity=_ROUNDING)
def _second_when_loud(table: pd.DataFrame, spec: TwoScaleDescentSpec) -> pd.Series:
    return descents(table, spec.noises[LOUD])["second over first"]


@ratio("the theory's critical noise", continuity=_ROUNDING)
def _critical(table: pd.DataFrame, spec: TwoScaleDescentSpec) -> pd.Series:
    steps = np.sort(table["step"].unique())
    return critical(ratios(table, spec)) / critical(expected_ratios(spec, steps)).iloc[0]


@ratio("times the error with one rate for all, each at its best step, chosen on the other seeds", continuity=_ROUNDING)
def _own_rates(table: pd.DataFrame, spec: TwoScaleDescentSpec) -> pd.Series:
    one, own = (_best(course(table, spec.noises[MIDDLE], rates)) for rates in RATES)
    return own / one


def _best(curves: pd.DataFrame) -> pd.Series:
    """Each seed's error at the step that is best for the others."""
    return on_other_seeds(-curves.T, curves.T)


CLAIMS = (
    claim(
        "two-descents",
        "A linear student whose features are learned on two time scales has two descents of its test error, with a "
        "rise in between.",
        "pezeshki-et-al-2022",
        _rise,
        above=1.1,
        origin="paper",
        control="one scale",
        note="The paper's example has 130 examples; there the rise needs no noise.",
    ),
    claim(
        "rise-needs-noise",
        "Below a critical noise a linear student of two time scales has no rise of its test error: it only falls, "
        "however long training lasts.",
        "stephenson-lee-2021",
        _rise_when_silent,
        below=1.02,
        origin="paper",
        control="few examples",
        note="In the control, with as few examples as in Pezeshki et al. (2022), what the slow features say is noise "
        "enough for the fast ones.",
    ),
    claim(
        "waiting-wins-when-quiet",
        "Where the noise is below a second critical level, the second descent of a linear student of two time "
        "scales ends lower than the first.",
        "stephenson-lee-2021",
        _second_when_quiet,
        below=0.8,
        origin="paper",
        control="slow features that say nothing",
    ),
    claim(
        "stopping-wins-when-loud",
        "Where the noise is above a second critical level, the second descent of a linear student of two time "
        "scales ends higher: one had better have stopped at the first minimum.",
        "stephenson-lee-2021",
        _second_when_loud,
        above=1.2,
        origin="paper",
        control="many examples",
    ),
    claim(
        "critical-noise-predicted",
        "The noise at which both descents of a linear student of two time scales end alike is where the theory "
        "for large sizes has it.",
        "pezeshki-et-al-2022",
        _critical,
        equals=1,
        within=1.1,
        origin="ours",
        control="uneven examples",
        note="By deterministic equivalents of the resolvent, which the paper does not use.",
    ),
    claim(
        "two-scale-theory",
        "The error of a linear student of two time scales follows the theory for large sizes, over training and "
        "over all noises.",
        "pezeshki-et-al-2022",
        ratio("relative deviation (rms)", deviation, _ROUNDING),
        below=0.1,
        origin="consequence",
        control="uneven examples",
    ),
    claim(
        "own-rates-beat-waiting",
        "With a learning rate for each scale both are learned at once, and the student that is stopped at its best "
        "step errs less than with one rate for all, stopped at its.",
        "heckel-yilmaz-2021",
        _own_rates,
        below=0.85,
        origin="paper",
        control="rates at random",
    ),
)
