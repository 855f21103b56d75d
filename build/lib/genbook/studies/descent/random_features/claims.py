"""What is claimed of random features and the peak, as statistics of the study's table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from genbook.base import stats
from genbook.studies.descent.random_features.conditions import SITES
from genbook.studies.descent.random_features.spec import RandomFeaturesSpec
from genbook.studies.descent.shared import rise
from genbook.tables.readings import power
from genbook.tables.statistics import claim, identity, order, ratio, slope
from genbook.tables.tidy import select, wide

LEFT, PEAK, RIGHT = SITES
#: Steps from which the peak's growth is measured: before, the signal is still being learned.
GROWTH_FROM = 10_000
_SOURCE = "liu-flanigan-2023"
_RUN = ["group", "family", "setting", "steps"]
#: Groups of runs: what is done to the optimiser, and that with what changes the solution.
OPTIMISER, ALL = ("optimiser",), ("optimiser", "problem")


def curve(table: pd.DataFrame, quantity: str = "test loss", along: str = "width", **where: Any) -> pd.DataFrame:
    """A quantity along widths or samples, as fractions of n: rows seeds, columns fractions."""
    return wide(table, "seed", along, quantity=quantity, **where)


def base(table: pd.DataFrame, spec: RandomFeaturesSpec, steps: int | None = None) -> pd.DataFrame:
    """Test loss by width of the base after so many steps, the most by default: rows seeds, columns fractions."""
    return curve(table, family="steps", group="optimiser", steps=float(steps or spec.steps[-1]))


def tuned(table: pd.DataFrame, along: str) -> pd.DataFrame:
    """Test loss with the ridge tuned at each place along 'width' or 'samples': rows seeds, columns fractions."""
    return curve(table, along=along, group="tuned", family={"width": "widths", "samples": "samples"}[along])


def height(losses: pd.DataFrame) -> pd.Series:
    """Height of a peak: loss at the threshold over the larger of those at a quarter and at four times as much.

    Three places fixed beforehand: nothing is searched for, so a curve without a peak gives no more than 1.
    """
    return losses[PEAK] / losses[[LEFT, RIGHT]].max(axis=1)


def runs(table: pd.DataFrame) -> pd.DataFrame:
    """A row per seed and run with what may predict a peak, and the peak.

    Columns: ``training loss`` at the threshold, ``relative size`` (output size there over the larger of the sides'),
    ``peak``, ``loss``. Runs that stand twice, as the base of two families, are kept once.
    """
    rows = table[table["group"].isin(ALL) & table["width"].isin(SITES)]
    found = rows.pivot_table(index=["seed", *_RUN], columns=["quantity", "width"], values="value")
    out = pd.DataFrame(
        {
            "training loss": found["training loss"][PEAK],
            "relative size": height(found["output size"]),
            "peak": height(found["test loss"]),
            "loss": found["test loss"][PEAK],
        }
    ).reset_index()
    twice = out.assign(peak=out["peak"].round(9)).duplicated(["seed", "group", "peak"])
    return out[~twice].reset_index(drop=True)


def mean_runs(table: pd.DataFrame) -> pd.DataFrame:
    """The geometric means over seeds of `runs`, a row per run in the order of the design; a loss of zero is 1e-30."""
    found = runs(table)
    found["training loss"] = found["training loss"].clip(lower=1e-30)
    logs = np.log(found.set_index([*_RUN, "seed"]))
    return np.exp(logs.groupby(level=_RUN, sort=False).mean()).reset_index()


def peaks_of(table: pd.DataFrame, family: str) -> pd.DataFrame:
    """Height of the peak in each setting of one family, doubles included: rows seeds, columns settings."""
    rows = select(table, family=family, quantity="test loss")
    rows = rows[rows["width"].isin(SITES) & rows["group"].isin(ALL)]
    return height(rows.pivot(index=["seed", "setting"], columns="width", values="value")).unstack("setting")


def growth(table: pd.DataFrame, spec: RandomFeaturesSpec, against: str = "steps") -> pd.Series:
    """Slope of log test loss at the threshold against log steps, or log 'training loss', as they go on: one a seed."""
    steps = [count for count in spec.steps if count >= GROWTH_FROM] or list(spec.steps)
    rows = select(table, group="optimiser", family="steps", width=PEAK)
    losses, fitted = (curve(rows[rows["steps"].isin(steps)], name, "steps") for name in ("test loss", "training loss"))
    return power(losses, steps if against == "steps" else fitted)


def _ranked(table: pd.DataFrame, groups: tuple[str, ...]) -> pd.DataFrame:
    """The runs of these groups, those of the first seed."""
    kept = runs(table).query("group in @groups")
    return kept[kept["seed"] == kept["seed"].min()]


def agreement(table: pd.DataFrame, predictor: str, groups: tuple[str, ...]) -> pd.Series:
    """Kendall's τ over the runs of these groups between a predictor and the peak's height, one value per seed."""
    kept = runs(table).query("group in @groups")
    return pd.Series(
        {seed: stats.kendall_tau(rows[predictor], rows["peak"]) for seed, rows in kept.groupby("seed")}, dtype=float
    )


@ratio("times its height after the fewest steps")
def _growing(table: pd.DataFrame, spec: RandomFeaturesSpec) -> pd.Series:
    return height(base(table, spec)) / height(base(table, spec, spec.steps[0]))


@order("Kendall's τ over widths", ranked=lambda table, spec: len(spec.widths))
def _where(table: pd.DataFrame, spec: RandomFeaturesSpec) -> pd.Series:
    """Of the condition number and the test loss after the most steps."""
    numbers = curve(table, "condition number", setting=spec.base_map, group="features")
    losses = base(table, spec)
    return pd.Series({seed: stats.kendall_tau(numbers.loc[seed], losses.loc[seed]) for seed in losses.index})


@ratio("times the peak of unevenly scaled features, if standardised")
def _brake(table: pd.DataFrame, spec: RandomFeaturesSpec) -> pd.Series:
    peaks = peaks_of(table, "features")
    return peaks["standardised"] / peaks["uneven"]


_OF_SIDES = "times the larger loss at a quarter and at four times as many"
_OVER_RUNS = "Kendall's τ over runs"


@identity("log ratio of the sizes of the answers to new inputs")
def _private_is_ridge(table: pd.DataFrame, spec: RandomFeaturesSpec) -> pd.Series:
    """At each site, of the network with private features and of the ridge that is as strong."""
    sizes = {
        family: wide(table, "seed", "width", quantity="output size", group="problem", family=family, setting=setting)
        for family, setting in (("private features", "each its own"), ("ridge", f"{spec.private:g}"))
    }
    return np.log(sizes["private features"] / sizes["ridge"])[list(SITES)].stack()


_SHUFFLED = "whitened, untuned, shuffled"

CLAIMS = (
    claim(
        "peak-by-width",
        "Trained for long, random features test worst where there are as many of them as examples.",
        "belkin-et-al-2019",
        ratio(_OF_SIDES, lambda table, spec: height(base(table, spec))),
        above=2,
        origin="paper",
        control="ridge",
    ),
    claim(
        "peak-by-samples",
        "More examples can hurt: at a fixed width the test loss peaks where examples are as many.",
        "nakkiran-et-al-2020",
        ratio(_OF_SIDES, lambda table, spec: height(curve(table, along="samples", group="samples"))),
        above=2,
        origin="paper",
        control="ridge",
    ),
    claim(
        "not-reached-no-peak",
        "After the fewest gradient steps random features have no peak of the test loss: the optimiser has not got "
        "there.",
        _SOURCE,
        ratio(_OF_SIDES, lambda table, spec: height(base(table, spec, spec.steps[0]))),
        below=1.1,
        origin="paper",
        control=_SHUFFLED,
    ),
    claim(
        "peak-grows",
        "The peak of the test loss of random features grows with the number of gradient steps.",
        _SOURCE,
        _growing,
        above=3,
        origin="paper",
        control="few steps",
    ),
    claim(
        "grows-like-root",
        "At the threshold the test loss grows like the root of the steps, as in the linear theory.",
        "advani-et-al-2020",
        slope("is the log-log slope", growth),
        equals=0.5,
        within=0.15,
        origin="consequence",
        control="ridge",
    ),
    claim(
        "peak-where-ill-conditioned",
        "Over widths, the test loss after long training is high where the condition number is.",
        _SOURCE,
        _where,
        above=0.5,
        origin="paper",
        control="ridge",
    ),
    claim(
        "conditioning-brakes",
        "At the same number of steps, better conditioned features have the higher peak.",
        _SOURCE,
        _brake,
        above=2,
        origin="consequence",
        control="few steps",
    ),
    claim(
        "loss-predicts-peak",
        "Across what one may do to the optimiser, lower training loss at the threshold means a higher peak.",
        _SOURCE,
        order(
            _OVER_RUNS,
            lambda table, spec: agreement(table, "training loss", OPTIMISER),
            ranked=lambda table, spec: len(_ranked(table, OPTIMISER)),
        ),
        below=-0.6,
        origin="consequence",
        control=_SHUFFLED,
    ),
    claim(
        "inverse-to-training-loss",
        "As descent goes on, test loss at the threshold grows in inverse proportion to training loss.",
        "advani-et-al-2020",
        slope("is the log-log slope", lambda table, spec: growth(table, spec, "training loss")),
        equals=-1,
        within=0.2,
        origin="consequence",
        control="few steps",
        note="derived in this chapter from the paper's formula, after the discovery setting had been seen",
    ),
    claim(
        "private-is-ridge",
        "Low training loss is not enough: with a private feature for each example all is fitted, and new inputs are "
        "answered as ridge regression answers them.",
        "bartlett-et-al-2020",
        _private_is_ridge,
        equals=0,
        within=1e-6,
        origin="consequence",
        control=_SHUFFLED,
    ),
    claim(
        "tuned-ridge-more-features",
        "With the ridge tuned on validation examples, more features never hurt.",
        "simon-et-al-2024",
        ratio("largest factor by which more features raise the loss", lambda table, spec: rise(tuned(table, "width"))),
        below=1.1,
        origin="paper",
        control=_SHUFFLED,
    ),
    claim(
        "tuned-ridge-more-samples",
        "With the ridge tuned on validation examples, more training examples never hurt.",
        "simon-et-al-2024",
        ratio(
            "largest factor by which more examples raise the loss", lambda table, spec: rise(tuned(table, "samples"))
        ),
        below=1.1,
        origin="paper",
        control=_SHUFFLED,
    ),
)
