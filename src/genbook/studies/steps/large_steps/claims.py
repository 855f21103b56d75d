"""What is claimed of large steps on real data, as statistics of the study's table."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from genbook.base import stats
from genbook.base.claims import Claim
from genbook.studies.steps.large_steps.spec import LargeStepsSpec
from genbook.tables import tidy

_RUN = ["noise", "run", "rate"]


def paths(table: pd.DataFrame, quantity: str) -> dict[tuple, tuple[np.ndarray, np.ndarray]]:
    """Steps and values of a quantity along every run, by (noise, run, rate, seed)."""
    rows = tidy.select(table, quantity=quantity).sort_values("step", kind="stable")
    groups = rows.groupby([*_RUN, "seed"])[["step", "value"]]
    return {place: tuple(mine.to_numpy(float).T) for place, mine in groups}


def passings(table: pd.DataFrame, level: float) -> pd.Series:
    """Step at which each run's training loss falls below ``level`` for good.

    NaN where it does not (censored), and where it begins below (a decayed run that was measured too late to see it).
    Index noise, run, rate, seed. Between two looks it is interpolated, linear in the logarithms of loss and step. With
    large steps the loss jumps, and its first passing would be a lucky moment.
    """
    found = {place: passing(*path, level) for place, path in paths(table, "train loss").items()}
    return pd.Series(found, dtype=float).rename_axis([*_RUN, "seed"])


def passing(steps: np.ndarray, losses: np.ndarray, level: float) -> float:
    """The step at which a loss [n] that was seen at ``steps`` [n] falls below ``level`` for good; see `passings`."""
    above = np.flatnonzero(losses > level)
    if not len(above) or above[-1] == len(losses) - 1:
        return np.nan
    last = above[-1]
    # Backwards, since the loss falls and interpolation wants what grows.
    pair = slice(last + 1, last - 1 if last else None, -1)
    return float(np.expm1(np.interp(np.log(level), np.log(losses[pair]), np.log1p(steps[pair]))))


def at_loss(table: pd.DataFrame, quantity: str, level: float) -> pd.DataFrame:
    """A quantity where the training loss passes ``level``: rows seeds, columns (noise, run, rate)."""
    return _read_off(paths(table, "train loss"), paths(table, quantity), level)


def _read_off(losses: dict, values: dict, level: float) -> pd.DataFrame:
    found = {}
    for place, path in losses.items():
        step = passing(*path, level)
        steps, measured = values.get(place, ((), ()))
        known = len(steps) and np.isfinite(step)
        found[place] = np.interp(np.log1p(step), np.log1p(steps), measured) if known else np.nan
    return pd.Series(found, dtype=float).rename_axis([*_RUN, "seed"]).unstack(_RUN).sort_index(axis=1)


def against_loss(table: pd.DataFrame, quantity: str, noise: float, points: int = 12) -> pd.DataFrame:
    """A quantity read off at training losses that are even on a log scale: seed, run, rate, loss, value.

    A kind of run has rows only at losses that it passes with every seed.
    """
    mine = tidy.select(table, noise=noise)
    losses, values = paths(mine, "train loss"), paths(mine, quantity)
    every = np.concatenate([path[1] for path in losses.values()])
    parts = []
    for level in np.geomspace(every.max() / 1.5, max(every.min(), every.max() / 40), points):
        found = _read_off(losses, values, level)[noise].dropna(axis=1)
        if found.shape[1]:
            parts.append(found.stack(["run", "rate"]).rename("value").reset_index().assign(loss=level))
    return (
        pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["seed", "run", "rate", "value", "loss"])
    )


def rates(table: pd.DataFrame) -> list[float]:
    """The constant step sizes, in ascending order."""
    return sorted(tidy.select(table, run="constant")["rate"].unique())


def largest_that_trains(table: pd.DataFrame, spec: LargeStepsSpec, noise: float) -> float:
    """The largest step with which every seed comes down to the level: chosen by the training loss alone."""
    passed = passings(tidy.select(table, noise=noise, run="constant"), spec.loss_level)
    reached = passed.notna().groupby("rate").all()
    return max(reached.index[reached], default=rates(table)[0])


def compared(table: pd.DataFrame, spec: LargeStepsSpec, quantity: str, noise: float) -> pd.DataFrame:
    """A quantity at the level; rows seeds.

    Columns: ``large`` and ``small`` constant steps, ``decayed``, and ``undecayed``: the constant step that is nearest
    to the one with which the decayed run began.
    """
    found = at_loss(table, quantity, spec.loss_level)[noise]
    constant, first = found["constant"], spec.scale * spec.decay_from
    undecayed = constant[min(constant.columns, key=lambda rate: abs(np.log(rate / first)))]
    decayed = found["decayed"].iloc[:, 0] if "decayed" in found else pd.Series(np.nan, index=found.index)
    large, small = constant[largest_that_trains(table, spec, noise)], constant[rates(table)[0]]
    return pd.DataFrame({"large": large, "small": small, "decayed": decayed, "undecayed": undecayed})


def errors(table: pd.DataFrame, spec: LargeStepsSpec, noise: float) -> pd.DataFrame:
    """Test errors at the level, as in `compared`."""
    return 1 - compared(table, spec, "test accuracy", noise)


def by_step(table: pd.DataFrame, spec: LargeStepsSpec, noise: float) -> pd.DataFrame:
    """Test error at the level over that of the smallest step: columns seed, rate, value."""
    found = 1 - at_loss(table, "test accuracy", spec.loss_level)[noise]["constant"]
    ratio = found.div(found[rates(table)[0]], axis=0)
    return ratio.rename_axis(columns="rate").stack().rename("value").dropna().reset_index()


def ends(table: pd.DataFrame, spec: LargeStepsSpec) -> pd.DataFrame:
    """Sharpness, test accuracy and training loss at the end of every run that passed the level."""
    passed = passings(table, spec.loss_level).notna()
    last = tidy.last(table, [*_RUN, "seed", "quantity"]).unstack("quantity")
    return last.loc[passed.index[passed], ["sharpness", "test accuracy", "train loss"]].reset_index()


def at_level(table: pd.DataFrame, spec: LargeStepsSpec) -> pd.DataFrame:
    """Sharpness and test accuracy of every run where it passes the level."""
    columns = {q: at_loss(table, q, spec.loss_level).stack(_RUN) for q in ("sharpness", "test accuracy")}
    return pd.DataFrame(columns).dropna().reset_index()


def _tau(rows: pd.DataFrame) -> float:
    return stats.kendall_tau(rows["sharpness"], rows["test accuracy"]) if len(rows) > 1 else np.nan


def tau_at_end(table: pd.DataFrame, spec: LargeStepsSpec) -> pd.Series:
    """Kendall's τ of sharpness and test accuracy over all runs of a seed, at their ends."""
    taus = {seed: _tau(rows) for seed, rows in ends(table, spec).groupby("seed")}
    return pd.Series(taus, dtype=float).reindex(np.sort(table["seed"].unique()))


