"""What is claimed of L, M and what lies between them, as statistics of the study's table."""

from __future__ import annotations

import numpy as np
import pandas as pd

from genbook.base import stats
from genbook.studies.coherence.two_data_sets import theory
from genbook.studies.coherence.two_data_sets.spec import TwoDataSetsSpec
from genbook.tables import tidy
from genbook.tables.readings import on_other_seeds, power
from genbook.tables.statistics import claim, difference, identity, order, ratio, slope

#: Losses below this are fitted to rounding; gradients that are only rounding have no direction.
_ROUNDING = 1e-20
_HALF = 0.5


def course(table: pd.DataFrame, data: str, quantity: str) -> pd.Series:
    """A quantity of L or M with one weight per input: index (seed, step); steps fitted to rounding are left out."""
    rows = table[(table["data"] == data) & (table["depth"] == 1)]
    wide = rows.pivot(index=["seed", "step"], columns="quantity", values="value")
    return wide.loc[wide["train loss"] > _ROUNDING, quantity]


def mean_course(table: pd.DataFrame, data: str, quantity: str) -> pd.Series:
    """A quantity of L or M with one weight per input, mean over seeds, by step."""
    return course(table, data, quantity).groupby("step").mean()


def ends(table: pd.DataFrame, data: str) -> pd.Series:
    """All quantities of L or M at the last step with one weight per input, means over seeds."""
    last = tidy.last(table, ["seed", "quantity"], data=data, depth=1)
    return last.groupby("quantity").mean()


def generalizing_fraction(table: pd.DataFrame, data: str) -> pd.Series:
    """Output on the test point over output on the training examples, at every step after the first: (seed, step)."""
    fraction = course(table, data, "test output") / course(table, data, "train output")
    return fraction[fraction.index.get_level_values("step") > 0] + 0.0  # no minus zeros


def at_end(table: pd.DataFrame, quantity: str) -> pd.DataFrame:
    """The last value on L: columns ``seed``, ``depth`` (1: the plain model), ``init scale``, ``value``."""
    return tidy.last(table, ("seed", "depth", "init scale"), data="L", quantity=quantity).reset_index()


def progress(table: pd.DataFrame, outputs: np.ndarray) -> pd.DataFrame:
    """m-coherence on L at training outputs: columns ``seed``, ``depth``, ``init scale``, ``output``, ``value``."""
    rows = table[table["data"] == "L"]
    wide = rows.pivot(index=["seed", "depth", "init scale", "step"], columns="quantity", values="value")
    found = []
    for (seed, depth, scale), mine in wide.groupby(["seed", "depth", "init scale"]):
        reached = outputs[(outputs >= mine["train output"].iloc[0]) & (outputs <= mine["train output"].max())]
        values = np.interp(reached, mine["train output"], mine["m-coherence"])
        place = {"seed": seed, "depth": depth, "init scale": scale}
        found.append(pd.DataFrame({**place, "output": reached, "value": values}))
    return pd.concat(found, ignore_index=True)


def family(table: pd.DataFrame) -> pd.DataFrame:
    """The random family: a row per (seed, strength), a column per quantity, and the ``mean m-coherence`` over seeds."""
    rows = tidy.wide(table, ["seed", "strength"], "quantity", data="family")
    return rows.assign(**{"mean m-coherence": rows["m-coherence"].groupby("strength").transform("mean")})


def by_strength(table: pd.DataFrame) -> pd.DataFrame:
    """The random family, means over seeds: rows strengths, columns quantities."""
    return family(table).groupby("strength").mean()


@order(
    "Kendall's τ of m-coherence and test loss, reversed",
    ranked=lambda table, spec: int(family(table).groupby("seed").size().min()),
)
def order_of_losses(table: pd.DataFrame, spec: TwoDataSetsSpec) -> pd.Series:
    """Kendall's τ over the random data sets of a seed."""
    rows = family(table)
    return rows.groupby("seed")[["m-coherence", "test loss"]].apply(
        lambda mine: stats.kendall_tau(mine["m-coherence"], -mine["test loss"])
    )


@difference("of the output, from the closed form, at the strength that is farthest off on the other seeds")
def deviation(table: pd.DataFrame, spec: TwoDataSetsSpec) -> pd.Series:
    """Test output less the closed form of orthogonal own features, signed; NaN with one seed alone."""
    measured = family(table)["test output"].unstack("seed")
    off = measured.sub(theory.shared_part(spec.n_train, measured.index), axis=0)
    return on_other_seeds(off.abs(), off)


