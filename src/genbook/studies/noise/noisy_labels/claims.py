"""What is claimed of learning from noisy labels, as statistics of the study's table."""

from __future__ import annotations

import numpy as np
import pandas as pd

from genbook.base.claims import Claim
from genbook.studies.noise.noisy_labels.spec import NoisyLabelsSpec
from genbook.tables import tidy


def curve(table: pd.DataFrame, quantity: str, group: str = "all") -> pd.DataFrame:
    """One quantity over training: rows (seed, noise), columns steps in their order."""
    return tidy.wide(table, ("seed", "noise"), "step", quantity=quantity, group=group)


def chance(table: pd.DataFrame) -> float:
    """One over the number of classes."""
    return 1 / float(table.loc[table["quantity"] == "classes", "value"].iloc[0])


def time_to(curves: pd.DataFrame, level: float) -> pd.Series:
    """Step from which a curve stays at ``level`` or above, interpolated in log step; NaN where it ends below.

    What a network gets right by luck in its first steps, and forgets again, does not count.
    """
    steps = curves.columns[curves.columns > 0]
    logs = np.log(steps.to_numpy(dtype=float))

    def last_crossing(row: pd.Series) -> float:
        values = row[steps].to_numpy(dtype=float)
        below = np.flatnonzero(values < level)
        if not len(below):
            return float(steps[0])
        k = below[-1]
        if k == len(values) - 1:
            return np.nan
        part = (level - values[k]) / (values[k + 1] - values[k])
        return float(np.exp(logs[k] + part * (logs[k + 1] - logs[k])))

    return curves.apply(last_crossing, axis=1)


def best_found(table: pd.DataFrame, score: str = "EL2N") -> pd.DataFrame:
    """AUC of a score at the moment at which it is best for the other seeds: rows seeds, columns kinds of noise.

    The moment is chosen on seeds that it is not judged on; with a single seed there are no others, and it is its own.
    """
    found = {}
    for noise, curves in curve(table, f"AUC of {score}", "corrupted").groupby(level="noise"):
        curves = curves.droplevel("noise")
        for seed in curves.index:
            others = curves.drop(index=seed) if len(curves) > 1 else curves
            found[seed, noise] = curves.loc[seed, others.mean().idxmax()]
    return pd.Series(found).rename_axis(["seed", "noise"]).unstack("noise")


def missed(table: pd.DataFrame, score: str = "EL2N") -> pd.DataFrame:
    """One less the AUC at the best moment: how often a clean example looks worse than a corrupted one."""
    return (1 - best_found(table, score)).clip(lower=1e-6)


def first_fifth(table: pd.DataFrame) -> pd.DataFrame:
    """Steps until a fifth of the corrupted labels are given as they are: rows seeds, columns kinds of noise."""
    return time_to(curve(table, "as given", "corrupted"), 0.2).unstack("noise")


def _uniform(rows: pd.DataFrame | pd.Series) -> pd.DataFrame | pd.Series:
    return rows.xs("uniform", level="noise")


def _corrupted_later(table: pd.DataFrame, spec: NoisyLabelsSpec) -> pd.Series:
    corrupted, clean = (_uniform(time_to(curve(table, "as given", group), 0.5)) for group in ("corrupted", "clean"))
    return corrupted / clean


def _true_over_chance(table: pd.DataFrame, spec: NoisyLabelsSpec) -> pd.Series:
    return _uniform(curve(table, "as true", "corrupted")).max(axis=1) / chance(table)


def _el2n_finds(table: pd.DataFrame, spec: NoisyLabelsSpec) -> pd.Series:
    return best_found(table, "EL2N")["uniform"]


def _norm_finds(table: pd.DataFrame, spec: NoisyLabelsSpec) -> pd.Series:
    return best_found(table, "gradient norm")["uniform"]


def _fades(table: pd.DataFrame, spec: NoisyLabelsSpec) -> pd.Series:
    at_end = _uniform(curve(table, "AUC of EL2N", "corrupted")).iloc[:, -1]
    return (1 - at_end).clip(lower=1e-6) / missed(table)["uniform"]


def _sooner(table: pd.DataFrame, spec: NoisyLabelsSpec) -> pd.Series:
    times = first_fifth(table)
    return times["uniform"] / times[spec.noises[-1]]


def _hides(table: pd.DataFrame, spec: NoisyLabelsSpec) -> pd.Series:
    rates = missed(table)
    return rates[spec.noises[-1]] / rates["uniform"]


CLAIMS = (
    Claim(
        id="clean-first",
        statement="Clean examples are learned long before corrupted ones are memorised.",
        source="arpit-et-al-2017",
        statistic=_corrupted_later,
        relation=">",
        threshold=5,
        threshold_text="times as many steps to half of the corrupted labels as to half of the clean ones",
        scale="log",
        null="shuffled labels",
    ),
    Claim(
        id="true-first",
        statement="Before it memorises them, the network classifies corrupted examples by the label they lost.",
        source="liu-et-al-2020",
        statistic=_true_over_chance,
        relation=">",
        threshold=3,
        threshold_text="times chance, at the best moment",
        scale="log",
        null="shuffled labels",
    ),
    Claim(
        id="el2n-finds",
        statement="The length of its error vector, early in training, tells whether an example's label is wrong.",
        source="paul-et-al-2021",
        statistic=_el2n_finds,
        relation=">",
        threshold=0.8,
        threshold_text="area under the ROC curve, at a moment chosen on other seeds",
        scale="logit",
        continuity=1e-4,
        null="shuffled labels",
    ),
    Claim(
        id="gradient-norm-finds",
        statement="So does the norm of an example's gradient.",
        source="paul-et-al-2021",
        statistic=_norm_finds,
        relation=">",
        threshold=0.8,
        threshold_text="area under the ROC curve, at a moment chosen on other seeds",
        scale="logit",
        continuity=1e-4,
        null="shuffled labels",
    ),
    Claim(
        id="scores-fade",
        statement="The scores must be taken early: once the wrong labels are memorised, they hide.",
        source="paul-et-al-2021",
        statistic=_fades,
        relation=">",
        threshold=3,
        threshold_text="times as often misled at the end of training as at the best moment",
        scale="log",
        null="shuffled labels",
    ),
    Claim(
        id="structured-sooner",
        statement="Mistakes that follow the look of the image get their foothold sooner than uniform ones.",
        source="rolnick-et-al-2017",
        statistic=_sooner,
        relation=">",
        threshold=1.25,
        threshold_text="times as many steps to a fifth of the corrupted labels under uniform noise",
        scale="log",
        null="blind reader",
    ),
    Claim(
        id="structured-hides",
        statement="Mistakes that follow the look of the image are harder to find than uniform ones.",
        source="wei-et-al-2022",
        statistic=_hides,
        relation=">",
        threshold=2,
        threshold_text="times as often misled as under uniform noise",
        scale="log",
        null="blind reader",
    ),
)
