"""What is claimed of weight decay: what it does to weights, memory, test accuracy, and the agreement of gradients."""

from __future__ import annotations

import pandas as pd

from genbook.studies.measured import half_test_image, half_training_image
from genbook.studies.memorisation.explicit_regularisation.design import ExplicitRegularisationSpec
from genbook.tables.readings import at_equal_loss, complete, final, while_learning
from genbook.tables.statistics import Statistic, claim, difference, fraction, ratio


def ends(table: pd.DataFrame, quantity: str, labels: str) -> pd.DataFrame:
    """The last value of a quantity on real or random labels: rows seeds, columns 'none' and 'weight decay'."""
    where = {"trained on": labels}
    return complete(final(table, quantity, "regularisation", **where), table, "regularisation", **where)


@ratio("times the weights' norm without weight decay")
def shrunk(table: pd.DataFrame, spec: ExplicitRegularisationSpec) -> pd.Series:
    """The norm of the weights after random labels with weight decay, over that without, by seed."""
    norms = ends(table, "weight norm", "random")
    return norms["weight decay"] / norms["none"]


@fraction("of the random labels", continuity=half_training_image)
def memorised(table: pd.DataFrame, spec: ExplicitRegularisationSpec) -> pd.Series:
    """Training accuracy on random labels with weight decay, by seed."""
    return ends(table, "train accuracy", "random")["weight decay"]


@difference("of test accuracy", continuity=half_test_image)
def gained(table: pd.DataFrame, spec: ExplicitRegularisationSpec) -> pd.Series:
    """Test accuracy after real labels with weight decay less that without, by seed."""
    accuracy = ends(table, "test accuracy", "real")
    return accuracy["weight decay"] - accuracy["none"]


def learning(table: pd.DataFrame, labels: str) -> pd.DataFrame:
    """m-coherence against training loss while learning, indexed by (seed, regularisation)."""
    return while_learning(table, "m-coherence", "regularisation", **{"trained on": labels})


def coherence(table: pd.DataFrame, labels: str) -> pd.DataFrame:
    """m-coherence over the training losses that both networks pass: rows seeds, columns as of `ends`."""
    return complete(at_equal_loss(learning(table, labels)), table, "regularisation", **{"trained on": labels})


def _raised(labels: str) -> Statistic:
    def over_none(table: pd.DataFrame, spec: ExplicitRegularisationSpec) -> pd.Series:
        values = coherence(table, labels)
        return values["weight decay"] / values["none"]

    return ratio("times the m-coherence without weight decay, at equal training loss", over_none)


def path_norm_over_margin(table: pd.DataFrame, labels: str) -> pd.DataFrame:
    """Path norm in units of the median margin at the end, NaN where that is not positive: as `ends`."""
    margins = ends(table, "margin", labels)
    return ends(table, "path norm", labels) / margins.where(margins > 0)


@ratio("times the path norm over margin of real labels, at least, whichever of the networks has weight decay")
def told_by_margin(table: pd.DataFrame, spec: ExplicitRegularisationSpec) -> pd.Series:
    """The least path norm over margin of a seed's networks on random labels, over the largest of those on real ones."""
    random, real = (path_norm_over_margin(table, labels) for labels in ("random", "real"))
    return random.min(axis=1, skipna=False) / real.max(axis=1, skipna=False)


CLAIMS = (
    claim(
        "decay-shrinks-weights",
        "On random labels weight decay takes more than a quarter off the norm of the weights.",
        "zhang-et-al-2017",
        shrunk,
        below=0.75,
        control="hardly any decay",
        origin="ours",
        note="That the penalty does something: without this the other two would say nothing.",
    ),
    claim(
        "decay-memorises",
        "With this weight decay the network still memorises random labels.",
        "zhang-et-al-2017",
        memorised,
        above=0.9,
        control="strong decay",
        origin="paper",
    ),
    claim(
        "decay-not-needed",
        "On real labels weight decay adds little to test accuracy: most of it is there without.",
        "zhang-et-al-2017",
        gained,
        below=0.03,
        control="wrong labels",
        origin="paper",
    ),
    claim(
        "decay-raises-coherence-real",
        "On real labels, at equal training loss, gradients agree more with weight decay than without.",
        "chatterjee-zielinski-2022",
        _raised("real"),
        above=1.1,
        control="hardly any decay",
        origin="consequence",
        note="The paper reads regularisers as means against weak directions, and measures no coherence with them. A "
        "tenth is little: that of real labels is several times that of random ones.",
    ),
    claim(
        "decay-raises-coherence-random",
        "On random labels, at equal training loss, gradients agree more with weight decay than without.",
        "chatterjee-zielinski-2022",
        _raised("random"),
        above=1.1,
        control="hardly any decay",
        origin="consequence",
    ),
    claim(
        "path-norm-over-margin-tells",
        "In units of the margin, the path norm is larger on random labels than on real ones, whichever of the two "
        "networks has weight decay.",
        "neyshabur-et-al-2017",
        told_by_margin,
        above=2,
        control="no real labels",
        origin="consequence",
        note="The paper compares networks without weight decay, by another quantile of the margins. Twice is what no "
        "choice between the two networks on the same labels makes of the measure.",
    ),
)
