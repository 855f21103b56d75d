"""What is claimed of coherence as a measure, as statistics of the study's table."""

from __future__ import annotations

import numpy as np
import pandas as pd

from genbook.studies.coherence.coherence_laws import theory
from genbook.studies.coherence.coherence_laws.spec import CoherenceLawsSpec
from genbook.tables import tidy
from genbook.tables.readings import curve, on_other_seeds
from genbook.tables.statistics import claim, identity, ratio

RELATIVES = {
    "gradient diversity": theory.from_diversity,
    "noise scale": theory.from_noise_scale,
    "signal-to-noise": theory.from_signal_to_noise,
}


def implied(table: pd.DataFrame, spec: CoherenceLawsSpec) -> pd.Series:
    """m-coherence as each relative implies it: indexed by (relative, seed, step)."""
    measured = {name: curve(table, name) for name in RELATIVES}
    parts = {name: pd.Series(RELATIVES[name](of, spec.n_train), of.index) for name, of in measured.items()}
    return pd.concat(parts, names=["relative"])


def varied(table: pd.DataFrame, quantity: str) -> pd.Series:
    """A quantity by what was varied: indexed by (seed, at)."""
    return tidy.series(table, ("seed", "at"), quantity=quantity)


def alpha(table: pd.DataFrame) -> pd.Series:
    """α of single examples at the step that the laws are checked at, by seed."""
    return varied(table, "alpha").droplevel("at")


def norm_fractions(table: pd.DataFrame) -> pd.Series:
    """What each layer makes up of the squared gradient norms, mean over seeds and steps, in the network's order."""
    rows = tidy.select(table, quantity="norm fraction")
    return rows.groupby("layer", sort=False)["value"].mean()


@identity("times the m-coherence measured")
def relatives(table: pd.DataFrame, spec: CoherenceLawsSpec) -> pd.Series:
    """m-coherence as the relatives imply it over that measured, at every step."""
    found = implied(table, spec)
    return found / curve(table, "m-coherence").reindex(found.index.droplevel("relative")).to_numpy()


@identity("times the α of the network")
def layers(table: pd.DataFrame, spec: CoherenceLawsSpec) -> pd.Series:
    """The weighted mean of the layers' α over the network's, at every step."""
    return curve(table, "layers combined") / curve(table, "m-coherence")


@ratio("times the law, at the batch size that is farthest off on the other seeds")
def over_the_law(table: pd.DataFrame, spec: CoherenceLawsSpec) -> pd.Series:
    """Measured α of mini-batches over the law's; NaN with one seed alone."""
    measured = varied(table, "batch alpha")
    seeds, sizes = (measured.index.get_level_values(name) for name in ("seed", "at"))
    ratios = (measured / theory.of_batches(alpha(table).loc[seeds], sizes)).unstack("seed")
    return on_other_seeds(np.log(ratios).abs(), ratios)


@ratio("times that of the smallest subsets")
def growth(table: pd.DataFrame, spec: CoherenceLawsSpec) -> pd.Series:
    """m-coherence of all examples over that of the smallest subsets."""
    by_size = varied(table, "subset m-coherence").groupby("seed")
    return by_size.last() / by_size.first()


CLAIMS = (
    claim(
        "relatives-agree",
        "Gradient diversity, simple noise scale and signal-to-noise ratio are m-coherence in other units.",
        "chatterjee-zielinski-2022",
        relatives,
        equals=1,
        within=1e-3,
        control="other examples, equal weights",
        origin="consequence",
        note="Of gradient diversity the paper says it.",
    ),
    claim(
        "layers-average",
        "α of the network is the mean of its layers' α, weighted with their fractions of the squared norm.",
        "chatterjee-zielinski-2022",
        layers,
        equals=1,
        within=1e-6,
        control="other examples, equal weights",
        origin="paper",
    ),
    claim(
        "batches-law",
        "Averages of k gradients have the coherence kα / (1 + (k − 1)α).",
        "chatterjee-zielinski-2020",
        over_the_law,
        equals=1,
        within=1.1,
        control="copies, isotropic",
        origin="paper",
        note="Was the largest relative distance over the batch sizes, below .1.",
    ),
    claim(
        "grows-with-m",
        "m-coherence grows with the number of examples it is measured on.",
        "chatterjee-zielinski-2020",
        growth,
        above=1.5,
        control="copies, isotropic",
        origin="consequence",
    ),
)
