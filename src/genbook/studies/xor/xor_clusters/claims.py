"""What is claimed of XOR clusters, as statistics of the study's table."""

from __future__ import annotations

import numpy as np
import pandas as pd

from genbook.base.claims import Claim
from genbook.studies.xor.xor_clusters.spec import XorClustersSpec
from genbook.tables import tidy

#: Two labels, equally frequent.
CHANCE = 0.5
#: Half-way from chance to a perfect classifier: where the turn is read off.
HALFWAY = 0.75


def course(table: pd.DataFrame, run: str, quantity: str, by: str | None = None) -> pd.DataFrame:
    """A quantity along training: rows (seed, step), columns the values of ``by`` (one column named after the run)."""
    rows = tidy.select(table, run=run, quantity=quantity)
    return rows.pivot(index=["seed", "step"], columns=by or "run", values="value").sort_index()


def after(table: pd.DataFrame, run: str, quantity: str, step: int | None = None) -> pd.Series:
    """A quantity after ``step`` steps, or at the end of the run, by seed; NaN where it was not measured."""
    found = course(table, run, quantity)
    if found.empty:
        return pd.Series(np.nan, index=pd.Index(table["seed"].unique(), name="seed"))
    values = found[run]
    return values.groupby("seed").last() if step is None else values.xs(step, level="step")


def final(table: pd.DataFrame, run: str, quantity: str, by: str) -> pd.DataFrame:
    """A quantity at the end of the runs: rows seeds, columns the values of ``by``."""
    return course(table, run, quantity, by).groupby("seed").last()


def crossing(x: np.ndarray, y: np.ndarray, level: float) -> float:
    """Where ``y`` first rises through ``level``, interpolated between neighbours; NaN where it does not."""
    above = np.flatnonzero(y >= level)
    if not len(above) or above[0] == 0:
        return np.nan
    pair = slice(above[0] - 1, above[0] + 1)
    return float(np.interp(level, y[pair], x[pair]))


def turns(table: pd.DataFrame, run: str, by: str) -> pd.DataFrame:
    """Steps until test accuracy is half-way from chance to perfect, NaN where it is not: rows seeds, columns ``by``."""
    found = course(table, run, "test accuracy", by)
    return found.groupby("seed").agg(lambda y: crossing(y.index.get_level_values("step").to_numpy(), y.values, HALFWAY))


def critical_strengths(table: pd.DataFrame) -> pd.DataFrame:
    """Length of the means at which test accuracy ends half-way, interpolated in its log: rows seeds, columns p."""
    rows = tidy.select(table, run="diagram", quantity="test accuracy")
    ends = rows.sort_values("step").groupby(["seed", "dimension", "strength"])["value"].last().unstack("strength")
    found = ends.apply(lambda y: np.exp(crossing(np.log(y.index.to_numpy()), y.to_numpy(), HALFWAY)), axis=1)
    return found.unstack("dimension") if len(found) else pd.DataFrame(index=pd.Index(table["seed"].unique()))


def diagram_turns(table: pd.DataFrame) -> pd.DataFrame:
    """Steps until test accuracy is half-way in the diagram, NaN where it is not: a row for each run."""
    rows = tidy.select(table, run="diagram", quantity="test accuracy").sort_values("step")
    return pd.DataFrame(
        [
            (*place, crossing(own["step"].to_numpy(), own["value"].to_numpy(), HALFWAY))
            for place, own in rows.groupby(["seed", "dimension", "strength"])
        ],
        columns=["seed", "dimension", "strength", "turn"],
    )


def exponent(table: pd.DataFrame) -> pd.Series:
    """Slope of the critical strength against dimension, both logarithmic, by seed; NaN from fewer than three."""

    def slope(row: pd.Series) -> float:
        row = row.dropna()
        return float(np.polyfit(np.log(row.index.astype(float)), np.log(row), 1)[0]) if len(row) > 2 else np.nan

    return critical_strengths(table).apply(slope, axis=1, result_type="reduce").astype(float)


def even_share_of_margin(table: pd.DataFrame, group: str) -> pd.Series:
    """Part of the final mean margin of clean or flipped examples that the even part of the network gives, by seed."""
    linear, even = (after(table, "base", f"margin from the {part} part, {group}") for part in ("linear", "even"))
    return even / (linear + even)


