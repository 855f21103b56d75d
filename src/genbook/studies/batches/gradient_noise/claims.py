"""What is claimed of noise on gradients: it trains what starts badly, if it anneals, and spares what starts well."""

from __future__ import annotations

import pandas as pd

from genbook.studies.batches.gradient_noise.design import GradientNoiseSpec
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
