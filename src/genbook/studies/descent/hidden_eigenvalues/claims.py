"""What is claimed of the hidden layer's least eigenvalue and the peak of the test loss."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from genbook.studies.descent.hidden_eigenvalues.spec import HiddenEigenvaluesSpec
from genbook.tables.statistics import claim, ratio
from genbook.tables.tidy import wide

_SOURCE = "kuzborskij-et-al-2021"
#: Widths over n that are compared, fixed beforehand: a quarter, n and four times n; and where networks hardly fit.
LEFT, AT, RIGHT, NARROW = 0.25, 1.0, 4.0, 0.125


def curve(
    table: pd.DataFrame, spec: HiddenEigenvaluesSpec, quantity: str, trained: str, step: int | None = None
) -> pd.DataFrame:
    """A quantity by width after so many steps, the most by default: rows seeds, columns widths over n."""
    return wide(table, "seed", "width", quantity=quantity, trained=trained, step=step or spec.steps[-1])


def height(values: pd.DataFrame) -> pd.Series:
    """What there is at n over the larger of what there is on both sides: nothing is searched for."""
    return values[AT] / values[[LEFT, RIGHT]].max(axis=1)


def _peak(trained: str) -> Callable[..., pd.Series]:
    return lambda table, spec: height(curve(table, spec, "test loss", trained))


@ratio("times the smaller eigenvalue at a quarter and at four times as many units")
def dip(table: pd.DataFrame, spec: HiddenEigenvaluesSpec) -> pd.Series:
    """The least eigenvalue with as many units as examples, of networks trained whole."""
    values = curve(table, spec, "least eigenvalue", "whole")
    return values[AT] / values[[LEFT, RIGHT]].min(axis=1)


@ratio("times its height after the fewest steps")
def growing(table: pd.DataFrame, spec: HiddenEigenvaluesSpec) -> pd.Series:
    """The height of the peak over a fixed first layer after the most steps."""
    first, last = (curve(table, spec, "test loss", "last layer", step) for step in (spec.steps[0], spec.steps[-1]))
    return height(last) / height(first)


@ratio("times the test loss with an eighth as many units")
def past_n(table: pd.DataFrame, spec: HiddenEigenvaluesSpec) -> pd.Series:
    """The test loss of networks trained whole with as many units as examples."""
    losses = curve(table, spec, "test loss", "whole")
    return losses[AT] / losses[NARROW]


_OF_SIDES = "times the larger test loss at a quarter and at four times as many units"
CLAIMS = (
    claim(
        "eigenvalue-dips-at-n",
        "The least positive eigenvalue of the hidden activations' second moments dips where there are as many units "
        "as examples, also in networks that have been trained whole.",
        _SOURCE,
        dip,
        below=0.1,
        control="each image twice",
        origin="paper",
    ),
    claim(
        "peak-over-fixed-layer",
        "Where the last layer alone learns, the test loss peaks with as many units as examples.",
        _SOURCE,
        ratio(_OF_SIDES, _peak("last layer")),
        above=1.05,
        control="few steps",
        origin="paper",
        note="The bound is for least squares, which this is. On the squared loss a twentieth is more than a seed makes "
        "of one network; with more steps the peak grows.",
    ),
    claim(
        "peak-grows-over-fixed-layer",
        "Where the last layer alone learns, the peak grows with the steps, as the least eigenvalue would have it.",
        _SOURCE,
        growing,
        above=1.1,
        control="few steps",
        origin="consequence",
    ),
    claim(
        "peak-trained-whole",
        "Networks trained whole have the peak of their test loss there too, with as many units as examples.",
        _SOURCE,
        ratio(_OF_SIDES, _peak("whole")),
        above=1.05,
        control="few steps",
        origin="paper",
        note="The paper reports a small one. Not expected here: such a network can fit as soon as its parameters, not "
        "its units, are as many as the labels. A pilot of two seeds on digits agreed.",
    ),
    claim(
        "whole-is-past-its-peak",
        "Networks trained whole are past their peak by then: with as many units as examples they test better than with "
        "an eighth.",
        "belkin-et-al-2019",
        past_n,
        below=0.9,
        control="first layer fixed",
        origin="consequence",
        note="An eighth of n has about as many parameters as n examples of ten classes have labels, on images of "
        "64 pixels; on larger ones it is beyond. Seen in a pilot of two seeds on digits.",
    ),
)
