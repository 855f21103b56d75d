"""What is claimed of large learning rates on real data."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from genbook.base import stats
from genbook.studies.steps.large_steps.design import DECAYED, LargeStepsSpec
from genbook.tables import readings, tidy
from genbook.tables.statistics import Statistic, claim, order, ratio

_RUN = ["noise", "run", "learning rate"]
_NETWORK = ["seed", *_RUN]


def curves(table: pd.DataFrame, quantity: str) -> pd.Series:
    """A quantity along every training, of decayed networks from the decay on: by seed, noise, run, rate and step."""
    phases = [readings.curve(table, quantity, *_RUN, phase=phase) for phase in ("training", DECAYED)]
    return pd.concat(phases).sort_index()


def crossing_steps(table: pd.DataFrame, spec: LargeStepsSpec) -> pd.Series:
    """Where each network's training loss falls below the level for good (see `readings.crossing_step`), NaN if never.

    NaN too where it begins below: a decayed network that was measured too late to see it.
    """
    return readings.crossing_step(curves(table, "train loss"), spec.loss_level)


def uncrossed(table: pd.DataFrame, spec: LargeStepsSpec) -> pd.Series:
    """How many networks do not come down to the level, by noise, run and rate: those of which there are any."""
    steps = crossing_steps(table, spec)
    return steps[steps.isna()].groupby(_RUN).size()


def at_level(table: pd.DataFrame, spec: LargeStepsSpec, quantity: str) -> pd.Series:
    """A quantity where the training loss crosses the level, by seed, noise, run and rate."""
    return readings.at_crossing(curves(table, quantity), curves(table, "train loss"), spec.loss_level)


def against_loss(table: pd.DataFrame, quantity: str, noise: float, points: int = 12) -> pd.DataFrame:
    """A quantity read off at training losses that are even on a log scale: seed, run, learning rate, loss, value.

    A kind of network has rows only at losses that it crosses with every seed, and where the value is known.
    """
    own = tidy.select(table, noise=noise)
    losses, values = curves(own, "train loss"), curves(own, quantity)
    levels = np.geomspace(losses.max() / 1.5, max(losses.min(), losses.max() / 40), points)
    read = {level: readings.at_crossing(values, losses, level).unstack(_RUN).dropna(axis=1) for level in levels}
    found = pd.concat(read, names=["loss"])
    return found.stack(_RUN).rename("value").dropna().reset_index().drop(columns="noise")


def learning_rates(table: pd.DataFrame) -> list[float]:
    """The constant learning rates, in ascending order."""
    return sorted(tidy.select(table, run="constant")["learning rate"].unique())


def largest_that_trains(table: pd.DataFrame, spec: LargeStepsSpec, noise: float) -> float:
    """The largest rate at which every seed comes down to the level: chosen by the training loss alone."""
    crossed = crossing_steps(tidy.select(table, noise=noise, run="constant"), spec)
    reached = crossed.notna().groupby("learning rate").all()
    return max(reached.index[reached], default=learning_rates(table)[0])


def compared(table: pd.DataFrame, spec: LargeStepsSpec, quantity: str, noise: float) -> pd.DataFrame:
    """A quantity at the level; rows seeds.

    Columns: ``large`` and ``small`` constant learning rates, ``decayed``, and ``undecayed``: the constant rate that is
    nearest to the one with which the decayed network began.
    """
    found = at_level(table, spec, quantity).xs(noise, level="noise").unstack(["run", "learning rate"])
    constant, first = found["constant"], spec.scale * spec.decay_from
    undecayed = constant[min(constant.columns, key=lambda rate: abs(np.log(rate / first)))]
    decayed = found[DECAYED].iloc[:, 0] if DECAYED in found else pd.Series(np.nan, index=found.index)
    large, small = constant[largest_that_trains(table, spec, noise)], constant[learning_rates(table)[0]]
    return pd.DataFrame({"large": large, "small": small, "decayed": decayed, "undecayed": undecayed})


def errors(table: pd.DataFrame, spec: LargeStepsSpec, noise: float) -> pd.DataFrame:
    """Test errors at the level, as in `compared`."""
    return 1 - compared(table, spec, "test accuracy", noise)


def error_ratio(table: pd.DataFrame, spec: LargeStepsSpec, noise: float) -> pd.Series:
    """Test error at the level, of the largest rate that trains over the smallest: by seed; empty without such noise."""
    if noise not in spec.noise_levels:
        return pd.Series(dtype=float)
    found = errors(table, spec, noise)
    return found["large"] / found["small"]


def error_ratio_at_end(table: pd.DataFrame, spec: LargeStepsSpec, noise: float) -> pd.Series:
    """The same at the end of either training, where the larger rate has come down further."""
    if noise not in spec.noise_levels:
        return pd.Series(dtype=float)
    found = tidy.select(ends(table, spec), noise=noise, run="constant")
    error = 1 - found.pivot(index="seed", columns="learning rate", values="test accuracy")
    error = error.reindex(columns=learning_rates(table))
    return error[largest_that_trains(table, spec, noise)] / error.iloc[:, 0]


def errors_by_rate(table: pd.DataFrame, spec: LargeStepsSpec, noise: float) -> pd.DataFrame:
    """Test error at the level over the smallest rate's: seed, learning rate (over the largest that trains), value.

    How far networks can be pushed differs between data sets, and so the rates are given as parts of what trains.
    """
    if noise not in spec.noise_levels:
        return pd.DataFrame(columns=["seed", "learning rate", "value"])
    error = 1 - at_level(table, spec, "test accuracy").xs((noise, "constant"), level=("noise", "run"))
    error = error.unstack("learning rate")
    smallest, largest = learning_rates(table)[0], largest_that_trains(table, spec, noise)
    relative = error.div(error[smallest], axis=0).drop(columns=smallest)
    return tidy.long(relative.rename(columns=lambda rate: rate / largest), "learning rate")


def effect(table: pd.DataFrame, spec: LargeStepsSpec, noise: float) -> Literal["helps", "harms", "neither", "unknown"]:
    """What the largest rate that trains does to the test error at the level, if these seeds can tell."""
    ratios = error_ratio(table, spec, noise).dropna()
    if len(ratios) < 2:
        return "unknown"
    interval = stats.t_interval(ratios.to_numpy(), scale="log")
    return "helps" if interval.high < 1 else "harms" if interval.low > 1 else "neither"


def ends(table: pd.DataFrame, spec: LargeStepsSpec) -> pd.DataFrame:
    """Sharpness, test accuracy and training loss at the end of every training that crossed the level."""
    crossed = crossing_steps(table, spec).notna()
    quantities = ("sharpness", "test accuracy", "train loss")
    last = pd.DataFrame({name: curves(table, name).groupby(level=_NETWORK).last() for name in quantities})
    return last.loc[crossed.index[crossed]].reset_index()


def flatness_at_level(table: pd.DataFrame, spec: LargeStepsSpec) -> pd.DataFrame:
    """Sharpness and test accuracy of every network where it crosses the level."""
    read = {quantity: at_level(table, spec, quantity) for quantity in ("sharpness", "test accuracy")}
    return pd.DataFrame(read).dropna().reset_index()


def _tau(rows: pd.DataFrame) -> float:
    return stats.kendall_tau(rows["sharpness"], rows["test accuracy"]) if len(rows) > 1 else np.nan


def _of_all_seeds(values: pd.Series, table: pd.DataFrame) -> pd.Series:
    return values.reindex(np.sort(table["seed"].unique()))


@order(
    "(Kendall's τ of sharpness and test accuracy)",
    ranked=lambda table, spec: len(learning_rates(table)) * len(spec.noise_levels),
)
def tau_at_end(table: pd.DataFrame, spec: LargeStepsSpec) -> pd.Series:
    """Kendall's τ of sharpness and test accuracy over all networks of a seed, at their ends."""
    taus = {seed: _tau(rows) for seed, rows in ends(table, spec).groupby("seed")}
    return _of_all_seeds(pd.Series(taus, dtype=float), table)


