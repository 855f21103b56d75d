"""What is claimed of L, M and what lies between them, as statistics of the study's table."""

from __future__ import annotations

import numpy as np
import pandas as pd

from genbook.base import stats
from genbook.base.claims import Claim
from genbook.studies.coherence.two_data_sets import theory
from genbook.studies.coherence.two_data_sets.spec import TwoDataSetsSpec
from genbook.tables import tidy

#: Losses below this are fitted to rounding; gradients that are only rounding have no direction.
_ROUNDING = 1e-20
_HALF = 0.5


def course(table: pd.DataFrame, data: str, quantity: str) -> pd.Series:
    """A quantity of L or M with one weight per input: index (seed, step); steps fitted to rounding are left out."""
    rows = table[(table["data"] == data) & (table["depth"] == 1)]
    wide = rows.pivot(index=["seed", "step"], columns="quantity", values="value")
    return wide.loc[wide["train loss"] > _ROUNDING, quantity]


def generalizing_share(table: pd.DataFrame, data: str) -> pd.Series:
    """Output on the test point over output on the training examples, at every step after the first: (seed, step)."""
    share = course(table, data, "test output") / course(table, data, "train output")
    return share[share.index.get_level_values("step") > 0] + 0.0  # no minus zeros


def at_end(table: pd.DataFrame, quantity: str) -> pd.DataFrame:
    """The last value on L by products: columns ``seed``, ``depth``, ``init``, ``value``; depth 1 is the plain model."""
    return tidy.last(table, ("seed", "depth", "init"), data="L", quantity=quantity).reset_index()


def progress(table: pd.DataFrame, outputs: np.ndarray) -> pd.DataFrame:
    """m-coherence on L read off at training outputs: columns ``seed``, ``depth``, ``init``, ``output``, ``value``."""
    rows = table[table["data"] == "L"]
    wide = rows.pivot(index=["seed", "depth", "init", "step"], columns="quantity", values="value")
    found = []
    for (seed, depth, init), mine in wide.groupby(["seed", "depth", "init"]):
        reached = outputs[(outputs >= mine["train output"].iloc[0]) & (outputs <= mine["train output"].max())]
        values = np.interp(reached, mine["train output"], mine["m-coherence"])
        found.append(pd.DataFrame({"seed": seed, "depth": depth, "init": init, "output": reached, "value": values}))
    return pd.concat(found, ignore_index=True)


def family(table: pd.DataFrame) -> pd.DataFrame:
    """The random family: a row per (seed, strength), a column per quantity."""
    rows = table[table["data"] == "family"]
    return rows.pivot(index=["seed", "strength"], columns="quantity", values="value")


def _starvation(table: pd.DataFrame, spec: TwoDataSetsSpec) -> pd.Series:
    """Own weight at the end, deepest and smallest start over one weight per input."""
    return _deepest_over_plain(at_end(table, "own weight"), spec)


def _start_exponent(table: pd.DataFrame, spec: TwoDataSetsSpec) -> pd.Series:
    """Slope of log own weight over log start, at the least depth."""
    ends = at_end(table, "own weight").query("depth == @spec.depths[0]")
    return ends.groupby("seed")[["init", "value"]].apply(
        lambda rows: float(np.polyfit(np.log(rows["init"]), np.log(rows["value"]), 1)[0])
    )


def _created(table: pd.DataFrame, spec: TwoDataSetsSpec) -> pd.Series:
    """m-coherence when half is fitted, deepest and smallest start over one weight per input."""
    return _deepest_over_plain(progress(table, np.array([_HALF])), spec)


def _deepest_over_plain(rows: pd.DataFrame, spec: TwoDataSetsSpec) -> pd.Series:
    """By seed, ``value`` at the largest depth and smallest start over that at depth 1; NaN where either is missing."""
    deep = rows[(rows["depth"] == spec.depths[-1]) & (rows["init"] == spec.inits[-1])].set_index("seed")["value"]
    plain = rows[rows["depth"] == 1].set_index("seed")["value"]
    return deep.reindex(plain.index) / plain


