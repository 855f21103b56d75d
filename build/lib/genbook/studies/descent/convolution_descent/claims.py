"""What is claimed of convolutional networks by their channels, and of one of them by its examples."""

from __future__ import annotations

import pandas as pd

from genbook.studies.descent.convolution_descent.design import ConvolutionDescentSpec
from genbook.studies.descent.shared import (
    CHOSEN,
    at_equal_memory,
    error_height,
    half_error_step,
    half_ratio_step,
    last_over_left,
    loss_factor,
    order_along,
)
from genbook.tables.statistics import claim, difference, order, ratio


def by_channels(table: pd.DataFrame) -> pd.DataFrame:
    """The networks that learn from the whole training set."""
    return table[table["examples"] == table["examples"].max()]


def by_examples(table: pd.DataFrame, spec: ConvolutionDescentSpec) -> pd.DataFrame:
    """The network that learns from smaller sets too."""
    return table[table["channels"] == spec.critical]


@difference(f"of test error above both sides; {CHOSEN}", continuity=half_error_step)
def _height(table: pd.DataFrame, spec: ConvolutionDescentSpec) -> pd.Series:
    return error_height(by_channels(table), "channels")


@ratio(f"times the test loss on the higher side; {CHOSEN}")
def _loss_height(table: pd.DataFrame, spec: ConvolutionDescentSpec) -> pd.Series:
    return loss_factor(by_channels(table), "channels")


@ratio("times the test error of the best network below the peak", continuity=half_ratio_step)
def _widest_over_narrow(table: pd.DataFrame, spec: ConvolutionDescentSpec) -> pd.Series:
    return last_over_left(by_channels(table), "channels")


@order(
    "(Kendall's τ of channels and test error, mean over fractions of wrong labels memorised)",
    ranked=lambda table, spec: len(spec.channels),
)
def _channels_order_at_equal_memory(table: pd.DataFrame, spec: ConvolutionDescentSpec) -> pd.Series:
    read = at_equal_memory(by_channels(table), "test accuracy", "channels")
    return order_along("channels", table["seed"].unique(), -read)


@difference(f"of test error above both sides; {CHOSEN}", continuity=half_error_step)
def _height_by_examples(table: pd.DataFrame, spec: ConvolutionDescentSpec) -> pd.Series:
    return error_height(by_examples(table, spec), "examples")


CLAIMS = (
    claim(
        "channels-peak",
        "With partly wrong labels the test error of a convolutional network falls, rises and falls again as its "
        "channels grow in number.",
        "greydanus-kobak-2024",
        _height,
        above=0.02,
        origin="paper",
        control="no noise",
        reported="19.6 % at 10 channels, 33.8 % at 18, 27.7 % at 100 (one run).",
        note="Three times the learning rate for a third of the steps, and 1,000 test signals; chosen on the first "
        "seed, on which 150 epochs at the original rate ended before the peak was passed.",
    ),
    claim(
        "channels-peak-in-loss",
        "With partly wrong labels the test loss of a convolutional network falls, rises and falls again as its "
        "channels grow in number.",
        "greydanus-kobak-2024",
        _loss_height,
        above=1.25,
        origin="consequence",
        control="no noise",
    ),
    claim(
        "narrow-beats-wide",
        "The convolutional network with the most channels does not come back to the test error of the best one "
        "with few.",
        "greydanus-kobak-2024",
        _widest_over_narrow,
        above=1.1,
        origin="consequence",
        control="no noise",
        note="It is so in the published run. Belkin et al. (2019) expect the second descent to go below the first.",
    ),
    claim(
        "channels-at-equal-memory",
        "Where equally many of the wrong labels are memorised, the network with more channels has the lower test "
        "error.",
        "chatterjee-zielinski-2022",
        _channels_order_at_equal_memory,
        below=-0.8,
        origin="ours",
        control="shuffled labels",
    ),
    claim(
        "more-signals-hurt",
        "For the convolutional network at the peak there is a range of sizes of the training set in which more "
        "examples raise test error.",
        "nakkiran-et-al-2020",
        _height_by_examples,
        above=0.01,
        origin="paper",
        control="no noise",
        note="On the first seed the error fell throughout.",
    ),
)
