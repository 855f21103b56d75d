"""What is claimed of noise on gradients: it trains what starts badly, if it anneals, and spares what starts well."""

from __future__ import annotations

import pandas as pd

from genbook.studies.batches.gradient_noise.design import GradientNoiseSpec
from genbook.studies.measured import half_test_image
from genbook.tables import readings
from genbook.tables.statistics import Statistic, claim, difference


def lowest(table: pd.DataFrame) -> pd.DataFrame:
    """The lowest training loss on the way: seeds in rows, (start, noise) in columns. What diverges later keeps its own.

    By the last loss, or by accuracy, a network that has diverged would have to be given some value.
    """
    return (
        readings.curve(table, "train loss", "start", "noise").groupby(["seed", "start", "noise"]).min().unstack([1, 2])
    )


def lower(words: str, run: tuple[str, str], other: tuple[str, str]) -> Statistic:
    """By how much the loss of one run comes lower than that of another."""

    def below(table: pd.DataFrame, spec: GradientNoiseSpec) -> pd.Series:
        found = lowest(table)
        return found[other] - found[run]

    return difference(words, below)


def learned(table: pd.DataFrame) -> pd.DataFrame:
    """Test accuracy where the training loss is lowest: seeds in rows, (start, noise) in columns."""
    runs = ["seed", "start", "noise"]
    losses, accuracies = (readings.curve(table, name, "start", "noise") for name in ("train loss", "test accuracy"))
    lowest = losses.dropna().groupby(runs).idxmin()
    return accuracies[lowest].droplevel("step").unstack([1, 2])


def _way(table: pd.DataFrame, spec: GradientNoiseSpec) -> pd.Series:
    found = learned(table)
    none = found["poor", "none"]
    return (found["poor", "annealed"] - none) / (found["good", "none"] - none)


def _half_step(table: pd.DataFrame, spec: GradientNoiseSpec) -> float:
    """Half a test image, in units of the whole way."""
    found = learned(table).mean()
    return half_test_image(table, spec) / max(
        found["good", "none"] - found["poor", "none"], half_test_image(table, spec)
    )


#: How far annealed noise brings a poor start: 0 is as far as without noise, 1 as far as a good start without.
way_to_good_start = difference(
    "of the way from no noise to a good start, in test accuracy where the training loss is lowest", _way, _half_step
)

CLAIMS = (
    claim(
        "noise-trains-poor-start",
        "From a poor start, annealed noise on the gradients lets a very deep network reach a lower training loss.",
        "neelakantan-et-al-2015",
        lower("nats below the lowest training loss without noise", ("poor", "annealed"), ("poor", "none")),
        above=0.02,
        origin="paper",
        control="no noise",
        note="The statistic was the final training accuracy until a pilot showed how much it scatters.",
    ),
    claim(
        "noise-teaches-poor-start",
        "From a poor start, annealed noise alone lets a very deep network learn most of what it can from a good one.",
        "neelakantan-et-al-2015",
        way_to_good_start,
        above=0.5,
        origin="paper",
        control="no noise",
        reported="By noise alone a fully connected network of 20 layers is trained by standard gradient descent, even "
        "from a poor start (abstract).",
        note="The abstract gives no number; half of the way is what this book asks of data that are learned.",
    ),
    claim(
        "annealed-beats-constant",
        "Noise that anneals lets it reach a lower training loss than noise that stays as strong as it began.",
        "neelakantan-et-al-2015",
        lower("nats below that with constant noise", ("poor", "annealed"), ("poor", "constant")),
        above=0.02,
        control="no noise",
        note="Both begin with one variance. In longer pilots weaker noise that stayed came as far as any.",
    ),
    claim(
        "noise-spares-good-start",
        "From a good start the same noise costs next to nothing.",
        "neelakantan-et-al-2015",
        lower("nats below that with noise", ("good", "none"), ("good", "annealed")),
        below=0.1,
        control="loud noise",
    ),
)