@order(
    "(Kendall's τ of sharpness and test accuracy, mean over fractions of wrong labels)",
    ranked=lambda table, spec: len(learning_rates(table)),
)
def tau_at_level(table: pd.DataFrame, spec: LargeStepsSpec) -> pd.Series:
    """The same at one training loss, for each fraction of wrong labels alone; their mean. NaN where none crosses it."""
    taus = {key: _tau(rows) for key, rows in flatness_at_level(table, spec).groupby(["seed", "noise"])}
    return _of_all_seeds(pd.Series(taus, dtype=float).groupby(level=0).mean(), table)


def within_rate(table: pd.DataFrame, spec: LargeStepsSpec) -> float:
    """Pearson correlation of log sharpness and test accuracy over seeds within one rate and noise, mean over these.

    NaN with fewer than three seeds: two points always lie on a line.
    """
    rows = flatness_at_level(table, spec).assign(sharpness=lambda found: np.log(found["sharpness"]))
    found = rows.groupby(_RUN).apply(lambda cell: cell["sharpness"].corr(cell["test accuracy"], min_periods=3))
    return float(found.mean()) if len(found) else np.nan


@ratio("of the smallest learning rate's test error, mean over fractions of wrong labels")
def _kept(table: pd.DataFrame, spec: LargeStepsSpec) -> pd.Series:
    """Test error of decayed networks over the smallest rate's, geometric mean over fractions of wrong labels."""
    found = [errors(table, spec, noise) for noise in spec.noise_levels]
    return np.exp(sum(np.log(error["decayed"] / error["small"]) for error in found) / len(found))


