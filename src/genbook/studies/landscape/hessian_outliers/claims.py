"""What is claimed of the Hessian's spectrum: what moves its outliers and what does not, and that a basin is one."""

from __future__ import annotations

import numpy as np
import pandas as pd

from genbook.studies.landscape.hessian_outliers.spec import HessianOutliersSpec
from genbook.tables import readings, tidy
from genbook.tables.statistics import claim, fraction, ratio, slope

_SOURCE = "sagun-et-al-2017"


def by_classes(table: pd.DataFrame, spec: HessianOutliersSpec, quantity: str) -> pd.DataFrame:
    """What was measured of networks of one width on images: rows seeds, columns numbers of classes."""
    found = tidy.wide(table, "seed", "classes", data="images", width=spec.width, quantity=quantity)
    return found[list(spec.classes)]


def by_width(table: pd.DataFrame, spec: HessianOutliersSpec, quantity: str) -> pd.DataFrame:
    """The same of one number of classes: columns widths."""
    found = tidy.wide(table, "seed", "width", data="images", classes=spec.compared, quantity=quantity)
    return found[list(spec.widths)]


def largest(table: pd.DataFrame, spec: HessianOutliersSpec) -> pd.DataFrame:
    """The largest eigenvalue: rows seeds, columns what was learned, at equal classes and width."""
    where = {"classes": spec.compared, "width": spec.width, "quantity": "eigenvalue", "place": 1.0}
    return tidy.wide(table, "seed", "data", **where)


def path(table: pd.DataFrame) -> pd.DataFrame:
    """The loss on the straight path: rows seeds, columns the fraction of the way."""
    return tidy.wide(table, "seed", "place", quantity="loss on the path")


def _half_an_outlier(table: pd.DataFrame, spec: HessianOutliersSpec) -> float:
    """Half an outlier, as a part of the mean number."""
    return float(np.log1p(0.5 / by_width(table, spec, "outliers").to_numpy().mean()))


def _half_an_outlier_anywhere(table: pd.DataFrame, spec: HessianOutliersSpec) -> float:
    """What half an outlier at the largest number of classes makes of the geometric mean over all, its logarithm."""
    most = by_classes(table, spec, "outliers").mean().iloc[-1]
    return float(np.log1p(0.5 / most) / len(spec.classes))


def _half_an_outlier_of_slope(table: pd.DataFrame, spec: HessianOutliersSpec) -> float:
    """What half an outlier at an end makes of the slope against classes."""
    centred = np.array(spec.classes) - np.mean(spec.classes)
    return float(0.5 * centred[-1] / (centred**2).sum())


@fraction("of all eigenvalues, the mean over numbers of classes")
def near_zero(table: pd.DataFrame, spec: HessianOutliersSpec) -> pd.Series:
    """The fraction of eigenvalues within a hundredth of the largest from zero."""
    return by_classes(table, spec, "near zero").mean(axis=1)


@slope("outliers for each further class", continuity=_half_an_outlier_of_slope)
def outliers_a_class(table: pd.DataFrame, spec: HessianOutliersSpec) -> pd.Series:
    """The slope of the number of outliers against that of classes."""
    found = by_classes(table, spec, "outliers")
    return pd.Series(np.polyfit(list(spec.classes), found.T.to_numpy(), 1)[0], index=found.index)


@ratio("outliers for each class, over all numbers of classes", continuity=_half_an_outlier_anywhere)
def outliers_over_classes(table: pd.DataFrame, spec: HessianOutliersSpec) -> pd.Series:
    """The number of outliers over that of classes, its geometric mean."""
    return readings.geometric_mean((by_classes(table, spec, "outliers") / list(spec.classes)).T)


@ratio("times the outliers of the narrowest network", continuity=_half_an_outlier)
def outliers_by_width(table: pd.DataFrame, spec: HessianOutliersSpec) -> pd.Series:
    """What the largest width makes of the number of outliers."""
    found = by_width(table, spec, "outliers")
    return found[spec.widths[-1]] / found[spec.widths[0]]


@ratio("times the largest eigenvalue with clusters that lie apart")
def overlap(table: pd.DataFrame, spec: HessianOutliersSpec) -> pd.Series:
    """What a wider spread of the clusters makes of the largest eigenvalue."""
    found = largest(table, spec)
    return found["overlapping"] / found["separable"]


@ratio("times the largest eigenvalue with real labels")
def randomness(table: pd.DataFrame, spec: HessianOutliersSpec) -> pd.Series:
    """What random labels make of the largest eigenvalue."""
    found = largest(table, spec)
    return found["random labels"] / found["images"]


@ratio("times the larger of the losses at the ends")
def barrier(table: pd.DataFrame, spec: HessianOutliersSpec) -> pd.Series:
    """The largest loss strictly between the ends of the path."""
    found = path(table)
    return found.iloc[:, 1:-1].max(axis=1) / found.iloc[:, [0, -1]].max(axis=1)


CLAIMS = (
    claim(
        "bulk-near-zero",
        "Nearly all eigenvalues of the Hessian at the end of training lie near zero.",
        _SOURCE,
        near_zero,
        above=0.75,
        control="untrained",
        origin="paper",
        reported="A bulk centred near zero, and outliers away from it (abstract).",
        note="Near zero is within a hundredth of the largest; three quarters is this book's reading of a bulk.",
    ),
    claim(
        "outliers-follow-classes",
        "Each further class adds outliers, more than one.",
        _SOURCE,
        outliers_a_class,
        above=1.5,
        control="merged labels",
        origin="paper",
        reported="Changing the data, for instance by more clusters, only affects the outliers (abstract).",
        note="Clusters without labels of their own add about one each, as a pilot showed; the threshold is above that.",
    ),
    claim(
        "as-many-as-classes",
        "There are as many outliers as classes.",
        _SOURCE,
        outliers_over_classes,
        equals=1,
        within=1.5,
        control="untrained",
        origin="consequence",
        note="An outlier is here at least a tenth of the largest eigenvalue; no rule is given in the abstract.",
    ),
    claim(
        "width-keeps-outliers",
        "A network four times as wide has as many outliers: what is added is bulk.",
        _SOURCE,
        outliers_by_width,
        equals=1,
        within=1.5,
        control="untrained",
        origin="paper",
        reported="Increasing the number of parameters merely scales the bulk (abstract).",
    ),
    claim(
        "overlap-raises-outliers",
        "Clusters that overlap have a larger largest eigenvalue than clusters that lie apart.",
        _SOURCE,
        overlap,
        above=3,
        control="untrained",
        origin="paper",
        reported="Making the data less separable only affects the outliers (abstract).",
    ),
    claim(
        "random-labels-raise-outliers",
        "After as many steps, random labels have a larger largest eigenvalue than real ones.",
        _SOURCE,
        randomness,
        above=3,
        control="untrained",
        note="Random labels are as little separable as labels can be; the loss is then higher too.",
    ),
    claim(
        "no-barrier",
        "No barrier lies between where large batches end and where small batches go on from there.",
        _SOURCE,
        barrier,
        below=1.5,
        control="another start",
        origin="paper",
        reported="Small and large batches appear to converge to different basins, and belong to the same (abstract).",
    ),
)
