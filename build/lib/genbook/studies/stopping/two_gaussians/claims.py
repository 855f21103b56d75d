"""What is claimed of two Gaussians."""

from __future__ import annotations

import pandas as pd

from genbook.studies.stopping.two_gaussians.spec import TwoGaussiansSpec
from genbook.tables import readings
from genbook.tables.readings import on_other_seeds
from genbook.tables.statistics import claim, difference, fraction, half_example, ratio


def curve(table: pd.DataFrame, quantity: str, dimensions: float, group: str = "all") -> pd.DataFrame:
    """One quantity over the descent at one number of dimensions: rows seeds, columns steps."""
    return readings.curve(table, quantity, dimensions=dimensions, group=group).unstack("step")


def lost(table: pd.DataFrame, dimensions: float) -> pd.Series:
    """Test accuracy lost between the step that is best for the other seeds and the end, by seed."""
    accuracy = curve(table, "test accuracy", dimensions)
    return on_other_seeds(accuracy.T) - accuracy.iloc[:, -1]


def true_labels(table: pd.DataFrame, spec: TwoGaussiansSpec) -> pd.DataFrame:
    """Fraction of the wrongly labelled points given their true label, with the fewest dimensions: seeds by steps."""
    return curve(table, "train accuracy on true labels", spec.dimensions[0], "corrupted")


def _half_point(table: pd.DataFrame, spec: TwoGaussiansSpec) -> float:
    """Half of the step in which a fraction of the wrong labels is measured: they are half of those drawn anew."""
    return min(half_example(spec.n_train * spec.noise / 2), 0.49)


@ratio("times the coefficient in the gradient")
def _coefficients(table: pd.DataFrame, spec: TwoGaussiansSpec) -> pd.Series:
    corrupted, clean = (curve(table, "coefficient", spec.dimensions[0], group) for group in ("corrupted", "clean"))
    return corrupted.iloc[:, -1] / clean.iloc[:, -1]


@difference("times what is lost with the fewest dimensions")
def _benign(table: pd.DataFrame, spec: TwoGaussiansSpec) -> pd.Series:
    """What is lost with the most dimensions over what is lost with the fewest, within the seed; it may be negative."""
    fewest = lost(table, spec.dimensions[0])
    return (lost(table, spec.dimensions[-1]) / fewest).where(fewest > 0)


CLAIMS = (
    claim(
        "early-true",
        "After one step a linear classifier gives wrongly labelled points their true label.",
        "liu-et-al-2020",
        fraction(
            "of them, where chance is one half",
            lambda table, spec: true_labels(table, spec)[1],
            continuity=_half_point,
        ),
        origin="paper",
        above=0.75,
        control="no signal",
    ),
    claim(
        "late-memorised",
        "In the end a linear classifier has memorised the wrong labels.",
        "liu-et-al-2020",
        fraction(
            "of them with their true label, where chance is one half",
            lambda table, spec: true_labels(table, spec).iloc[:, -1],
            continuity=_half_point,
        ),
        origin="paper",
        below=0.25,
        control="few dimensions",
    ),
    claim(
        "wrong-pull-more",
        "In the end a wrongly labelled point pulls at the weights more than a rightly labelled one.",
        "liu-et-al-2020",
        _coefficients,
        origin="paper",
        above=2,
        control="no signal",
    ),
    claim(
        "memorising-costs",
        "With about as many dimensions as points, memorising costs test accuracy.",
        "liu-et-al-2020",
        difference(
            "of test accuracy lost from the best step to the end; the step is chosen on the other seeds",
            lambda table, spec: lost(table, spec.dimensions[0]),
        ),
        origin="consequence",
        above=0.1,
        control="few dimensions",
    ),
    claim(
        "benign-in-many-dimensions",
        "With the same noise spread over many more dimensions, memorising costs almost nothing.",
        "chatterji-long-2021",
        _benign,
        origin="consequence",
        below=0.25,
        control="no more dimensions",
        note="The paper's theorem wants many more dimensions for each point than are taken here.",
    ),
)