def tau_at_level(table: pd.DataFrame, spec: LargeStepsSpec) -> pd.Series:
    """The same at one training loss, for each fraction of wrong labels alone; their mean. NaN where none passes it."""
    taus = {key: _tau(rows) for key, rows in at_level(table, spec).groupby(["seed", "noise"])}
    means = pd.Series(taus, dtype=float).groupby(level=0).mean()
    return means.reindex(np.sort(table["seed"].unique()))


def within_step(table: pd.DataFrame, spec: LargeStepsSpec) -> float:
    """Pearson correlation of log sharpness and test accuracy over seeds within one step and noise, mean over these.

    NaN with fewer than three seeds: two points always lie on a line.
    """
    rows = at_level(table, spec).assign(sharpness=lambda found: np.log(found["sharpness"]))
    found = rows.groupby(_RUN).apply(lambda cell: cell["sharpness"].corr(cell["test accuracy"], min_periods=3))
    return float(found.mean()) if len(found) else np.nan


def _error_ratio(over: str, noise: int) -> Callable[[pd.DataFrame, LargeStepsSpec], pd.Series]:
    def statistic(table: pd.DataFrame, spec: LargeStepsSpec) -> pd.Series:
        found = errors(table, spec, spec.label_noise[noise])
        return found[over] / found["small"]

    return statistic


