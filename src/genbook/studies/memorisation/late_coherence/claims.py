"""What is claimed of the late coherence of random labels."""

from __future__ import annotations

import numpy as np
import pandas as pd

from genbook.studies.memorisation.late_coherence.spec import LateCoherenceSpec
from genbook.studies.memorisation.shared import ANNEALED, annealed, annealed_against_loss
from genbook.tables.readings import at_loss, complete, curve, final, geometric_mean, power, rows
from genbook.tables.statistics import claim, ratio, slope


def going_on(table: pd.DataFrame, spec: LateCoherenceSpec, phase: str) -> pd.DataFrame:
    """m-coherence in a phase, of the plain learning rate, with its ``time``, steps times learning rate: tidy rows."""
    found = rows(table, quantity="m-coherence", phase=phase, factor=1.0)
    return found.assign(time=found["step"] * spec.learning_rate_of(phase))


def late(table: pd.DataFrame, given: str = "random") -> pd.DataFrame:
    """Geometric mean over time of m-coherence where training goes on as before: rows seeds, columns factors."""
    values = curve(table, "m-coherence", "factor", phase="as before", given=given)
    return complete(geometric_mean(values, ["seed", "factor"]).unstack("factor"), table, "factor")


def stopped(table: pd.DataFrame, quantity: str, given: str = "random", removed: int = 0) -> pd.DataFrame:
    """A quantity where the networks were stopped: rows seeds, columns factors."""
    return complete(final(table, quantity, "factor", given=given, removed=removed), table, "factor")


def annealing(table: pd.DataFrame, spec: LateCoherenceSpec, given: str = "random") -> pd.DataFrame:
    """m-coherence and loss before and after a short time of small steps, one row per seed.

    Columns ``before``, ``after``, ``loss before``, ``loss after``; NaN for what had diverged.
    """
    columns = {}
    for quantity, prefix in (("m-coherence", ""), ("train loss", "loss ")):
        values = curve(table, quantity, phase="small steps", given=given).unstack("step")
        time = values.columns * spec.small_learning_rate
        read = {seed: np.interp(ANNEALED * spec.time, time, row) for seed, row in values.iterrows()}
        columns[f"{prefix}before"] = values.iloc[:, 0] if read else np.nan
        columns[f"{prefix}after"] = pd.Series(read, dtype=float)
    return pd.DataFrame(columns, index=np.sort(table["seed"].unique()))


def annealed_ratio(table: pd.DataFrame, spec: LateCoherenceSpec) -> pd.Series:
    """Real over random m-coherence, both in small steps, at the loss at which random labels are annealed; by seed.

    Real labels fall through this loss on their way; where they begin below it, their first annealed value is taken, as
    the two need not pass a range of losses in common.
    """
    random, courses = annealing(table, spec), annealed_against_loss(table, spec, "given")
    real = courses[courses.index.get_level_values("given") == "real"]
    at_equal_loss = {
        seed: at_loss(course, random.loc[[seed], "loss after"].to_numpy()).iloc[0]
        for seed, course in real.groupby("seed")
        if seed in random.index
    }
    return pd.Series(at_equal_loss, dtype=float) / random["after"]


def speed_ratio(table: pd.DataFrame, spec: LateCoherenceSpec) -> pd.Series:
    """How much faster real labels' loss falls than random ones', in small steps at the loss of `annealed_ratio`."""
    loss = annealed(table, spec, "train loss", "given", "small steps")
    at = annealing(table, spec)["loss after"]
    speeds = pd.DataFrame(np.nan, at.index, ["real", "random"])
    for (seed, given), mine in loss.groupby(level=["seed", "given"]):
        time = mine.index.get_level_values("step") * spec.small_learning_rate
        falling = pd.DataFrame({"loss": mine, "value": -np.gradient(mine, time) if len(mine) > 1 else np.nan})
        falling = falling[falling["value"] > 0]
        if len(falling):
            speeds.loc[seed, given] = at_loss(falling, at.loc[[seed]].to_numpy()).iloc[0]
    return speeds["real"] / speeds["random"]


