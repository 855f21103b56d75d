"""What is claimed of random features and the peak, as statistics of the study's table."""

from __future__ import annotations

import numpy as np
import pandas as pd

from genbook.base import stats
from genbook.base.claims import Claim
from genbook.studies.descent.random_features.conditions import SITES
from genbook.studies.descent.random_features.spec import RandomFeaturesSpec
from genbook.tables.tidy import select

LEFT, PEAK, RIGHT = SITES
#: Steps from which the peak's growth is measured: before, the signal is still being learned.
GROWTH_FROM = 10_000
_SOURCE = "liu-flanigan-2023"
_RUN = ["group", "family", "setting", "steps"]


def curve(table: pd.DataFrame, quantity: str = "test loss", along: str = "width", **where: object) -> pd.DataFrame:
    """A quantity along widths or samples, as shares of n: rows seeds, columns shares."""
    rows = select(table, quantity=quantity, **where)
    return rows.pivot(index="seed", columns=along, values="value").sort_index()


def base(table: pd.DataFrame, spec: RandomFeaturesSpec, steps: int | None = None) -> pd.DataFrame:
    """Test loss by width of the base after so many steps, the most by default: rows seeds, columns shares."""
    return curve(table, family="steps", group="optimiser", steps=float(steps or spec.descent_steps[-1]))


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
    rows = table[table["group"].isin(("optimiser", "problem")) & table["width"].isin(SITES)]
    rows = rows[rows["quantity"].isin(("test loss", "training loss", "output size"))]
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


def rise(curves: pd.DataFrame) -> pd.Series:
    """Per seed, the largest factor by which a value exceeds one to its left: 1 where the curve only falls."""
    values = curves.to_numpy()
    return pd.Series((values / np.minimum.accumulate(values, axis=1)).max(axis=1), curves.index)


def growth(table: pd.DataFrame, spec: RandomFeaturesSpec) -> pd.Series:
    """Slope of log test loss at the threshold against log steps, one value per seed."""
    steps = [count for count in spec.descent_steps if count >= GROWTH_FROM] or list(spec.descent_steps)
    losses = pd.DataFrame({count: base(table, spec, count)[PEAK] for count in steps})
    if len(steps) < 2:
        return pd.Series(np.nan, losses.index)
    return pd.Series(np.polyfit(np.log(steps), np.log(losses.to_numpy().T), 1)[0], losses.index)


def inverse(table: pd.DataFrame, spec: RandomFeaturesSpec) -> pd.Series:
    """Slope of log test loss against log training loss at the threshold as steps go on, one value per seed."""
    steps = [count for count in spec.descent_steps if count >= GROWTH_FROM] or list(spec.descent_steps)
    where = {"group": "optimiser", "family": "steps", "width": PEAK}
    both = [curve(table[table["steps"].isin(steps)], name, "steps", **where) for name in ("training loss", "test loss")]
    fitted, lost = (np.log(values) for values in both)
    if len(steps) < 2:
        return pd.Series(np.nan, lost.index)
    return pd.Series({seed: np.polyfit(fitted.loc[seed], lost.loc[seed], 1)[0] for seed in lost.index})


def agreement(table: pd.DataFrame, predictor: str, groups: tuple[str, ...]) -> pd.Series:
    """Kendall's τ over the runs of these groups between a predictor and the peak's height, one value per seed."""
    kept = runs(table).query("group in @groups")
    return pd.Series(
        {seed: stats.kendall_tau(rows[predictor], rows["peak"]) for seed, rows in kept.groupby("seed")}, dtype=float
    )


def conditioning(table: pd.DataFrame, spec: RandomFeaturesSpec) -> pd.DataFrame:
    """Condition number of the base features by width: rows seeds, columns shares."""
    return curve(table, "condition number", setting=spec.base_map, group="features")


def _peak_by_width(table: pd.DataFrame, spec: RandomFeaturesSpec) -> pd.Series:
    return height(base(table, spec))


def _peak_by_samples(table: pd.DataFrame, spec: RandomFeaturesSpec) -> pd.Series:
    return height(curve(table, along="samples", group="samples"))


def _root(table: pd.DataFrame, spec: RandomFeaturesSpec) -> pd.Series:
    return (growth(table, spec) - 0.5).abs()


