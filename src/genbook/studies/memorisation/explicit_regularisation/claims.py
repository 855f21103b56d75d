"""What is claimed of weight decay: it shrinks weights, stops no memorising, and is not why networks generalize."""

from __future__ import annotations

import pandas as pd

from genbook.studies.measured import half_test_image, half_training_image
from genbook.studies.memorisation.explicit_regularisation.design import ExplicitRegularisationSpec
from genbook.tables.readings import complete, final
from genbook.tables.statistics import claim, difference, fraction, ratio


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
)
