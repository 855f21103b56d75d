"""What is claimed of the bound, as statistics of the study's table."""

from __future__ import annotations

import numpy as np
import pandas as pd

from genbook.base import stats
from genbook.base.claims import Claim
from genbook.studies.coherence.stability_bound import theory
from genbook.studies.coherence.stability_bound.spec import StabilityBoundSpec
from genbook.tables import tidy


def course(table: pd.DataFrame, quantity: str) -> pd.Series:
    """A quantity along the run: index (seed, noise, step)."""
    return tidy.series(table, ("seed", "noise", "step"), quantity=quantity)


def constants(table: pd.DataFrame) -> pd.DataFrame:
    """By seed, L and β: the largest gradient norm and sharpness seen on any of its runs, at any step.

    The theorem wants constants that hold everywhere; these are the least that they can be.
    """
    largest = {"L": course(table, "largest gradient"), "beta": course(table, "sharpness")}
    return pd.DataFrame({name: values.groupby("seed").max() for name, values in largest.items()})


def evaluated(table: pd.DataFrame, spec: StabilityBoundSpec) -> pd.DataFrame:
    """The bound and the gap: index (seed, noise), columns ``gap``, ``log10 bound``, ``log10 tame`` (β = 0), ``alpha``.

    α is estimated without its 1/m bias, and interpolated between the steps at which it was measured; ``alpha`` is its
    mean over the steps.
    """
    alphas, fixed = course(table, "off-diagonal coherence"), constants(table)
    gap = (course(table, "fresh loss") - course(table, "train loss")).groupby(["seed", "noise"]).last()
    steps, rows = np.arange(spec.steps), {}
    for (seed, noise), mine in alphas.groupby(["seed", "noise"]):
        alpha = np.interp(steps, mine.index.get_level_values("step"), mine)
        lipschitz, beta = fixed.loc[seed, ["L", "beta"]]
        settings = {"learning_rate": spec.learning_rate, "m": spec.n_train}
        rows[seed, noise] = {
            "gap": gap[seed, noise],
            "log10 bound": theory.log_bound(alpha, lipschitz, beta, **settings) / np.log(10),
            "log10 tame": theory.log_bound(alpha, lipschitz, 0.0, **settings) / np.log(10),
            "alpha": alpha.mean(),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(["seed", "noise"])


def _order(table: pd.DataFrame, spec: StabilityBoundSpec) -> pd.Series:
    rows = evaluated(table, spec)
    return rows.groupby("seed")[["log10 bound", "gap"]].apply(
        lambda mine: stats.kendall_tau(mine["log10 bound"], mine["gap"])
    )


def _vacuous(table: pd.DataFrame, spec: StabilityBoundSpec) -> pd.Series:
    """Powers of ten between the gap of the most random labels and the bound; NaN where there is no gap."""
    rows = evaluated(table, spec).xs(spec.noise_levels[-1], level="noise")
    return rows["log10 bound"] - np.log10(rows["gap"].where(rows["gap"] > 0))


def _separation(table: pd.DataFrame, spec: StabilityBoundSpec) -> pd.Series:
    """The bound of the most random labels over that of real ones."""
    wide = evaluated(table, spec)["log10 bound"].unstack("noise")
    return 10 ** (wide[spec.noise_levels[-1]] - wide[spec.noise_levels[0]])


CLAIMS = (
    Claim(
        id="bound-orders",
        statement="The theorem's bound puts networks with more and more random labels in the order of their gaps.",
        source="chatterjee-zielinski-2022",
        statistic=_order,
        relation=">",
        threshold=0.6,
        threshold_text="Kendall's τ of bound and gap",
        null="shuffled labels",
    ),
    Claim(
        id="bound-vacuous",
        statement="With the least constants that the run allows, the bound is astronomically larger than the gap.",
        source="chatterjee-zielinski-2022",
        statistic=_vacuous,
        relation=">",
        threshold=3,
        threshold_text="powers of ten, for the most random labels",
        null="ten steps",
        reported="Called qualitative by its authors, who list bounds that are not vacuous as future work.",
    ),
    Claim(
        id="bound-separates",
        statement="The bound of random labels is larger than that of real ones by an amount worth having.",
        source="chatterjee-zielinski-2022",
        statistic=_separation,
        relation=">",
        threshold=1.1,
        threshold_text="times the bound of real labels",
        scale="log",
        null="shuffled labels",
    ),
)
