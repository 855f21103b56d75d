"""What is claimed of the bound, as statistics of the study's table."""

from __future__ import annotations

import numpy as np
import pandas as pd

from genbook.base import stats
from genbook.studies.coherence.stability_bound import theory
from genbook.studies.coherence.stability_bound.design import StabilityBoundSpec
from genbook.tables.readings import curve
from genbook.tables.statistics import claim, order, ratio


def constants(table: pd.DataFrame) -> pd.DataFrame:
    """By seed, L and β: the largest gradient norm and sharpness seen on any of its runs, at any step.

    The theorem wants constants that hold everywhere; these are the least that they can be.
    """
    largest = {"L": "largest gradient", "beta": "sharpness"}
    return pd.DataFrame({name: curve(table, of, "noise").groupby("seed").max() for name, of in largest.items()})


def evaluated(table: pd.DataFrame, spec: StabilityBoundSpec) -> pd.DataFrame:
    """The bound and the gap: index (seed, noise), columns ``gap``, ``log10 bound``, ``log10 tame`` (β = 0), ``alpha``.

    ``log10 decaying``: what the corollary makes of the same α, L and β for learning rates that fall as η/t. α is
    estimated without its 1/m bias, and interpolated between the steps at which it was measured; ``alpha`` is its mean
    over the steps.
    """
    alphas, fixed = curve(table, "off-diagonal coherence", "noise"), constants(table)
    gap = (curve(table, "test loss", "noise") - curve(table, "train loss", "noise")).groupby(["seed", "noise"]).last()
    steps, rows = np.arange(spec.steps), {}
    for (seed, noise), mine in alphas.groupby(["seed", "noise"]):
        alpha = np.interp(steps, mine.index.get_level_values("step"), mine)
        lipschitz, beta = fixed.loc[seed, ["L", "beta"]]
        settings = {"learning_rate": spec.learning_rate, "m": spec.n_train}
        rows[seed, noise] = {
            "gap": gap[seed, noise],
            "log10 bound": theory.log_bound(alpha, lipschitz, beta, **settings) / np.log(10),
            "log10 tame": theory.log_bound(alpha, lipschitz, 0.0, **settings) / np.log(10),
            "log10 decaying": theory.log_bound_decaying(alpha, lipschitz, beta, **settings) / np.log(10),
            "alpha": alpha.mean(),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(["seed", "noise"])


def over_real(table: pd.DataFrame, spec: StabilityBoundSpec) -> pd.DataFrame:
    """`evaluated`, and what of it is ``over real`` labels of the same seed: rows, with columns for seed and noise.

    Missing where a gap, or that of real labels, is not positive: a ratio says nothing there.
    """
    rows = evaluated(table, spec)
    real = rows.xs(spec.noise_levels[0], level="noise").reindex(rows.index.get_level_values("seed"))
    gap, real_gap = (gaps.where(gaps > 0).to_numpy() for gaps in (rows["gap"], real["gap"]))
    bound = 10 ** (rows["log10 bound"] - real["log10 bound"].to_numpy())
    ratios = {"gap over real": gap / real_gap, "bound over real": bound, "per cent": 100 * (bound - 1)}
    return rows.assign(**ratios).reset_index()


@order("Kendall's τ of bound and gap", ranked=lambda table, spec: len(spec.noise_levels))
def order_of_gaps(table: pd.DataFrame, spec: StabilityBoundSpec) -> pd.Series:
    """Kendall's τ of bound and gap over the noise levels, by seed."""
    rows = evaluated(table, spec)
    return rows.groupby("seed")[["log10 bound", "gap"]].apply(
        lambda mine: stats.kendall_tau(mine["log10 bound"], mine["gap"])
    )


@ratio("times the bound of real labels")
def separation(table: pd.DataFrame, spec: StabilityBoundSpec) -> pd.Series:
    """The bound of the most random labels over that of real ones."""
    wide = evaluated(table, spec)["log10 bound"].unstack("noise")
    return 10 ** (wide[spec.noise_levels[-1]] - wide[spec.noise_levels[0]])


_SAMPLE = (
    "α is of the training examples, without its 1/m bias; the theorem has that of fresh ones at the trained weights."
)
CLAIMS = (
    claim(
        "bound-orders",
        "The theorem's bound puts networks with more and more random labels in the order of their gaps.",
        "chatterjee-zielinski-2022",
        order_of_gaps,
        above=0.6,
        control="shuffled labels",
        origin="consequence",
        note=_SAMPLE,
    ),
    claim(
        "bound-separates",
        "The bound of random labels is larger than that of real ones by an amount worth having.",
        "chatterjee-zielinski-2022",
        separation,
        above=1.1,
        control="shuffled labels",
        origin="ours",
        reported="Called qualitative by its authors, who list bounds that are not vacuous as future work.",
        note=_SAMPLE,
    ),
)
