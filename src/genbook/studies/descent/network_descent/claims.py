"""What is claimed of networks that grow in width, as statistics of the study's table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from genbook.studies.descent.network_descent.design import NetworkDescentSpec
from genbook.studies.descent.shared import (
    CHOSEN,
    at_equal_memory,
    end_error,
    error_height,
    error_place,
    half_error_step,
    half_ratio_step,
    last_over_left,
    loss_factor,
    order_along,
    stopped_height,
)
from genbook.tables import peaks
from genbook.tables.readings import against_loss, curve, final, first_crossing, geometric_mean
from genbook.tables.statistics import claim, difference, half_rung, order, ratio

#: Training error at which a network counts as interpolating.
FITTED = 0.01
#: Part of the initial training loss below which networks are compared at equal training loss, and at how many losses.
LEARNED, LEVELS = 0.4, 16


def threshold(table: pd.DataFrame) -> pd.Series:
    """The interpolation threshold of each seed: the smallest width that fits its training labels; NaN if none does."""
    return first_crossing(end_error(table, "width", "train"), FITTED, rising=False)


def at_equal_loss(table: pd.DataFrame, quantity: str, **where: Any) -> pd.Series:
    """A positive quantity read off at training losses on the way down: index (seed, loss, width).

    The losses are even on a log scale, from `LEARNED` of the initial loss to the lowest that any network reaches. A
    network has no value at a loss that it does not reach (`genbook.tables.readings.against_loss`).
    """
    loss = curve(table, "train loss", "width")
    both = pd.concat({"loss": loss, "value": curve(table, quantity, "width", **where)}, axis=1).dropna()
    levels = np.geomspace(LEARNED * loss.xs(0, level="step").mean(), loss.min(), LEVELS)
    read = against_loss(both.droplevel("step"), losses=levels)
    return read.set_index(["seed", "loss", "width"])["value"].sort_index()


def coherence_of_groups(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """m-coherence at equal numbers of clean and of corrupted examples: tidy rows (seed, width, value) by group.

    Its geometric mean over the training losses of `at_equal_loss` that half of the widths, and three, reach for all
    seeds; a group that was not measured is left out.
    """
    reached = at_equal_loss(table, "train loss").unstack("seed").dropna().groupby(level="loss").size()
    common = reached[reached >= max(3, table["width"].nunique() // 2)].index
    found = {}
    for group in ("clean", "corrupted"):
        if group in set(table["group"]):
            read = at_equal_loss(table, "m-coherence at equal size", group=group)
            read = read[read.index.get_level_values("loss").isin(common)]
            found[group] = geometric_mean(read, ["seed", "width"]).rename("value").reset_index()
    return {group: rows for group, rows in found.items() if len(rows)}


def _norm_factor(table: pd.DataFrame, spec: NetworkDescentSpec) -> pd.Series:
    """By which factor the weights' norm at the end of training is higher at its peak than at the flanks."""
    return np.exp(peaks.left_out(np.log(final(table, "weight norm", "width")))["height"])


@difference(f"of test error above both sides; {CHOSEN}", continuity=half_error_step)
def _height(table: pd.DataFrame, spec: NetworkDescentSpec) -> pd.Series:
    return error_height(table, "width")


@ratio("the width at which training error falls below 1 %", continuity=lambda table, spec: half_rung(spec.widths))
def _from_threshold(table: pd.DataFrame, spec: NetworkDescentSpec) -> pd.Series:
    """Width of the peak of the test error over that of the interpolation threshold."""
    return error_place(table, "width") / threshold(table)


@ratio("times the test error of the best network below the peak", continuity=half_ratio_step)
def _widest_over_narrow(table: pd.DataFrame, spec: NetworkDescentSpec) -> pd.Series:
    """Test error of the widest network over that of the narrow one that is best, below the peak.

    Which one that is, is chosen on the other seeds and the other half of the test set.
    """
    return last_over_left(table, "width")


@difference("of test error that the peak is lower", continuity=half_error_step)
def _end_less_stopped(table: pd.DataFrame, spec: NetworkDescentSpec) -> pd.Series:
    """The peak's height at the end less that of the same networks stopped early, each looked for by itself."""
    return error_height(table, "width") - stopped_height(table, "width")


