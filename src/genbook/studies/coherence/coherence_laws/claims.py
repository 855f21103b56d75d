"""What is claimed of coherence as a measure, as statistics of the study's table."""

from __future__ import annotations

import pandas as pd

from genbook.base.claims import Claim
from genbook.studies.coherence.coherence_laws import theory
from genbook.studies.coherence.coherence_laws.spec import CoherenceLawsSpec
from genbook.tables import tidy

RELATIVES = {
    "gradient diversity": theory.from_diversity,
    "noise scale": theory.from_noise_scale,
    "signal-to-noise": theory.from_signal_to_noise,
}


def course(table: pd.DataFrame, quantity: str, layer: str = "all") -> pd.Series:
    """A quantity of the whole network or of a layer along the run: index (seed, step)."""
    return tidy.series(table, ("seed", "step"), quantity=quantity, layer=layer)


def implied(table: pd.DataFrame, m: int) -> pd.DataFrame:
    """m-coherence as each relative implies it: columns ``seed``, ``step``, ``relative``, ``value``."""
    parts = {}
    for name, convert in RELATIVES.items():
        measured = course(table, name)
        parts[name] = pd.Series(convert(measured, m), measured.index)
    return pd.concat(parts, names=["relative"]).rename("value").reset_index()


def law(table: pd.DataFrame, quantity: str) -> pd.DataFrame:
    """A quantity by what was varied: columns ``seed``, ``at``, ``value``."""
    return tidy.select(table, quantity=quantity)[["seed", "at", "value"]].reset_index(drop=True)


def _layers(table: pd.DataFrame, spec: CoherenceLawsSpec) -> pd.Series:
    return course(table, "layers combined") / course(table, "m-coherence")


def _relatives(table: pd.DataFrame, spec: CoherenceLawsSpec) -> pd.Series:
    rows = implied(table, spec.n_train).set_index(["seed", "step", "relative"])["value"]
    return rows / course(table, "m-coherence").reindex(rows.index.droplevel("relative")).to_numpy()


def _batches(table: pd.DataFrame, spec: CoherenceLawsSpec) -> pd.Series:
    """Largest relative distance of the measured α of mini-batches from the law, over the batch sizes."""
    rows = law(table, "batch alpha")
    alpha = rows["seed"].map(law(table, "alpha").set_index("seed")["value"])
    distance = (rows["value"] / theory.of_batches(alpha, rows["at"]) - 1).abs()
    return distance.groupby(rows["seed"]).max()


def _inflation(table: pd.DataFrame, spec: CoherenceLawsSpec) -> pd.Series:
    """α of the largest mini-batches over α of single examples."""
    rows = law(table, "batch alpha").query("at == @spec.batch_sizes[-1]").set_index("seed")["value"]
    return rows / law(table, "alpha").set_index("seed")["value"]


def _growth(table: pd.DataFrame, spec: CoherenceLawsSpec) -> pd.Series:
    """m-coherence of all examples over that of the smallest subsets."""
    wide = law(table, "subset m-coherence").pivot(index="seed", columns="at", values="value")
    return wide.iloc[:, -1] / wide.iloc[:, 0]


CLAIMS = (
    Claim(
        id="relatives-agree",
        statement="Gradient diversity, simple noise scale and signal-to-noise ratio are m-coherence in other units.",
        source="chatterjee-zielinski-2022",
        statistic=_relatives,
        kind="exact",
        relation="=",
        threshold=1,
        threshold_text="times the m-coherence measured",
        tolerance=1e-3,
        null="other examples, equal weights",
    ),
    Claim(
        id="layers-average",
        statement="α of the network is the mean of its layers' α, weighted with their shares of the squared norm.",
        source="chatterjee-zielinski-2022",
        statistic=_layers,
        kind="exact",
        relation="=",
        threshold=1,
        threshold_text="times the α of the network",
        tolerance=1e-6,
        null="other examples, equal weights",
    ),
    Claim(
        id="batches-law",
        statement="Averages of k gradients have the coherence kα / (1 + (k − 1)α).",
        source="chatterjee-zielinski-2020",
        statistic=_batches,
        relation="<",
        threshold=0.1,
        threshold_text="relative distance from the law, at worst",
        null="copies, isotropic",
    ),
    Claim(
        id="batches-inflate",
        statement="Coherence measured from mini-batch gradients is far above that of the examples.",
        source="chatterjee-zielinski-2020",
        statistic=_inflation,
        relation=">",
        threshold=4,
        threshold_text="times α, at the largest batches",
        scale="log",
        null="copies, isotropic",
    ),
    Claim(
        id="grows-with-m",
        statement="m-coherence grows with the number of examples it is measured on.",
        source="chatterjee-zielinski-2020",
        statistic=_growth,
        relation=">",
        threshold=1.5,
        threshold_text="times that of the smallest subsets",
        scale="log",
        null="copies, isotropic",
    ),
)
