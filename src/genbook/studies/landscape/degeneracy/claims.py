"""What is claimed of degeneracy: more of it on real labels than on random ones, and in the order of generalization."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy import stats

from genbook.studies.landscape.degeneracy.spec import DegeneracySpec
from genbook.tables import tidy
from genbook.tables.statistics import Statistic, claim, difference, order, ratio

_SOURCE = "bushnaq-et-al-2024"
#: The three kinds of degeneracy, as fractions of a layer's units.
KINDS = ("dependent activations", "dependent gradients", "firing alike")
_LAST_IS_BUILT_SO = "dependent gradients"


def counted(table: pd.DataFrame, kind: str, when: str = "fitted") -> pd.DataFrame:
    """One kind of degeneracy, mean over hidden layers: rows seeds, columns fractions of random labels.

    Of dependent gradients the last hidden layer is left out: to it, no more directions can come back than there are
    classes, on any labels.
    """
    found = tidy.select(table, quantity=kind, when=when)
    if kind == _LAST_IS_BUILT_SO:
        found = found[found["layer"] != found["layer"].max()]
    by_layer = found.pivot(index=["seed", "layer"], columns="noise", values="value")
    return by_layer.groupby("seed").agg(lambda values: values.mean(skipna=False))


def of_network(table: pd.DataFrame, quantity: str, when: str = "fitted") -> pd.DataFrame:
    """What there is one number of for a network: rows seeds, columns fractions of random labels."""
    return tidy.wide(table, "seed", "noise", quantity=quantity, when=when, layer="all")


def degenerate(table: pd.DataFrame, when: str = "fitted") -> pd.DataFrame:
    """Dependent activations and gradients, the mean of both: rows seeds, columns fractions of random labels."""
    return (counted(table, KINDS[0], when) + counted(table, KINDS[1], when)) / 2


def ranks_alike(one: pd.DataFrame, other: pd.DataFrame) -> pd.Series:
    """Kendall's τ of two quantities over the fractions of random labels, by seed; NaN where a value is missing."""
    taus = [
        stats.kendalltau(a, b).statistic if np.isfinite([*a, *b]).all() else np.nan
        for a, b in zip(one.to_numpy(), other.to_numpy(), strict=True)
    ]
    # of values that are all the same there is no order
    return pd.Series(np.nan_to_num(taus, nan=0.0), one.index).where(one.notna().all(axis=1) & other.notna().all(axis=1))


def _half_unit(kind: str) -> Callable[[pd.DataFrame, DegeneracySpec], float]:
    """Half of the step of a kind of degeneracy: of one unit of the widest layer, in the mean over layers."""

    def half(table: pd.DataFrame, spec: DegeneracySpec) -> float:
        layers = len(spec.hidden) - (kind == _LAST_IS_BUILT_SO)
        return 0.5 / (layers * max(spec.hidden))

    return half


def _half_direction(table: pd.DataFrame, spec: DegeneracySpec) -> float:
    """Half of the step of the ratio of effective parameters: of one on real labels, as a part of them."""
    return float(0.5 / of_network(table, "effective parameters")[spec.noises[0]].mean())


def _real_more(kind: str) -> Statistic:
    def more(table: pd.DataFrame, spec: DegeneracySpec) -> pd.Series:
        found = counted(table, kind)
        return found[spec.noises[0]] - found[spec.noises[-1]]

    return difference("of the units more than on random labels", more, continuity=_half_unit(kind))


@ratio("times those on real labels", continuity=_half_direction)
def effective(table: pd.DataFrame, spec: DegeneracySpec) -> pd.Series:
    """Effective parameters on random labels over those on real ones."""
    found = of_network(table, "effective parameters")
    return found[spec.noises[-1]] / found[spec.noises[0]]


@difference("of the units more than on random labels", continuity=_half_unit(KINDS[0]))
def as_long(table: pd.DataFrame, spec: DegeneracySpec) -> pd.Series:
    """Dependent directions on real labels after as many steps as random ones need, less those on random ones."""
    return degenerate(table, "as long")[spec.noises[0]] - degenerate(table)[spec.noises[-1]]


def _levels(table: pd.DataFrame, spec: DegeneracySpec) -> int:
    return len(spec.noises)


def _half_pair(table: pd.DataFrame, spec: DegeneracySpec) -> float:
    """Half of the step of τ: of one pair of networks in the other order."""
    return 2 / (len(spec.noises) * (len(spec.noises) - 1))


def tau_degenerate(table: pd.DataFrame, spec: DegeneracySpec) -> pd.Series:
    """τ of degeneracy with test accuracy."""
    return ranks_alike(degenerate(table), of_network(table, "test accuracy"))


def tau_flat(table: pd.DataFrame, spec: DegeneracySpec) -> pd.Series:
    """τ of flatness, which is little sharpness, with test accuracy."""
    return ranks_alike(-of_network(table, "sharpness"), of_network(table, "test accuracy"))


@difference("of τ more than flatness has", continuity=_half_pair)
def beyond_flatness(table: pd.DataFrame, spec: DegeneracySpec) -> pd.Series:
    """By how much better degeneracy orders networks by test accuracy than flatness does."""
    return tau_degenerate(table, spec) - tau_flat(table, spec)


_CONTROL = "shuffled labels"

CLAIMS = (
    claim(
        "activations-dependent",
        "Networks that fit real labels have more linearly dependent activations than those that fit random ones.",
        _SOURCE,
        _real_more(KINDS[0]),
        above=0.1,
        control=_CONTROL,
        origin="consequence",
        note="The paper says that more degenerate parameters are likely to generalize further.",
    ),
    claim(
        "gradients-dependent",
        "The gradients that come back to a hidden layer are more often linearly dependent there too.",
        _SOURCE,
        _real_more(KINDS[1]),
        above=0.1,
        control=_CONTROL,
        origin="consequence",
    ),
    claim(
        "firing-alike",
        "And more of their ReLUs fire on the same examples.",
        _SOURCE,
        _real_more(KINDS[2]),
        above=0.05,
        control=_CONTROL,
        origin="consequence",
    ),
    claim(
        "fewer-effective-parameters",
        "In fewer directions of the parameters do the outputs change to speak of.",
        _SOURCE,
        effective,
        above=1.2,
        control=_CONTROL,
        origin="consequence",
        note="Directions of the training examples' outputs, counted on some of them, which bounds the number.",
    ),
    claim(
        "degenerate-though-as-long",
        "Networks on real labels stay the more degenerate ones when they train for as many steps.",
        _SOURCE,
        as_long,
        above=0.1,
        control=_CONTROL,
        origin="ours",
        note="Random labels take more steps to fit: without this, degeneracy could be a count of steps.",
    ),
    claim(
        "degeneracy-orders",
        "Over fractions of random labels, the more degenerate of two networks generalizes better.",
        _SOURCE,
        order("τ of degeneracy and test accuracy", tau_degenerate, ranked=_levels),
        above=0.6,
        control=_CONTROL,
        origin="consequence",
    ),
    claim(
        "orders-better-than-flatness",
        "It orders them better than flatness does.",
        _SOURCE,
        beyond_flatness,
        above=0.3,
        control=_CONTROL,
        origin="ours",
    ),
)
