"""What is claimed of pairs of images, as statistics of the study's table."""

from __future__ import annotations

import numpy as np
import pandas as pd

from genbook.base.claims import Claim
from genbook.studies.xor.xor_digits.spec import XorDigitsSpec
from genbook.tables import tidy

CHANCE = 0.5


def course(table: pd.DataFrame, quantity: str, run: str = "two classes") -> pd.DataFrame:
    """A quantity along training: rows (seed, step), columns canvases."""
    return tidy.wide(table, ["seed", "step"], "canvas", run=run, quantity=quantity)


def after(table: pd.DataFrame, quantity: str, step: int | None = None, run: str = "two classes") -> pd.DataFrame:
    """A quantity after ``step`` steps, or at the end: rows seeds, columns canvases; NaN where it was not measured."""
    found = course(table, quantity, run)
    if found.empty:
        return pd.DataFrame(np.nan, index=table["seed"].unique(), columns=sorted(table["canvas"].unique()))
    return found.groupby("seed").last() if step is None else found.xs(step, level="step")


def _bare(quantity: str, step: int | None = None, over: float = 1.0):
    return lambda table, spec: after(table, quantity, step)[0] / over


def _gain(table: pd.DataFrame, spec: XorDigitsSpec) -> pd.Series:
    return after(table, "test accuracy")[0] - after(table, "test accuracy", 1)[0]


def _even_over_linear(table: pd.DataFrame, spec: XorDigitsSpec) -> pd.Series:
    return after(table, "test accuracy, even part")[0] - after(table, "test accuracy, linear part")[0]


def _canvas_fits(table: pd.DataFrame, spec: XorDigitsSpec) -> pd.Series:
    fitted = after(table, "train accuracy", 1)
    return fitted.iloc[:, -1] - fitted.iloc[:, 0]


def _canvas_hides(table: pd.DataFrame, spec: XorDigitsSpec) -> pd.Series:
    ends = after(table, "test accuracy")
    return ends.iloc[:, 0] - ends.iloc[:, -1]


CLAIMS = (
    Claim(
        id="images-chance-after-one-step",
        statement="On pairs of images, too, the network is at chance after one step.",
        source="xu-et-al-2024",
        statistic=_bare("test accuracy", 1, CHANCE),
        relation="<",
        threshold=1.25,
        threshold_text="times chance",
        scale="log",
        null="separable",
    ),
    Claim(
        id="images-turn-later",
        statement="On pairs of images test accuracy rises in later steps.",
        source="xu-et-al-2024",
        statistic=_gain,
        relation=">",
        threshold=0.2,
        threshold_text="more test accuracy at the end than after one step",
        null="separable",
    ),
    Claim(
        id="images-even-part-knows",
        statement="On pairs of images all that generalizes is in the even part.",
        source="xu-et-al-2024",
        statistic=_even_over_linear,
        relation=">",
        threshold=0.25,
        threshold_text="more test accuracy of the even part alone than of the linear part alone",
        null="separable",
        note="The split is ours.",
    ),
    Claim(
        id="images-fitted-in-one-step",
        statement="On pairs of images one step fits the wrong labels.",
        source="xu-et-al-2024",
        statistic=_bare("train accuracy, flipped", 1),
        relation=">",
        threshold=0.8,
        threshold_text="of the flipped pairs",
        scale="logit",
        continuity=0.05,
        null="large start",
        note="The theory needs inputs that are nearly orthogonal; images of one class have much in common.",
    ),
    Claim(
        id="images-noise-fitted-in-the-end",
        statement="On pairs of images the wrong labels are fitted in the end.",
        source="xu-et-al-2024",
        statistic=_bare("train accuracy, flipped"),
        relation=">",
        threshold=0.8,
        threshold_text="of the flipped pairs",
        scale="logit",
        continuity=0.05,
        null="few steps",
    ),
    Claim(
        id="canvas-brings-one-step-fit",
        statement="Beside a large canvas of noise, the same pairs are fitted in one step.",
        source="xu-et-al-2024",
        statistic=_canvas_fits,
        relation=">",
        threshold=0.15,
        threshold_text="more training accuracy after one step than without a canvas",
        null="blank canvas",
    ),
    Claim(
        id="canvas-hides-the-rule",
        statement="And the canvas makes overfitting harmful.",
        source="xu-et-al-2024",
        statistic=_canvas_hides,
        relation=">",
        threshold=0.1,
        threshold_text="less test accuracy at the end than without a canvas",
        null="blank canvas",
    ),
)
