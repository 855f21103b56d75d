"""What is claimed of diagonal linear networks at large learning rates."""

from __future__ import annotations

import numpy as np
import pandas as pd

from genbook.base import stats
from genbook.studies.steps.diagonal_networks.spec import DiagonalNetworksSpec
from genbook.tables import readings, tidy
from genbook.tables.statistics import Statistic, claim, order, ratio

#: Trained: what is left of the loss at most. What has not come so far has no risk that could be compared.
FITTED = 1e-3


def solutions(table: pd.DataFrame, quantity: str, used: float, batches: str, after: float) -> pd.DataFrame:
    """A quantity at the end of training, NaN where that has not fitted the examples: rows seeds, columns fractions."""
    rows = readings.rows(table, **{"used": used, "batches": batches, "annealed after": after})
    found, left = (tidy.wide(rows, "seed", "fraction", quantity=name) for name in (quantity, "loss left"))
    every = {"index": np.sort(table["seed"].unique()), "columns": np.sort(rows["fraction"].unique())}
    return found.reindex(**every).where(left.reindex(**every) < FITTED)


def risks(table: pd.DataFrame, spec: DiagonalNetworksSpec, used: float, batches: str) -> pd.DataFrame:
    """The risk of what training at each learning rate ends with: rows seeds, columns fractions."""
    return solutions(table, "risk", used, batches, spec.annealed_after)


def gain(table: pd.DataFrame, spec: DiagonalNetworksSpec, used: float, batches: str) -> pd.Series:
    """The risk at the largest learning rate over that at the smallest; below one where large ones help."""
    found = risks(table, spec, used, batches)
    return found.get(spec.fractions[-1], np.nan) / found.get(spec.fractions[0], pd.Series(np.nan, found.index))


def over_flow(table: pd.DataFrame, spec: DiagonalNetworksSpec, used: float, batches: str) -> pd.DataFrame:
    """Tidy rows of the risk over that of gradient flow from the same start, by fraction, for figures."""
    flow = flow_risk(table, used)
    return tidy.long(risks(table, spec, used, batches).div(flow, axis=0), "fraction")


def flow_risk(table: pd.DataFrame, used: float) -> pd.Series:
    """The risk of the end of gradient flow, by seed."""
    rows = readings.rows(table, used=used, batches="none", quantity="risk")
    return rows.set_index("seed")["value"].sort_index()


def predicted(table: pd.DataFrame, spec: DiagonalNetworksSpec, used: float, batches: str) -> pd.DataFrame:
    """The risk that flow from the imbalances left at the end would have had: rows seeds, columns fractions."""
    return solutions(table, "predicted risk", used, batches, spec.annealed_after)


def shrinkage(table: pd.DataFrame, spec: DiagonalNetworksSpec, used: float, batches: str, which: str) -> pd.DataFrame:
    """By how much the logarithm of the imbalance has fallen on inputs 'used' or 'unused' by the teacher."""
    return solutions(table, f"shrinkage, {which}", used, batches, spec.annealed_after)


def _gain(which: int, batches: str) -> Statistic:
    return ratio(
        "times the risk at the smallest learning rate",
        lambda table, spec: gain(table, spec, spec.used[which], batches),
    )


@order("Kendall's τ of learning rate and risk", ranked=lambda table, spec: len(spec.fractions))
def ordered(table: pd.DataFrame, spec: DiagonalNetworksSpec) -> pd.Series:
    """Kendall's τ over the learning rates of small batches, of the first teacher."""
    found = risks(table, spec, spec.used[0], "small")
    taus = {seed: stats.kendall_tau(row.index, row) for seed, row in found.dropna().iterrows()}
    return pd.Series(taus, dtype=float).reindex(found.index)


@ratio("of the risk where the learning rate becomes small at the first opportunity")
def lasting(table: pd.DataFrame, spec: DiagonalNetworksSpec) -> pd.Series:
    """The risk with the largest learning rate kept for long over that where it is kept for the shortest time."""
    largest, teacher = spec.fractions[-1], spec.used[0]
    sooner = solutions(table, "risk", teacher, "small", spec.annealed_sooner[0])
    late = risks(table, spec, teacher, "small")
    return late.get(largest, np.nan) / sooner.get(largest, pd.Series(np.nan, late.index))


@ratio("times as much on inputs that the teacher uses as on the others")
def unevenness(table: pd.DataFrame, spec: DiagonalNetworksSpec) -> pd.Series:
    """How much more the imbalances shrink on used inputs than on unused ones, at the largest learning rate."""
    used, unused = (
        shrinkage(table, spec, spec.used[0], "small", which)[spec.fractions[-1]] for which in ("used", "unused")
    )
    return used / unused


@ratio("times what training ends with, on average over the learning rates but the smallest")
def explained(table: pd.DataFrame, spec: DiagonalNetworksSpec) -> pd.Series:
    """The predicted risk over the risk, geometric mean over the learning rates of small batches but the smallest."""
    of = (table, spec, spec.used[0], "small")
    logs = np.log(predicted(*of) / risks(*of))
    return np.exp(logs[[rate for rate in logs if rate > spec.fractions[0]]].mean(axis=1, skipna=False))


CLAIMS = (
    claim(
        "large-steps-help-sparse",
        "With single examples and a sparse teacher, a large learning rate ends with at most half the risk.",
        "even-et-al-2023",
        _gain(0, "small"),
        below=0.5,
        control="dense teacher",
        origin="paper",
        reported="Large step sizes consistently benefit SGD in sparse regression.",
    ),
    claim(
        "whole-set-loses-by-them",
        "With the whole set and the same sparse teacher, a large learning rate ends with a higher risk.",
        "even-et-al-2023",
        _gain(0, "whole"),
        above=1.5,
        control="dense teacher",
        origin="paper",
        reported="For gradient descent they can hinder the recovery of sparse solutions.",
    ),
    claim(
        "larger-is-better",
        "With single examples and a sparse teacher, the larger the learning rate the lower the risk.",
        "even-et-al-2023",
        ordered,
        below=-0.5,
        control="dense teacher",
        origin="consequence",
    ),
    claim(
        "dense-teacher-not-helped",
        "With a teacher that uses all inputs alike, a large learning rate on single examples raises the risk.",
        "even-et-al-2023",
        _gain(-1, "small"),
        above=1,
        control="sparse teacher",
        note="The counterpart of the first claim: what helps where the teacher is sparse is no help in itself.",
    ),
    claim(
        "longer-is-better",
        "The longer the large learning rate is kept before it becomes small, the lower the risk.",
        "andriushchenko-et-al-2023",
        lasting,
        below=0.9,
        control="dense teacher",
        origin="paper",
        reported="The longer large steps keep SGD high in the valleys, the better the regularization works.",
    ),
    claim(
        "noise-shrinks-evenly",
        "Steps on single examples shrink the imbalances of all inputs to a similar degree.",
        "even-et-al-2023",
        unevenness,
        below=2,
        control="whole set",
    ),
    claim(
        "imbalance-explains-risk",
        "Gradient flow from the imbalances that large steps leave ends with the risk that they end with.",
        "even-et-al-2023",
        explained,
        equals=1,
        within=1.25,
        control="whole set",
        note="Leaves out a term of third order, which is not small for the whole set.",
    ),
)