def _inverse(table: pd.DataFrame, spec: RandomFeaturesSpec) -> pd.Series:
    return (inverse(table, spec) + 1).abs()


def _growing(table: pd.DataFrame, spec: RandomFeaturesSpec) -> pd.Series:
    first, last = spec.descent_steps[0], spec.descent_steps[-1]
    return height(base(table, spec, last)) / height(base(table, spec, first))


def _early(table: pd.DataFrame, spec: RandomFeaturesSpec) -> pd.Series:
    return height(base(table, spec, spec.descent_steps[0]))


def _where(table: pd.DataFrame, spec: RandomFeaturesSpec) -> pd.Series:
    """Kendall's τ over widths of the condition number and the test loss after the most steps."""
    conditions, losses = conditioning(table, spec), base(table, spec)
    return pd.Series({seed: stats.kendall_tau(conditions.loc[seed], losses.loc[seed]) for seed in losses.index})


def of_features(table: pd.DataFrame, spec: RandomFeaturesSpec) -> pd.DataFrame:
    """Peak height by what was done to the features, at the same number of steps: rows seeds, columns maps."""
    rows = runs_of(table, "features")
    return rows.pivot(index="seed", columns="setting", values="peak")


def runs_of(table: pd.DataFrame, family: str) -> pd.DataFrame:
    """Peaks of one family, doubles included: columns seed, setting, steps, peak."""
    rows = select(table, family=family, quantity="test loss")
    rows = rows[rows["width"].isin(SITES) & rows["group"].isin(("optimiser", "problem"))]
    found = rows.pivot(index=["seed", "setting", "steps"], columns="width", values="value")
    return height(found).rename("peak").reset_index()


def _brake(table: pd.DataFrame, spec: RandomFeaturesSpec) -> pd.Series:
    peaks = of_features(table, spec)
    return peaks["standardised"] / peaks["uneven"]


def _adam(table: pd.DataFrame, spec: RandomFeaturesSpec) -> pd.Series:
    peaks = runs_of(table, "optimiser").pivot(index="seed", columns="setting", values="peak")
    return peaks["Adam 0.1"] / peaks["SGD"]


def _loss_predicts(table: pd.DataFrame, spec: RandomFeaturesSpec) -> pd.Series:
    return agreement(table, "training loss", ("optimiser",))


def _size_predicts(table: pd.DataFrame, spec: RandomFeaturesSpec) -> pd.Series:
    return agreement(table, "relative size", ("optimiser", "problem"))


def _equal_loss(table: pd.DataFrame, spec: RandomFeaturesSpec) -> pd.Series:
    """Peak of the network with private features; no value where it does not fit better than the longest descent."""
    kept = runs(table)
    private = kept[kept["family"] == "private features"].set_index("seed")
    longest = kept[(kept["family"] == "steps") & (kept["steps"] == spec.descent_steps[-1])].set_index("seed")
    fitted = private["training loss"] <= longest["training loss"].reindex(private.index)
    return private["peak"].where(fitted | (spec.tags == "shuffled"))


def tuned(table: pd.DataFrame, along: str) -> pd.DataFrame:
    """Test loss with the ridge tuned at each place along 'width' or 'samples': rows seeds, columns shares."""
    return curve(table, along=along, group="tuned", family={"width": "widths", "samples": "samples"}[along])


def _tuned_width(table: pd.DataFrame, spec: RandomFeaturesSpec) -> pd.Series:
    return rise(tuned(table, "width"))


def _tuned_samples(table: pd.DataFrame, spec: RandomFeaturesSpec) -> pd.Series:
    return rise(tuned(table, "samples"))


_OF_SIDES = "times the larger loss at a quarter and at four times as many"

