"""What is claimed of the long tail, as statistics of the study's table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from genbook.studies.noise.long_tail import theory
from genbook.studies.noise.long_tail.spec import LongTailSpec
from genbook.tables import readings, tidy
from genbook.tables.statistics import Statistic, claim, difference, half_example, identity

RARE, FREQUENT = "once", "4 times or more"
#: Plain descent is stopped where it fits this fraction of the examples of the frequent clusters.
FITTED = 0.98


def curve(table: pd.DataFrame, quantity: str, seen: str = "all") -> pd.DataFrame:
    """One quantity of plain descent: rows seeds, columns steps; empty if nothing was seen so often."""
    return readings.curve(table, quantity, learner="plain", seen=seen).unstack("step")


def stopping_step(table: pd.DataFrame) -> pd.Series:
    """By seed, the first measured step at which plain descent fits the frequent clusters, or the last one."""
    whole, frequent = curve(table, "train accuracy"), curve(table, "train accuracy", FREQUENT)
    return readings.first_crossing(frequent.reindex_like(whole), FITTED).fillna(whole.columns[-1]).astype(int)


def stopped(table: pd.DataFrame, seen: str = "all") -> pd.Series:
    """By seed, the test accuracy of plain descent where it is stopped; NaN where no cluster was seen so often."""
    values, steps = curve(table, "test accuracy", seen), stopping_step(table)
    known = {seed: row[steps[seed]] for seed, row in values.iterrows()}
    return pd.Series(known, dtype=float).reindex(steps.index).rename_axis("seed")


def gained(table: pd.DataFrame, quantity: str = "test accuracy", seen: str = "all") -> pd.Series:
    """By seed, what plain descent gains from there to the end; NaN for a seed in which no cluster was seen so often."""
    values, steps = curve(table, quantity, seen), stopping_step(table)
    known = {seed: row.iloc[-1] - row[steps[seed]] for seed, row in values.iterrows()}
    return pd.Series(known, dtype=float).reindex(steps.index).rename_axis("seed")


def at_end(table: pd.DataFrame, seen: str = "all") -> pd.DataFrame:
    """The last test accuracy of every network: rows seeds, columns learners."""
    networks = table[~table["learner"].str.startswith("vote")]
    return readings.final(networks, "test accuracy", "learner", seen=seen)


def outcomes(table: pd.DataFrame, kinds: Sequence[str]) -> pd.DataFrame:
    """Test accuracy at the end, and where plain descent is stopped, on clusters seen so often; tidy, value last."""
    ends = {seen: at_end(table, seen).assign(**{"plain, stopped": stopped(table, seen)}) for seen in kinds}
    return tidy.long(pd.concat(ends, names=["seen"]), "learner")


def _half_example(table: pd.DataFrame, spec: LongTailSpec) -> float:
    return half_example(spec.n_test)


def _half_example_of_rare(table: pd.DataFrame, spec: LongTailSpec) -> float:
    """Half of the step of an accuracy on the test examples whose cluster was seen once."""
    rare = float(masses(table)[RARE].mean())
    return half_example(max(1.0, spec.n_test * rare)) if rare == rare else 0.5


def suppressing_costs(learner: str) -> Statistic:
    """What a learner's test accuracy at the end falls short of plain descent's; NaN where it was not trained."""

    def lost(table: pd.DataFrame, spec: LongTailSpec) -> pd.Series:
        ends = at_end(table).reindex(columns=["plain", learner])
        return ends["plain"] - ends[learner]

    return difference("difference in test accuracy at the end", lost, continuity=_half_example)


def masses(table: pd.DataFrame, quantity: str = "mass") -> pd.DataFrame:
    """Probability of what was seen so often ("mass"), or its part of the training set: rows seeds, columns `SEEN`."""
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
    return np.array([theory.price(p, spec.n_train, m, spec.labels_of_points) for m in needed])


@difference("difference in test accuracy to the end of training", continuity=_half_example)
def stopping_costs(table: pd.DataFrame, spec: LongTailSpec) -> pd.Series:
    """What plain descent gains after it fits what is frequent."""
    return gained(table)


@difference("difference of the losses in test accuracy", continuity=_half_example_of_rare)
def tail_pays(table: pd.DataFrame, spec: LongTailSpec) -> pd.Series:
    """The same on clusters seen once, less that on frequent ones."""
    return gained(table, seen=RARE) - gained(table, seen=FREQUENT)


@difference("times what follows from the masses and the fit of the training set")
def price_is_mass(table: pd.DataFrame, spec: LongTailSpec) -> pd.Series:
    """The gain over the predicted one; it can be zero or negative, so that its interval is not on the log scale."""
    return gained(table) / predicted_gain(table)


@identity("difference to the closed form, up to 0.03")
def votes_pay(table: pd.DataFrame, spec: LongTailSpec) -> pd.Series:
    """Mean test error of each vote, less the closed form."""
    errors = votes(table).mean()
    return errors - prices(spec, list(errors.index))


CLAIMS = (
    claim(
        "votes-pay-the-mass",
        "A vote that answers only where it has seen enough errs by the mass of all that it has seen less often.",
        "feldman-2020",
        votes_pay,
        origin="paper",
        equals=0.0,
        within=0.03,
        control="wide clusters",
        replicates=False,
    ),
    claim(
        "stopping-costs",
        "Stopping a network once it knows what is frequent costs accuracy on new examples.",
        "feldman-2020",
        stopping_costs,
        origin="consequence",
        above=0.05,
        control="uniform frequencies",
    ),
    claim(
        "tail-pays",
        "Stopping before what is rare is fitted costs the tail: clusters seen once lose, frequent ones do not.",
        "feldman-2020",
        tail_pays,
        origin="consequence",
        above=0.3,
        control="labels at random",
    ),
    claim(
        "price-is-mass",
        "What stopping early costs is the mass of the clusters whose examples were not yet fitted.",
        "feldman-2020",
        price_is_mass,
        origin="consequence",
        equals=1,
        within=0.2,
        control="labels at random",
        note="Was asked from below only: more than 0.8 times.",
    ),
    claim(
        "winsorising-costs-tail",
        "With right labels and a long tail, winsorised gradients end worse than plain ones.",
        "feldman-2020",
        suppressing_costs("winsorised"),
        above=0.05,
        control="uniform frequencies",
    ),
    claim(
        "clipping-costs-tail",
        "With right labels and a long tail, clipped gradients end worse than plain ones.",
        "feldman-2020",
        suppressing_costs("clipped"),
        above=0.05,
        control="uniform frequencies",
    ),
)