@ratio("of the own weight of the linear model")
def starvation(table: pd.DataFrame, spec: TwoDataSetsSpec) -> pd.Series:
    """Own weight at the end, deepest and smallest start over one weight per input."""
    return _deepest_over_plain(at_end(table, "own weight"), spec)


@slope("exponent of the start, at the least depth")
def start_exponent(table: pd.DataFrame, spec: TwoDataSetsSpec) -> pd.Series:
    """Slope of log own weight over log start, at the least depth."""
    ends = at_end(table, "own weight")
    return power(tidy.wide(ends, "seed", "init scale", depth=spec.depths[0]))


@ratio("times that of the linear model, when half is fitted")
def created(table: pd.DataFrame, spec: TwoDataSetsSpec) -> pd.Series:
    """m-coherence when half is fitted, deepest and smallest start over one weight per input."""
    return _deepest_over_plain(progress(table, np.array([_HALF])), spec)


def _deepest_over_plain(rows: pd.DataFrame, spec: TwoDataSetsSpec) -> pd.Series:
    """By seed, ``value`` at the largest depth and smallest start over that at depth 1; NaN where either is missing."""
    deepest = (rows["depth"] == spec.depths[-1]) & (rows["init scale"] == spec.init_scales[-1])
    deep, plain = (rows[which].set_index("seed")["value"] for which in (deepest, rows["depth"] == 1))
    return deep.reindex(plain.index) / plain


_EXACTLY = {"within": 1e-9, "replicates": False, "origin": "paper"}
_PAPER = "chatterjee-zielinski-2022"
CLAIMS = (
    claim(
        "l-coherence",
        "On L, where the examples share a feature, m-coherence is 2.5 at every step of training.",
        _PAPER,
        identity(function=lambda table, spec: course(table, "L", "m-coherence")),
        equals=2.5,
        control="nothing shared",
        **_EXACTLY,
    ),
    claim(
        "m-coherence",
        "On M, where they share nothing, m-coherence is 1 at every step of training.",
        _PAPER,
        identity(function=lambda table, spec: course(table, "M", "m-coherence")),
        equals=1,
        control="everything shared",
        **_EXACTLY,
    ),
    claim(
        "l-generalizes",
        "On L, the test point gets 0.8 of what the training examples get, at every step.",
        _PAPER,
        identity(function=lambda table, spec: generalizing_fraction(table, "L")),
        equals=0.8,
        control="nothing shared",
        **_EXACTLY,
    ),
    claim(
        "m-memorises",
        "On M, the test point gets nothing, however well the training examples are fitted.",
        _PAPER,
        identity(function=lambda table, spec: generalizing_fraction(table, "M")),
        equals=0,
        control="everything shared",
        **_EXACTLY,
    ),
    claim(
        "family-order",
        "Among random data sets, the more coherent the gradients at the start, the lower the test loss.",
        _PAPER,
        order_of_losses,
        above=0.8,
        control="shuffled labels",
        origin="consequence",
        note="Of seven strengths; of the five at first, whose order too few ranks decide.",
    ),
    claim(
        "family-closed-form",
        "Test outputs of the random data sets are those of the closed form for orthogonal features.",
        _PAPER,
        deviation,
        equals=0,
        within=0.1,
        control="shuffled labels",
        origin="consequence",
        note="Was the mean distance over the strengths, below .1.",
    ),
    claim(
        "depth-starves",
        "With weights that are products of small factors, the examples' own features get almost no weight.",
        "woodworth-et-al-2020",
        starvation,
        below=0.2,
        control="large start",
        origin="consequence",
        note="The paper has weights that are differences of powers, and their limit of small starts.",
    ),
    claim(
        "smaller-starves-more",
        "The own weights shrink faster than in proportion to the start of the factors.",
        "woodworth-et-al-2020",
        start_exponent,
        above=1,
        control="hardly shared",
        origin="ours",
        note="The power is that of the closed form derived in this chapter.",
    ),
    claim(
        "depth-makes-coherence",
        "Products of small factors raise m-coherence while they learn.",
        "chatterjee-zielinski-2020",
        created,
        above=1.3,
        control="large start",
        origin="ours",
        note="The paper sees coherence made in large networks, and asks why.",
    ),
)