def _after_one(quantity: str, over: float = 1.0):
    return lambda table, spec: after(table, "base", quantity, 1) / over


def _gain(table: pd.DataFrame, spec: XorClustersSpec) -> pd.Series:
    return after(table, "base", "test accuracy") - after(table, "base", "test accuracy", 1)


def _way(table: pd.DataFrame, spec: XorClustersSpec) -> pd.Series:
    """Share of the way from chance to perfect."""
    return (after(table, "base", "test accuracy") - CHANCE) / (1 - CHANCE)


def _even_over_linear(table: pd.DataFrame, spec: XorClustersSpec) -> pd.Series:
    even, linear = (after(table, "base", f"test accuracy, {part} part") for part in ("even", "linear"))
    return even - linear


def _harm(table: pd.DataFrame, spec: XorClustersSpec) -> pd.Series:
    return after(table, "weak", "test accuracy, even part") - after(table, "weak", "test accuracy")


def _lean(table: pd.DataFrame, spec: XorClustersSpec) -> pd.Series:
    return even_share_of_margin(table, "clean") - even_share_of_margin(table, "flipped")


def _off_quarter(table: pd.DataFrame, spec: XorClustersSpec) -> pd.Series:
    return (exponent(table) - 0.25).abs()


def _largest_step(table: pd.DataFrame, spec: XorClustersSpec) -> pd.Series:
    return final(table, "step size", "test accuracy", "margin").iloc[:, -1] / CHANCE


def _delay(table: pd.DataFrame, spec: XorClustersSpec) -> pd.Series:
    found = turns(table, "start", "start")
    return found.iloc[:, -1] / found.iloc[:, 0]


def _tilted(table: pd.DataFrame, spec: XorClustersSpec) -> pd.Series:
    ends = final(table, "tilt", "test accuracy", "tilt")
    return ends.iloc[:, 0] - ends.iloc[:, -1] if len(spec.tilts) > 1 else pd.Series(np.nan, table["seed"].unique())


def _aligned(table: pd.DataFrame, spec: XorClustersSpec) -> pd.Series:
    return after(table, "base", "cosine with own mean") / after(table, "base", "cosine with other mean")


def _opposed(table: pd.DataFrame, spec: XorClustersSpec) -> pd.Series:
    """Coherence within clean examples less that with flipped ones, mean over the measured steps after the first."""
    steps = [step for step in tidy.select(table, run="base")["step"].unique() if step > 1]
    within, between = (
        pd.concat([after(table, "base", f"coherence, {pair}", step) for step in steps], axis=1).mean(axis=1)
        for pair in ("clean", "clean with flipped")
    )
    return within - between


