"""What is claimed of the long tail, as statistics of the study's table."""

from __future__ import annotations

import numpy as np
import pandas as pd

from genbook.base.claims import Claim
from genbook.studies.noise.long_tail import theory
from genbook.studies.noise.long_tail.spec import LongTailSpec
from genbook.tables import tidy

RARE, FREQUENT = "once", "4 times or more"
#: Plain descent is stopped where it fits this share of the examples of the frequent clusters.
FITTED = 0.98


def curve(table: pd.DataFrame, quantity: str, seen: str = "all", learner: str = "plain") -> pd.DataFrame:
    """One quantity of one learner over training: rows seeds, columns steps; empty if nothing was seen so often."""
    rows = tidy.select(table, quantity=quantity, seen=seen, learner=learner)
    return rows.pivot(index="seed", columns="step", values="value").sort_index(axis=1)


def stopping_step(table: pd.DataFrame) -> pd.Series:
    """By seed, the first look at which plain descent fits the frequent clusters, or the last where it never does."""
    looks = curve(table, "train accuracy")
    fits = curve(table, "train accuracy", FREQUENT).reindex(index=looks.index, columns=looks.columns) >= FITTED
    return fits.idxmax(axis=1).where(fits.any(axis=1), looks.columns[-1])


def gained(table: pd.DataFrame, quantity: str = "test accuracy", seen: str = "all") -> pd.Series:
    """By seed, what plain descent gains from there to the end; NaN for a seed in which no cluster was seen so often."""
    values, steps = curve(table, quantity, seen), stopping_step(table)
    known = {seed: row.iloc[-1] - row[steps[seed]] for seed, row in values.iterrows()}
    return pd.Series(known, dtype=float).reindex(steps.index).rename_axis("seed")


def at_end(table: pd.DataFrame, seen: str = "all", quantity: str = "test accuracy") -> pd.DataFrame:
    """The last value of every network: rows seeds, columns learners."""
    rows = tidy.select(table, quantity=quantity, seen=seen)
    networks = rows[~rows["learner"].str.startswith("vote")]
    return tidy.last(networks, ["seed", "learner"]).unstack("learner")


def _lost_by(table: pd.DataFrame, learner: str) -> pd.Series:
    """What a learner's test accuracy at the end falls short of plain descent's; NaN where it was not trained."""
    ends = at_end(table).reindex(columns=["plain", learner])
    return ends["plain"] - ends[learner]


def masses(table: pd.DataFrame, quantity: str = "mass") -> pd.DataFrame:
    """Probability of what was seen so often ("mass"), or its share of the training set: rows seeds, columns `SEEN`."""
    return tidy.wide(table, "seed", "seen", quantity=quantity)[list(theory.SEEN)]


def predicted_gain(table: pd.DataFrame) -> pd.Series:
    """By seed, what the gain should be if a cluster is known as soon as its training examples are fitted."""
    found = masses(table)
    parts = [found[seen] * gained(table, "train accuracy", seen).fillna(0) for seen in list(theory.SEEN)[1:]]
    return sum(parts)


def votes(table: pd.DataFrame) -> pd.DataFrame:
    """Test error of the votes of neighbours: rows seeds, columns the examples that they ask for; may be empty."""
    rows = table[table["learner"].str.startswith("vote")]
    asked = rows["learner"].str.removeprefix("vote of ").astype(int)
    return (1 - rows.assign(needed=asked).pivot(index="seed", columns="needed", values="value")).sort_index(axis=1)


def prices(spec: LongTailSpec, needed: list[int]) -> np.ndarray:
    """The closed form of those errors, for the points."""
    p = theory.frequencies(spec.frequencies, spec.clusters, spec.exponent)
    return np.array([theory.price(p, spec.sample, m, spec.labels_of_points) for m in needed])


def _stopping(table: pd.DataFrame, spec: LongTailSpec) -> pd.Series:
    return gained(table)


def _tail_first(table: pd.DataFrame, spec: LongTailSpec) -> pd.Series:
    return gained(table, seen=RARE) - gained(table, seen=FREQUENT)


def _winsorised(table: pd.DataFrame, spec: LongTailSpec) -> pd.Series:
    return _lost_by(table, "winsorised")


def _clipped(table: pd.DataFrame, spec: LongTailSpec) -> pd.Series:
    return _lost_by(table, "clipped")


def _price(table: pd.DataFrame, spec: LongTailSpec) -> pd.Series:
    return gained(table) / predicted_gain(table)


def _votes(table: pd.DataFrame, spec: LongTailSpec) -> pd.Series:
    errors = votes(table).mean()
    return errors - prices(spec, list(errors.index))


CLAIMS = (
    Claim(
        id="votes-pay-the-mass",
        statement="A vote that answers only where it has seen enough errs by the mass of all that it has seen less "
        "often.",
        source="feldman-2020",
        statistic=_votes,
        relation="=",
        threshold=0.0,
        threshold_text="difference to the closed form, up to 0.03",
        kind="exact",
        tolerance=0.03,
        null="wide clusters",
        confirms=False,
    ),
    Claim(
        id="stopping-costs",
        statement="Stopping a network once it knows what is frequent costs accuracy on new examples.",
        source="feldman-2020",
        statistic=_stopping,
        relation=">",
        threshold=0.05,
        threshold_text="difference in test accuracy to the end of training",
        null="uniform frequencies",
    ),
    Claim(
        id="tail-pays",
        statement="What it costs is the tail: clusters seen once lose, frequent ones do not.",
        source="feldman-2020",
        statistic=_tail_first,
        relation=">",
        threshold=0.3,
        threshold_text="difference of the losses in test accuracy",
        null="labels by lot",
    ),
    Claim(
        id="price-is-mass",
        statement="The cost is the mass of the clusters whose examples were not yet fitted.",
        source="feldman-2020",
        statistic=_price,
        relation=">",
        threshold=0.8,
        threshold_text="times what follows from the masses and the fit of the training set",
        null="labels by lot",
    ),
    Claim(
        id="winsorising-costs-tail",
        statement="With right labels and a long tail, winsorised gradients end worse than plain ones.",
        source="feldman-2020",
        statistic=_winsorised,
        relation=">",
        threshold=0.05,
        threshold_text="difference in test accuracy at the end",
        null="uniform frequencies",
    ),
    Claim(
        id="clipping-costs-tail",
        statement="So do clipped ones.",
        source="feldman-2020",
        statistic=_clipped,
        relation=">",
        threshold=0.05,
        threshold_text="difference in test accuracy at the end",
        null="uniform frequencies",
    ),
)