def projected(table: pd.DataFrame, given: str) -> pd.Series:
    """m-coherence without the sharp directions over m-coherence with them, where the networks were stopped; by seed.

    The geometric mean over the learning rates from the plain one up: one step of an oscillation says little.
    """
    without, whole = (stopped(table, "m-coherence", given, removed) for removed in (table["removed"].max(), 0))
    logs = np.log(without / whole)
    return np.exp(logs[[factor for factor in logs.columns if factor >= 1]].mean(axis=1))


@slope("(the power of the learning rate with which it grows)")
def _growth(table: pd.DataFrame, spec: LateCoherenceSpec) -> pd.Series:
    """Power of the learning rate with which late coherence grows, up to the plain one.

    Larger ones reach the edge of stability, where sharpness itself depends on the learning rate. NaN for one alone.
    """
    values = late(table)
    small = [factor for factor in values.columns if factor <= 1]
    return power(values[small] if len(small) > 1 else values)


@ratio("times the prediction")
def _over_prediction(table: pd.DataFrame, spec: LateCoherenceSpec) -> pd.Series:
    return late(table)[1.0] / stopped(table, "predicted m-coherence")[1.0]


@ratio("of the m-coherence is left")
def _left_by_small_steps(table: pd.DataFrame, spec: LateCoherenceSpec) -> pd.Series:
    both = annealing(table, spec)
    return both["after"] / both["before"]


CLAIMS = (
    claim(
        "late-rise-needs-large-steps",
        "The late coherence of random labels grows with the learning rate.",
        "chatterjee-zielinski-2020",
        _growth,
        above=0.5,
        control="labels kept",
        origin="ours",
        note="The paper takes the rise for a common pattern; the question whether it is one is ours.",
    ),
    claim(
        "small-steps-anneal-random",
        "A few small steps on all examples take the late coherence of random labels away.",
        "chatterjee-zielinski-2020",
        _left_by_small_steps,
        below=1 / 3,
        control="labels kept",
        origin="ours",
        note="m-coherence vanishes wherever the mean gradient does: in the floor of a valley of the loss for any "
        "labels.",
    ),
    claim(
        "sharp-directions-carry-random",
        "What random labels agree on late lies in the sharpest directions of the loss.",
        "chatterjee-zielinski-2020",
        ratio("of the m-coherence is left without these directions", lambda table, spec: projected(table, "random")),
        below=0.5,
        control="labels kept",
        origin="ours",
    ),
    claim(
        "real-pattern-lies-elsewhere",
        "What real labels agree on lies outside the sharpest directions.",
        "chatterjee-zielinski-2022",
        ratio("times the m-coherence is left without these directions", lambda table, spec: projected(table, "real")),
        above=1.5,
        control="shuffled labels",
        origin="ours",
    ),
    claim(
        "noise-explains-late-rise",
        "The noise of small batches in sharp directions gives the size of the late coherence.",
        "mandt-et-al-2017",
        _over_prediction,
        equals=1,
        within=2.5,
        control="labels kept",
        origin="consequence",
        note="The stationary variance is theirs, for small steps; finite steps and what follows for coherence are "
        "ours.",
    ),
    claim(
        "annealed-real-above-random",
        "Without the oscillation, at equal training loss, real labels stand far above random ones.",
        "chatterjee-zielinski-2022",
        ratio("times the m-coherence of random labels", annealed_ratio),
        above=5,
        control="shuffled labels",
        origin="ours",
        note="In small steps random labels lie near the floor of a valley: this compares how far both are from it.",
    ),
    claim(
        "coherence-beyond-speed",
        "Without the oscillation, at equal training loss and equal speed of training, gradients agree more on real "
        "labels: those of single examples are shorter.",
        "chatterjee-zielinski-2022",
        ratio(
            "times the m-coherence of random labels, after division by how much faster the loss falls",
            lambda table, spec: annealed_ratio(table, spec) / speed_ratio(table, spec),
        ),
        above=2,
        control="shuffled labels",
        origin="ours",
        note="What is left is the mean squared gradient of random labels over that of real ones. The threshold was "
        "chosen after the first seeds' value, about 4.5, had been seen.",
    ),
)