def _order(table: pd.DataFrame, spec: TwoDataSetsSpec) -> pd.Series:
    rows = family(table)
    return rows.groupby("seed")[["m-coherence", "test loss"]].apply(
        lambda mine: stats.kendall_tau(mine["m-coherence"], -mine["test loss"])
    )


def _deviation(table: pd.DataFrame, spec: TwoDataSetsSpec) -> pd.Series:
    """Mean distance of the test output from the closed form of orthogonal own features."""
    measured = family(table)["test output"]
    expected = theory.shared_part(spec.examples, measured.index.get_level_values("strength"))
    return (measured - expected).abs().groupby("seed").mean()


CLAIMS = (
    Claim(
        id="l-coherence",
        statement="On L, where the examples share a feature, m-coherence is 2.5 at every step of training.",
        source="chatterjee-zielinski-2022",
        statistic=lambda table, spec: course(table, "L", "m-coherence"),
        kind="exact",
        relation="=",
        threshold=2.5,
        tolerance=1e-9,
        null="nothing shared",
        confirms=False,
    ),
    Claim(
        id="m-coherence",
        statement="On M, where they share nothing, m-coherence is 1 at every step of training.",
        source="chatterjee-zielinski-2022",
        statistic=lambda table, spec: course(table, "M", "m-coherence"),
        kind="exact",
        relation="=",
        threshold=1,
        tolerance=1e-9,
        null="everything shared",
        confirms=False,
    ),
    Claim(
        id="l-generalizes",
        statement="On L, the test point gets 0.8 of what the training examples get, at every step.",
        source="chatterjee-zielinski-2022",
        statistic=lambda table, spec: generalizing_share(table, "L"),
        kind="exact",
        relation="=",
        threshold=0.8,
        tolerance=1e-9,
        null="nothing shared",
        confirms=False,
    ),
    Claim(
        id="m-memorises",
        statement="On M, the test point gets nothing, however well the training examples are fitted.",
        source="chatterjee-zielinski-2022",
        statistic=lambda table, spec: generalizing_share(table, "M"),
        kind="exact",
        relation="=",
        threshold=0,
        tolerance=1e-9,
        null="everything shared",
        confirms=False,
    ),
    Claim(
        id="family-order",
        statement="Among random data sets, the more coherent the gradients at the start, the lower the test loss.",
        source="chatterjee-zielinski-2022",
        statistic=_order,
        relation=">",
        threshold=0.8,
        threshold_text="Kendall's τ of m-coherence and test loss, reversed",
        null="shuffled labels",
    ),
    Claim(
        id="family-closed-form",
        statement="Test outputs of the random data sets are those of the closed form for orthogonal features.",
        source="chatterjee-zielinski-2022",
        statistic=_deviation,
        relation="<",
        threshold=0.1,
        threshold_text="mean distance from the closed form",
        null="shuffled labels",
    ),
    Claim(
        id="depth-starves",
        statement="With weights that are products of small factors, the examples' own features get almost no weight.",
        source="woodworth-et-al-2020",
        statistic=_starvation,
        relation="<",
        threshold=0.2,
        threshold_text="of the own weight of the linear model",
        scale="log",
        null="nothing shared",
    ),
    Claim(
        id="smaller-starves-more",
        statement="The own weights shrink faster than in proportion to the start of the factors.",
        source="woodworth-et-al-2020",
        statistic=_start_exponent,
        relation=">",
        threshold=1,
        threshold_text="exponent of the start, at the least depth",
        null="nothing shared",
    ),
    Claim(
        id="depth-makes-coherence",
        statement="Products of small factors raise m-coherence while they learn.",
        source="chatterjee-zielinski-2020",
        statistic=_created,
        relation=">",
        threshold=1.3,
        threshold_text="times that of the linear model, when half is fitted",
        scale="log",
        null="nothing shared",
    ),
)