CLAIMS = (
    Claim(
        id="peak-by-width",
        statement="Trained for long, random features test worst where there are as many of them as examples.",
        source="belkin-et-al-2019",
        statistic=_peak_by_width,
        relation=">",
        threshold=2,
        threshold_text=_OF_SIDES,
        scale="log",
        null="ridge",
    ),
    Claim(
        id="peak-by-samples",
        statement="More examples can hurt: at a fixed width the test loss peaks where examples are as many.",
        source="nakkiran-et-al-2020",
        statistic=_peak_by_samples,
        relation=">",
        threshold=2,
        threshold_text=_OF_SIDES,
        scale="log",
        null="ridge",
    ),
    Claim(
        id="not-reached-no-peak",
        statement="After the fewest steps there is no peak: the optimiser has not got there.",
        source=_SOURCE,
        statistic=_early,
        relation="<",
        threshold=1.1,
        threshold_text=_OF_SIDES,
        scale="log",
        null="whitened, untuned, shuffled",
    ),
    Claim(
        id="peak-grows",
        statement="The peak grows with the number of gradient steps.",
        source=_SOURCE,
        statistic=_growing,
        relation=">",
        threshold=3,
        threshold_text="times its height after the fewest steps",
        scale="log",
        null="few steps",
    ),
    Claim(
        id="grows-like-root",
        statement="At the threshold the test loss grows like the root of the steps, as in the linear theory.",
        source="advani-et-al-2020",
        statistic=_root,
        relation="<",
        threshold=0.15,
        threshold_text="distance of the log-log slope from 1/2",
        null="ridge",
    ),
    Claim(
        id="peak-where-ill-conditioned",
        statement="Over widths, the test loss after long training is high where the condition number is.",
        source=_SOURCE,
        statistic=_where,
        relation=">",
        threshold=0.5,
        threshold_text="Kendall's τ over widths",
        null="ridge",
    ),
    Claim(
        id="conditioning-brakes",
        statement="At the same number of steps, better conditioned features have the higher peak.",
        source=_SOURCE,
        statistic=_brake,
        relation=">",
        threshold=2,
        threshold_text="times the peak of unevenly scaled features, if standardised",
        scale="log",
        null="few steps",
    ),
    Claim(
        id="adam-goes-further",
        statement="In as many steps Adam raises a higher peak than stochastic gradient descent.",
        source=_SOURCE,
        statistic=_adam,
        relation=">",
        threshold=1.1,
        threshold_text="times the peak of SGD",
        scale="log",
        null="few steps",
    ),
    Claim(
        id="loss-predicts-peak",
        statement="Across what one may do to the optimiser, lower training loss at the threshold means a higher peak.",
        source=_SOURCE,
        statistic=_loss_predicts,
        relation="<",
        threshold=-0.6,
        threshold_text="Kendall's τ over runs",
        null="whitened, untuned, shuffled",
    ),
    Claim(
        id="inverse-to-training-loss",
        statement="As descent goes on, test loss at the threshold grows in inverse proportion to training loss.",
        source="advani-et-al-2020",
        statistic=_inverse,
        relation="<",
        threshold=0.2,
        threshold_text="distance of the log-log slope from −1",
        null="few steps",
        note="derived in this chapter from the paper's formula, after the main world had been seen",
    ),
    Claim(
        id="equal-loss-no-peak",
        statement="Low training loss is not enough: with a private feature per example all is fitted without a peak.",
        source="bartlett-et-al-2020",
        statistic=_equal_loss,
        relation="<",
        threshold=1.1,
        threshold_text=_OF_SIDES,
        scale="log",
        null="whitened, untuned, shuffled",
    ),
    Claim(
        id="size-predicts-peak",
        statement="The size of the answers to new inputs orders the peaks of all runs, those exceptions included.",
        source="belkin-et-al-2019",
        statistic=_size_predicts,
        relation=">",
        threshold=0.6,
        threshold_text="Kendall's τ over runs",
        null="whitened, untuned, shuffled",
    ),
    Claim(
        id="tuned-ridge-more-features",
        statement="With the ridge tuned on validation examples, more features never hurt.",
        source="simon-et-al-2024",
        statistic=_tuned_width,
        relation="<",
        threshold=1.1,
        threshold_text="largest factor by which more features raise the loss",
        scale="log",
        null="whitened, untuned, shuffled",
    ),
    Claim(
        id="tuned-ridge-more-samples",
        statement="With the ridge tuned on validation examples, more training examples never hurt.",
        source="simon-et-al-2024",
        statistic=_tuned_samples,
        relation="<",
        threshold=1.1,
        threshold_text="largest factor by which more examples raise the loss",
        scale="log",
        null="whitened, untuned, shuffled",
    ),
)
