"""What is claimed of the bound, as statistics of the study's table."""

from __future__ import annotations

import pandas as pd

from genbook.base.claims import Precondition
from genbook.base.spec import Spec
from genbook.studies.coherence.pac_bayes_bound.spec import PacBayesBoundSpec
from genbook.tables.readings import final
from genbook.tables.statistics import claim, difference, fraction, half_example, ratio

GUESS = 0.5  # the error of a fair coin: a bound that is not below it says nothing


@fraction("error")
def real_bound(table: pd.DataFrame, spec: PacBayesBoundSpec) -> pd.Series:
    """The bound on the error with real labels."""
    return final(table, "bound", "labels")["real"]


@difference("of bound and error, the smaller of the two for real and for random labels")
def slack(table: pd.DataFrame, spec: PacBayesBoundSpec) -> pd.Series:
    """By how much the bound is above the stochastic network's error on fresh examples, where it is least so."""
    return (final(table, "bound", "labels") - final(table, "test error", "labels")).min(axis=1)


@ratio("times the bound of real labels")
def separation(table: pd.DataFrame, spec: PacBayesBoundSpec) -> pd.Series:
    """The bound of random labels over that of real ones."""
    bounds = final(table, "bound", "labels")
    return bounds["random"] / bounds["real"]


def price(table: pd.DataFrame, spec: PacBayesBoundSpec) -> pd.DataFrame:
    """Nats of KL for each training label that is answered better than by a guess: rows seeds, columns labels.

    Missing where the stochastic network does no better than a guess by half an example.
    """
    gained = GUESS - final(table, "train error", "labels")
    return final(table, "KL", "labels") / (spec.n_train * gained.where(gained > half_example(spec.n_train)))


@ratio("times the nats of a real label")
def price_of_memory(table: pd.DataFrame, spec: PacBayesBoundSpec) -> pd.Series:
    """What a random label costs over what a real one costs."""
    prices = price(table, spec)
    return prices["random"] / prices["real"]


def learned(table: pd.DataFrame, spec: Spec) -> pd.Series:
    """How far the network that SGD trained on real labels comes from a guess (0) to no error (1), by seed."""
    return 1 - final(table, "trained test error", "labels")["real"] / GUESS


LEARNS = Precondition(
    "the trained network's test accuracy, on the way from a guess (0) to all right (1),", learned, ">", 0.5
)

CLAIMS = (
    claim(
        "pac-bayes-nonvacuous",
        "With real labels the bound on the stochastic network's error is below that of a guess, though the network has "
        "more parameters than examples.",
        "dziugaite-roy-2017",
        real_bound,
        below=GUESS,
        control="shuffled labels",
        origin="paper",
        reported="Nonvacuous bounds for networks with millions of parameters and tens of thousands of examples.",
        note="Network and training set are far smaller here.",
    ),
    claim(
        "pac-bayes-covers",
        "The bound is above the stochastic network's error on fresh examples, with real and with random labels.",
        "dziugaite-roy-2017",
        slack,
        above=0,
        control="other fresh labels",
        origin="consequence",
        note="A theorem where training and fresh examples have one source; in the control they have not.",
    ),
    claim(
        "pac-bayes-separates",
        "The bound of random labels is half as large again as that of real ones.",
        "dziugaite-roy-2017",
        separation,
        above=1.5,
        control="shuffled labels",
        origin="consequence",
        note="No bound that is right can be below one half with random labels; by how much theirs is the larger is "
        "measured.",
    ),
    claim(
        "memory-costs-more",
        "A random label that the stochastic network still gets right costs more nats than a real one.",
        "dziugaite-roy-2017",
        price_of_memory,
        above=2,
        control="shuffled labels",
        origin="ours",
        note="The KL itself is no measure of memory: a longer descent on the bound gives random labels up.",
    ),
)