def _smaller_error(place: int) -> Statistic:
    """Of the noise level at this place."""
    return ratio(
        "of the smallest learning rate's test error",
        lambda table, spec: error_ratio(table, spec, spec.noise_levels[place]),
    )


def _at_first_noise(quantity: str, over: str, under: str, words: str) -> Statistic:
    def divided(table: pd.DataFrame, spec: LargeStepsSpec) -> pd.Series:
        found = compared(table, spec, quantity, spec.noise_levels[0])
        return found[over] / found[under]

    return ratio(words, divided)


CLAIMS = (
    claim(
        "large-steps-test-better",
        "At equal training loss the largest learning rate that trains has a lower test error than the smallest.",
        "andriushchenko-et-al-2023",
        _smaller_error(0),
        below=0.97,
        control="nothing to learn",
        origin="consequence",
        note="Three errors fewer in a hundred is about what a seed makes of one network on Fashion-MNIST: with less, "
        "nobody who trains once would notice the learning rate.",
    ),
    claim(
        "large-steps-resist-noise",
        "Where a part of the training labels is wrong, the largest learning rate that trains has a lower test "
        "error than the smallest at equal training loss.",
        "li-et-al-2019",
        _smaller_error(-1),
        below=0.97,
        control="nothing to learn",
        origin="ours",
        note="That paper has no wrong labels. Threshold as for `large-steps-test-better`.",
    ),
    claim(
        "gain-outlives-large-steps",
        "Begun with a large learning rate and ended with a small one, a network keeps the lower test error.",
        "li-et-al-2019",
        _kept,
        below=0.97,
        control="nothing to learn",
        origin="paper",
        note="As much as `large-steps-test-better` asks for: what is kept is to be worth what was gained.",
    ),
    claim(
        "large-steps-raise-coherence",
        "At equal training loss per-example gradients agree more while the learning rate is large.",
        "chatterjee-zielinski-2022",
        _at_first_noise("m-coherence", "large", "small", "times the smallest learning rate's m-coherence"),
        above=3,
        control="one learning rate",
        origin="ours",
        note="About what separates real from random labels in chapter two: a learning rate that moves coherence as far "
        "as the labels do has to be told beside it.",
    ),
    claim(
        "coherence-goes-with-them",
        "The agreement of gradients under a large learning rate is gone as soon as the rate is small again.",
        "mandt-et-al-2017",
        _at_first_noise(
            "m-coherence", "decayed", "undecayed", "of the m-coherence with a learning rate that stays as it began"
        ),
        below=0.33,
        control="one learning rate",
        origin="consequence",
        note="A third: what `large-steps-raise-coherence` asks for is undone. It was 1/3 before it was written as .33.",
    ),
    claim(
        "large-steps-flatter",
        "At equal training loss, networks trained with large learning rates are at a flatter place.",
        "wu-su-2023",
        _at_first_noise("sharpness", "large", "small", "of the smallest learning rate's sharpness"),
        below=0.5,
        control="one learning rate",
        origin="consequence",
        note="Half the sharpness is stable at twice the learning rate: the least by which rates are called apart here.",
    ),
    claim(
        "flat-end-tests-better",
        "Over all networks, those that end at a flatter place have the higher test accuracy.",
        "keskar-et-al-2017",
        tau_at_end,
        below=-0.4,
        control="nothing to learn",
        origin="consequence",
        note="In that paper batch sizes differ; here learning rate, wrong labels and loss do, and move both. At -.4 "
        "seven pairs of networks in ten are in the claimed order.",
    ),
    claim(
        "flat-at-equal-loss",
        "Among networks with the same labels at equal training loss, those at a flatter place have the higher "
        "test accuracy.",
        "keskar-et-al-2017",
        tau_at_level,
        below=-0.5,
        control="nothing to learn",
        origin="ours",
        note="What still differs is the learning rate, which moves both. At -.5 three pairs in four are in order: more "
        "is asked where less differs.",
    ),
)
