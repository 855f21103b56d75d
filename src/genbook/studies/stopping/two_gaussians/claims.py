"""What is claimed of two Gaussians, as statistics of the study's table."""

from __future__ import annotations

import pandas as pd

from genbook.base.claims import Claim
from genbook.studies.stopping.two_gaussians.spec import TwoGaussiansSpec
from genbook.tables import tidy


def curve(table: pd.DataFrame, quantity: str, ratio: float) -> pd.DataFrame:
    """One quantity over the descent at one number of dimensions: rows seeds, columns steps."""
    return tidy.wide(table, "seed", "step", quantity=quantity, dimensions=ratio)


def lost(table: pd.DataFrame, ratio: float) -> pd.Series:
    """Test accuracy lost between the step at which the mean over seeds is best and the end, by seed."""
    accuracy = curve(table, "test accuracy", ratio)
    return accuracy[accuracy.mean().idxmax()] - accuracy.iloc[:, -1]


def _true_first(table: pd.DataFrame, spec: TwoGaussiansSpec) -> pd.Series:
    return curve(table, "wrong true accuracy", spec.dimensions[0])[1]


def _true_last(table: pd.DataFrame, spec: TwoGaussiansSpec) -> pd.Series:
    return curve(table, "wrong true accuracy", spec.dimensions[0]).iloc[:, -1]


def _coefficients(table: pd.DataFrame, spec: TwoGaussiansSpec) -> pd.Series:
    wrong, clean = (curve(table, f"{name} coefficient", spec.dimensions[0]) for name in ("wrong", "clean"))
    return wrong.iloc[:, -1] / clean.iloc[:, -1]


def _lost(table: pd.DataFrame, spec: TwoGaussiansSpec) -> pd.Series:
    return lost(table, spec.dimensions[0])


def _benign(table: pd.DataFrame, spec: TwoGaussiansSpec) -> pd.Series:
    """What is lost at the most dimensions over the mean of what is lost at the fewest."""
    return lost(table, spec.dimensions[-1]) / lost(table, spec.dimensions[0]).mean()


CLAIMS = (
    Claim(
        id="early-true",
        statement="After one step a linear classifier gives wrongly labelled points their true label.",
        source="liu-et-al-2020",
        statistic=_true_first,
        relation=">",
        threshold=0.75,
        threshold_text="of them, where chance is one half",
        scale="logit",
        continuity=0.01,
        null="no signal",
    ),
    Claim(
        id="late-memorised",
        statement="In the end it has memorised their wrong labels.",
        source="liu-et-al-2020",
        statistic=_true_last,
        relation="<",
        threshold=0.25,
        threshold_text="of them with their true label, where chance is one half",
        scale="logit",
        continuity=0.01,
        null="few dimensions",
    ),
    Claim(
        id="wrong-pull-more",
        statement="In the end a wrongly labelled point pulls at the weights more than a rightly labelled one.",
        source="liu-et-al-2020",
        statistic=_coefficients,
        relation=">",
        threshold=2,
        threshold_text="times the coefficient in the gradient",
        scale="log",
        null="no signal",
    ),
    Claim(
        id="memorising-costs",
        statement="With about as many dimensions as points, memorising costs test accuracy.",
        source="liu-et-al-2020",
        statistic=_lost,
        relation=">",
        threshold=0.1,
        threshold_text="of test accuracy lost from the best step to the end",
        null="few dimensions",
    ),
    Claim(
        id="benign-in-many-dimensions",
        statement="With the same noise spread over many more dimensions, memorising costs almost nothing.",
        source="bartlett-et-al-2020",
        statistic=_benign,
        relation="<",
        threshold=0.25,
        threshold_text="times what is lost with the fewest dimensions",
        null="no more dimensions",
    ),
)