def _kept(table: pd.DataFrame, spec: LargeStepsSpec) -> pd.Series:
    """Geometric mean over shares of wrong labels."""
    logs = [np.log(_error_ratio("decayed", place)(table, spec)) for place in range(len(spec.label_noise))]
    return np.exp(sum(logs) / len(logs))


def _ratio(quantity: str, over: str, under: str) -> Callable[[pd.DataFrame, LargeStepsSpec], pd.Series]:
    def statistic(table: pd.DataFrame, spec: LargeStepsSpec) -> pd.Series:
        found = compared(table, spec, quantity, spec.label_noise[0])
        return found[over] / found[under]

    return statistic


CLAIMS = (
    Claim(
        id="large-steps-test-better",
        statement="At equal training loss the largest step that trains has a lower test error than the smallest.",
        source="andriushchenko-et-al-2023",
        statistic=_error_ratio("large", 0),
        relation="<",
        threshold=0.97,
        threshold_text="of the smallest step's test error",
        scale="log",
        null="nothing to learn",
    ),
    Claim(
        id="large-steps-resist-noise",
        statement="So it has where a part of the training labels is wrong.",
        source="li-et-al-2019",
        statistic=_error_ratio("large", -1),
        relation="<",
        threshold=0.97,
        threshold_text="of the smallest step's test error",
        scale="log",
        null="nothing to learn",
    ),
    Claim(
        id="gain-outlives-large-steps",
        statement="Begun with large steps and ended with small ones, a network keeps the lower test error.",
        source="li-et-al-2019",
        statistic=_kept,
        relation="<",
        threshold=0.97,
        threshold_text="of the smallest step's test error, mean over shares of wrong labels",
        scale="log",
        null="nothing to learn",
    ),
    Claim(
        id="large-steps-raise-coherence",
        statement="At equal training loss per-example gradients agree more while steps are large.",
        source="chatterjee-zielinski-2022",
        statistic=_ratio("m-coherence", "large", "small"),
        relation=">",
        threshold=3,
        threshold_text="times the smallest step's m-coherence",
        scale="log",
        null="one step size",
    ),
    Claim(
        id="coherence-goes-with-them",
        statement="The agreement is gone as soon as steps are small again.",
        source="mandt-et-al-2017",
        statistic=_ratio("m-coherence", "decayed", "undecayed"),
        relation="<",
        threshold=0.33,
        threshold_text="of the m-coherence with steps that stay as they began",
        scale="log",
        null="one step size",
    ),
    Claim(
        id="large-steps-flatter",
        statement="At equal training loss, large steps are at a flatter place.",
        source="wu-su-2023",
        statistic=_ratio("sharpness", "large", "small"),
        relation="<",
        threshold=0.5,
        threshold_text="of the smallest step's sharpness",
        scale="log",
        null="one step size",
    ),
    Claim(
        id="flat-end-tests-better",
        statement="Over all runs, those that end at a flatter place have the higher test accuracy.",
        source="keskar-et-al-2017",
        statistic=tau_at_end,
        relation="<",
        threshold=-0.4,
        threshold_text="(Kendall's τ of sharpness and test accuracy)",
        null="nothing to learn",
        note="Step size, share of wrong labels and the loss reached differ between the runs, and move both.",
    ),
    Claim(
        id="flat-at-equal-loss",
        statement="So it is among runs with the same labels at equal training loss.",
        source="keskar-et-al-2017",
        statistic=tau_at_level,
        relation="<",
        threshold=-0.5,
        threshold_text="(Kendall's τ of sharpness and test accuracy, mean over shares of wrong labels)",
        null="nothing to learn",
        note="What still differs is the step size, which moves both.",
    ),
)
