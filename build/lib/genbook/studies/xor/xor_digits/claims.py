"""What is claimed of pairs of images, as statistics of the study's table."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from genbook.studies.xor import shared
from genbook.studies.xor.shared import CHANCE
from genbook.studies.xor.xor_digits.spec import XorDigitsSpec
from genbook.tables.statistics import claim, difference, fraction, half_example


def after(
    table: pd.DataFrame, quantity: str, step: int | None = None, canvas: int = 0, run: str = "two classes"
) -> pd.Series:
    """A quantity after ``step`` steps, or at the end, by seed; NaN where it was not measured."""
    return shared.after(table, quantity, step, canvas=canvas, run=run)


def _measured(quantity: str, step: int | None = None) -> Callable[..., pd.Series]:
    return lambda table, spec: after(table, quantity, step)


def _widest_less_bare(table: pd.DataFrame, spec: XorDigitsSpec, quantity: str, step: int | None = None) -> pd.Series:
    """A quantity with the largest canvas less that of bare images; NaN where there is no canvas."""
    bare, widest = (after(table, quantity, step, canvas) for canvas in (0, spec.canvas[-1]))
    return widest - bare if spec.canvas[-1] else bare * np.nan


def _half_pair(table: pd.DataFrame, spec: XorDigitsSpec) -> float:
    """Half of the step in which accuracies on fresh pairs are measured."""
    return half_example(spec.n_test)


def _half_trained(table: pd.DataFrame, spec: XorDigitsSpec) -> float:
    """The same of all training pairs."""
    return half_example(spec.n_train)


def _half_flipped(table: pd.DataFrame, spec: XorDigitsSpec) -> float:
    """The same of the flipped training pairs, of which there are few."""
    return half_example(max(spec.flipped(), 2))


_FLIPPED, _FRESH = "of the flipped pairs", "of fresh pairs"
_XU = "xu-et-al-2024"
CLAIMS = (
    claim(
        "images-chance-after-one-step",
        "On pairs of images the network is near chance after one step.",
        _XU,
        fraction(_FRESH, _measured("test accuracy", 1), continuity=_half_pair),
        below=1.25 * CHANCE,
        control="separable",
    ),
    claim(
        "images-turn-later",
        "On pairs of images test accuracy rises in later steps.",
        _XU,
        difference(
            "more test accuracy at the end than after one step",
            lambda table, spec: after(table, "test accuracy") - after(table, "test accuracy", 1),
            continuity=_half_pair,
        ),
        above=0.2,
        control="separable",
    ),
    claim(
        "images-even-part-knows",
        "On pairs of images the even part alone knows the rule.",
        _XU,
        fraction(_FRESH, _measured("test accuracy, even part"), continuity=_half_pair),
        above=0.75,
        control="separable",
        note=(
            "The split is ours. It was compared with the linear part, which by symmetry is right on half of the pairs; "
            "the threshold is the same."
        ),
    ),
    claim(
        "images-fitted-in-one-step",
        "On pairs of images one step fits the wrong labels.",
        _XU,
        fraction(_FLIPPED, _measured("train accuracy, flipped", 1), continuity=_half_flipped),
        above=0.8,
        control="large init scale",
        note="The theory needs inputs that are nearly orthogonal; images of one class have much in common.",
    ),
    claim(
        "images-noise-fitted-in-the-end",
        "On pairs of images the wrong labels are fitted in the end.",
        _XU,
        fraction(_FLIPPED, _measured("train accuracy, flipped"), continuity=_half_flipped),
        above=0.8,
        control="few steps",
    ),
    claim(
        "canvas-brings-one-step-fit",
        "Next to a large canvas of noise, the same pairs are fitted in one step.",
        _XU,
        difference(
            "more training accuracy after one step than without a canvas",
            lambda table, spec: _widest_less_bare(table, spec, "train accuracy", 1),
            continuity=_half_trained,
        ),
        above=0.15,
        control="blank canvas",
    ),
    claim(
        "canvas-hides-the-rule",
        "Next to a large canvas of noise, overfitting pairs of images does harm.",
        _XU,
        difference(
            "less test accuracy at the end than without a canvas",
            lambda table, spec: -_widest_less_bare(table, spec, "test accuracy"),
            continuity=_half_pair,
        ),
        above=0.1,
        control="blank canvas",
    ),
)