CLAIMS = (
    Claim(
        id="fitted-in-one-step",
        statement="One step of gradient descent fits the wrong labels of the training set.",
        source="xu-et-al-2024",
        statistic=_after_one("train accuracy, flipped"),
        relation=">",
        threshold=0.9,
        threshold_text="of the flipped examples",
        scale="logit",
        continuity=0.02,
        null="large start",
        reported="Training accuracy of 100 %, flipped labels included, after one step.",
    ),
    Claim(
        id="chance-after-one-step",
        statement="After that step the network is at chance on fresh points.",
        source="xu-et-al-2024",
        statistic=_after_one("test accuracy", CHANCE),
        relation="<",
        threshold=1.25,
        threshold_text="times chance",
        scale="log",
        null="separable",
        reported="Near-random test accuracy.",
    ),
    Claim(
        id="one-step-is-linear",
        statement="It then is the linear classifier (η/8n) Σ y_i x_i.",
        source="xu-et-al-2024",
        statistic=_after_one("likeness to the formula"),
        relation=">",
        threshold=0.8,
        threshold_text="squared cosine of outputs and formula on fresh points",
        scale="logit",
        null="large start",
        note="The paper says that the network is almost linear; the formula for many units is ours.",
    ),
    Claim(
        id="turns-later",
        statement="Test accuracy rises after the training set is fitted.",
        source="xu-et-al-2024",
        statistic=_gain,
        relation=">",
        threshold=0.25,
        threshold_text="more test accuracy at the end than after one step",
        null="separable",
    ),
    Claim(
        id="benign-in-the-end",
        statement="In the end the network is near-optimal on fresh points.",
        source="xu-et-al-2024",
        statistic=_way,
        relation=">",
        threshold=0.9,
        threshold_text="of the way from chance to perfect",
        null="by lot",
        reported="Near-optimal test accuracy.",
    ),
    Claim(
        id="noise-still-fitted",
        statement="And it still fits the wrong labels.",
        source="xu-et-al-2024",
        statistic=lambda table, spec: after(table, "base", "train accuracy, flipped"),
        relation=">",
        threshold=0.9,
        threshold_text="of the flipped examples",
        scale="logit",
        continuity=0.02,
        null="few dimensions",
        reported="Training accuracy of 100 %, flipped labels included.",
    ),
    Claim(
        id="even-part-knows",
        statement="All that generalizes is in the even part of the network; the linear part knows nothing of the rule.",
        source="xu-et-al-2024",
        statistic=_even_over_linear,
        relation=">",
        threshold=0.35,
        threshold_text="more test accuracy of the even part alone than of the linear part alone",
        null="separable",
        note="The split is ours.",
    ),
    Claim(
        id="linear-part-harms",
        statement="Where overfitting harms, it is the linear part that does: without it the rule is known.",
        source="xu-et-al-2024",
        statistic=_harm,
        relation=">",
        threshold=0.05,
        threshold_text="more test accuracy of the even part alone than of the network, for weak clusters",
        null="separable",
        note="The split is ours.",
    ),
    Claim(
        id="flips-lean-on-linear",
        statement="Wrong labels are fitted by the linear part more than right ones are.",
        source="xu-et-al-2024",
        statistic=_lean,
        relation=">",
        threshold=0.05,
        threshold_text="more of the clean than of the flipped examples' margin from the even part",
        null="by lot",
        note="The split is ours.",
    ),
    Claim(
        id="fourth-root",
        statement="The strength from which overfitting is benign grows like the fourth root of the dimension.",
        source="xu-et-al-2024",
        statistic=_off_quarter,
        relation="<",
        threshold=0.1,
        threshold_text="distance of the exponent from 1/4",
        null="noise of one length",
        note="The estimate is ours; the paper gives conditions that suffice.",
    ),
    Claim(
        id="large-step-freezes",
        statement="With a very large step the network stays the linear classifier of its first step.",
        source="xu-et-al-2024",
        statistic=_largest_step,
        relation="<",
        threshold=1.25,
        threshold_text="times chance at the end",
        scale="log",
        null="separable",
        note="A question of ours to the paper's network.",
    ),
    Claim(
        id="larger-start-delays",
        statement="A larger start does not remove the delay but prolongs it.",
        source="xu-et-al-2024",
        statistic=_delay,
        relation=">",
        threshold=8,
        threshold_text="times as many steps until test accuracy is half-way",
        scale="log",
        null="separable",
        note="A question of ours: in the paper the start vanishes beside the first step.",
    ),
    Claim(
        id="unequal-counts-harm",
        statement="What opposite clusters differ by in number stays in the linear part and does harm.",
        source="xu-et-al-2024",
        statistic=_tilted,
        relation=">",
        threshold=0.1,
        threshold_text="less test accuracy with the most unequal counts than with equal ones",
        null="separable",
        note="A question of ours: the paper draws clusters by lot, for an n at which their counts hardly differ.",
    ),
    Claim(
        id="units-align",
        statement="Units turn to the cluster means of their own sign.",
        source="xu-et-al-2024",
        statistic=_aligned,
        relation=">",
        threshold=3,
        threshold_text="times the mean cosine with the other mean",
        scale="log",
        null="by lot",
    ),
    Claim(
        id="clean-oppose-flipped",
        statement="After the first step clean gradients agree with each other and oppose flipped ones.",
        source="chatterjee-zielinski-2022",
        statistic=_opposed,
        relation=">",
        threshold=0.03,
        threshold_text="coherence within less that between, in units of ‖μ‖²/‖x‖²",
        null="by lot",
    ),
)