@order(
    "(Kendall's τ of width and test error, mean over fractions of wrong labels memorised)",
    ranked=lambda table, spec: len(spec.widths),
)
def _width_orders_at_equal_memory(table: pd.DataFrame, spec: NetworkDescentSpec) -> pd.Series:
    return order_along("width", table["seed"].unique(), -at_equal_memory(table, "test accuracy", "width"))


@order("(Kendall's τ of width and test error, mean over training losses)", ranked=lambda table, spec: len(spec.widths))
def _width_orders(table: pd.DataFrame, spec: NetworkDescentSpec) -> pd.Series:
    return order_along("width", table["seed"].unique(), -at_equal_loss(table, "test accuracy"))


@order(
    "(Kendall's τ of m-coherence and test accuracy, mean over training losses)",
    ranked=lambda table, spec: len(spec.widths),
)
def _coherence_orders(table: pd.DataFrame, spec: NetworkDescentSpec) -> pd.Series:
    accuracy = at_equal_loss(table, "test accuracy")
    return order_along("width", table["seed"].unique(), at_equal_loss(table, "m-coherence"), accuracy)


CLAIMS = (
    claim(
        "width-peak",
        "With partly wrong labels the test error falls, rises and falls again as the network grows wider.",
        "nakkiran-et-al-2020",
        _height,
        above=0.02,
        origin="paper",
        control="weight decay",
        note="One run of the code that belongs to MNIST-1D: 50.1 % at 16 units a layer, 55.8 % at 47, 45.9 % at 300.",
    ),
    claim(
        "width-peak-in-loss",
        "With partly wrong labels the test loss falls, rises and falls again as the network grows wider, more "
        "strongly than the error.",
        "nakkiran-et-al-2020",
        ratio(f"times the test loss on the higher side; {CHOSEN}", lambda table, spec: loss_factor(table, "width")),
        above=1.5,
        origin="consequence",
        control="no noise",
    ),
    claim(
        "peak-at-threshold",
        "The test error peaks where networks just become wide enough to fit their training labels.",
        "nakkiran-et-al-2020",
        _from_threshold,
        equals=1,
        within=1.5,
        origin="paper",
        control="no noise",
    ),
    claim(
        "wide-beats-narrow",
        "The widest network, which fits every wrong label, has a lower test error than the best narrow one.",
        "belkin-et-al-2019",
        _widest_over_narrow,
        below=0.95,
        origin="paper",
        control="shuffled labels",
    ),
    claim(
        "stopping-levels-peak",
        "Stopped early, networks of all widths have no peak of the test error, or a much lower one.",
        "nakkiran-et-al-2020",
        _end_less_stopped,
        above=0.02,
        origin="paper",
        control="no noise",
    ),
    claim(
        "wider-at-equal-loss",
        "At equal training loss the wider network has the lower test error: there is no peak.",
        "chatterjee-zielinski-2022",
        _width_orders,
        below=-0.8,
        origin="ours",
        control="shuffled labels, wide",
        note="The authors leave it open. Networks that never reach a loss are not compared at it: see the next claim.",
    ),
    claim(
        "wider-at-equal-memory",
        "Where equally many of the wrong labels are memorised, the wider network has the lower test error.",
        "chatterjee-zielinski-2022",
        _width_orders_at_equal_memory,
        below=-0.8,
        origin="ours",
        control="shuffled labels",
    ),
    claim(
        "coherence-orders-widths",
        "At equal training loss, the network whose gradients are more coherent has the lower test error.",
        "chatterjee-zielinski-2022",
        _coherence_orders,
        above=0.3,
        origin="ours",
        control="shuffled labels, wide",
        note="What a continuous account by coherence would need; the authors ask for one and do not state this.",
    ),
    claim(
        "norm-peaks",
        "The norm of the weights peaks with the width as well.",
        "belkin-et-al-2019",
        ratio("times the norm on the higher side; the place is chosen on the other seeds", _norm_factor),
        above=1.1,
        origin="consequence",
        control="no noise",
        note="The paper shows it for random features; here it is a network's.",
    ),
)
