"""What is claimed of networks that grow in width, as statistics of the study's table."""

from __future__ import annotations

import numpy as np
import pandas as pd

from genbook.base import stats
from genbook.base.claims import Claim
from genbook.studies.descent.network_descent.spec import NetworkDescentSpec
from genbook.tables import peaks
from genbook.tables.tidy import last, series

#: Training error at which a network counts as interpolating.
FITTED = 0.01
#: Part of the initial training loss below which networks are compared at equal training loss, and how many losses.
LEARNED, LEVELS = 0.4, 16


def end(table: pd.DataFrame, quantity: str) -> pd.DataFrame:
    """A quantity at the end of training: rows seeds, columns widths."""
    return last(table, ["seed", "width"], quantity=quantity, group="all").unstack("width")


def end_error(table: pd.DataFrame, on: str = "test") -> pd.DataFrame:
    """Error at the end of training, on the test set or on the training labels as given: rows seeds, columns widths."""
    return 1 - end(table, f"{on} accuracy")


def stopped_error(table: pd.DataFrame) -> pd.DataFrame:
    """Test error of each network at the step that was best for the other seeds' networks of its width.

    Rows seeds, columns widths; NaN with one seed alone.
    """
    accuracy = series(table, ["width", "step", "seed"], quantity="test accuracy", group="all").unstack("seed")
    stopped = {}
    for width, own in accuracy.groupby(level="width"):
        for seed in own:
            others = own.drop(columns=seed).mean(axis=1)
            stopped[seed, width] = np.nan if others.isna().all() else 1 - own.loc[others.idxmax(), seed]
    return pd.Series(stopped).unstack()


def threshold(table: pd.DataFrame) -> pd.Series:
    """The interpolation threshold of each seed: the smallest width that fits its training labels; NaN if none does."""
    fitted = end_error(table, "train") <= FITTED
    return fitted.idxmax(axis=1).astype(float).where(fitted.any(axis=1))


def _height(table: pd.DataFrame, spec: NetworkDescentSpec) -> pd.Series:
    return peaks.left_out(end_error(table))["height"]


def _log_height(table: pd.DataFrame, quantity: str) -> pd.Series:
    """By which factor a positive quantity at the end of training is higher at its peak than at the flanks."""
    return np.exp(peaks.left_out(np.log(end(table, quantity)))["height"])


def _loss_height(table: pd.DataFrame, spec: NetworkDescentSpec) -> pd.Series:
    return _log_height(table, "test loss")


def _norm_height(table: pd.DataFrame, spec: NetworkDescentSpec) -> pd.Series:
    return _log_height(table, "weight norm")


def _from_threshold(table: pd.DataFrame, spec: NetworkDescentSpec) -> pd.Series:
    """By which factor, up or down, the peak of the test error lies from the interpolation threshold."""
    return np.exp(np.log(peaks.left_out(end_error(table))["peak"] / threshold(table)).abs())


def _at_places(curves: pd.DataFrame, chosen: pd.Series) -> pd.Series:
    """Each seed's value at the place that was chosen for it; NaN where none was."""
    return pd.Series(
        {seed: curves.loc[seed, place] if place in curves else np.nan for seed, place in chosen.items()}, dtype=float
    )


def _widest_over_narrow(table: pd.DataFrame, spec: NetworkDescentSpec) -> pd.Series:
    """Test error of the widest network over that of the narrow one that is best, below the peak, for other seeds."""
    errors = end_error(table)
    return errors.iloc[:, -1] / _at_places(errors, peaks.left_out(errors)["left"])


def _end_less_stopped(table: pd.DataFrame, spec: NetworkDescentSpec) -> pd.Series:
    """The peak's height at the end less that of the same networks stopped early, each looked for by itself."""
    return _height(table, spec) - peaks.left_out(stopped_error(table))["height"]


def at_equal_loss(table: pd.DataFrame, quantity: str, group: str = "all") -> pd.Series:
    """A quantity read off at training losses on the way down: index (seed, loss, width).

    The losses are even on a log scale, from `LEARNED` of the initial loss to the lowest that any network reaches. A
    network has no value at a loss that it does not reach. Between two measurements both are interpolated, the loss on
    the log scale.
    """
    loss = series(table, ["seed", "width", "step"], quantity="train loss", group="all")
    values = series(table, ["seed", "width", "step"], quantity=quantity, group=group)
    levels = np.geomspace(LEARNED * loss.xs(0, level="step").mean(), loss.min(), LEVELS)
    rows = {}
    for (seed, width), own in loss.groupby(level=["seed", "width"]):
        both = pd.concat({"loss": own, "value": values}, axis=1, join="inner").dropna()
        lowest = np.log(both["loss"].cummin().to_numpy())
        first = np.flatnonzero(np.diff(lowest, prepend=np.inf) < 0)  # where the loss is lower than ever before
        reached = levels[levels >= np.exp(lowest[-1])] if len(lowest) else []
        for level in reached:
            rows[seed, level, width] = np.interp(-np.log(level), -lowest[first], both["value"].to_numpy()[first])
    return pd.Series(rows, dtype=float).rename_axis(["seed", "loss", "width"])


def _order(values: pd.Series, other: pd.Series | None = None) -> pd.Series:
    """Kendall's τ between widths (or ``other``) and values at equal loss, averaged over losses that four reach."""
    taus: dict = {}
    for (seed, _), own in values.groupby(level=["seed", "loss"]):
        if len(own) >= 4:
            against = own.index.get_level_values("width") if other is None else other[own.index]
            taus.setdefault(seed, []).append(stats.kendall_tau(np.asarray(against, dtype=float), own))
    found = {seed: float(np.mean(of_seed)) for seed, of_seed in taus.items()}
    return pd.Series({seed: found.get(seed, np.nan) for seed in values.index.unique("seed")})


def _width_orders(table: pd.DataFrame, spec: NetworkDescentSpec) -> pd.Series:
    return _order(-at_equal_loss(table, "test accuracy"))


def _coherence_orders(table: pd.DataFrame, spec: NetworkDescentSpec) -> pd.Series:
    return _order(at_equal_loss(table, "m-coherence"), at_equal_loss(table, "test accuracy"))


def _sharper_at_peak(table: pd.DataFrame, spec: NetworkDescentSpec) -> pd.Series:
    """Sharpness at the end: at the width of the peak, chosen on the other seeds, over that of the widest network."""
    sharpness = end(table, "sharpness")
    return _at_places(sharpness, peaks.left_out(end_error(table))["peak"]) / sharpness.iloc[:, -1]


CLAIMS = (
    Claim(
        id="width-peak",
        statement="With partly wrong labels the test error falls, rises and falls again as the network grows wider.",
        source="nakkiran-et-al-2020",
        statistic=_height,
        relation=">",
        threshold=0.02,
        threshold_text="of test error above both sides; the place is chosen on the other seeds",
        null="weight decay",
        note="One run of the code that belongs to MNIST-1D: 50.1 % at 16 units a layer, 55.8 % at 47, 45.9 % at 300.",
    ),
    Claim(
        id="width-peak-in-loss",
        statement="So does the test loss, and more strongly.",
        source="nakkiran-et-al-2020",
        statistic=_loss_height,
        relation=">",
        threshold=1.5,
        threshold_text="times the test loss on the higher side",
        scale="log",
        null="no noise",
    ),
    Claim(
        id="peak-at-threshold",
        statement="The test error peaks where networks just become wide enough to fit their training labels.",
        source="nakkiran-et-al-2020",
        statistic=_from_threshold,
        relation="<",
        threshold=1.5,
        threshold_text="times the width, or that part of it, at which training error falls below 1 %",
        scale="log",
        null="no noise",
    ),
    Claim(
        id="wide-beats-narrow",
        statement="The widest network, which fits every wrong label, has a lower test error than the best narrow one.",
        source="belkin-et-al-2019",
        statistic=_widest_over_narrow,
        relation="<",
        threshold=0.95,
        threshold_text="times the test error of the best network below the peak",
        scale="log",
        null="shuffled labels",
    ),
    Claim(
        id="stopping-levels-peak",
        statement="Stopped early, the same networks have no peak, or a much lower one.",
        source="nakkiran-et-al-2020",
        statistic=_end_less_stopped,
        relation=">",
        threshold=0.02,
        threshold_text="of test error that the peak is lower",
        null="no noise",
    ),
    Claim(
        id="wider-at-equal-loss",
        statement="At equal training loss the wider network has the lower test error: there is no peak.",
        source="chatterjee-zielinski-2022",
        statistic=_width_orders,
        relation="<",
        threshold=-0.8,
        threshold_text="(Kendall's τ of width and test error, mean over training losses)",
        null="shuffled labels",
        note="Our answer to the question that the authors leave open, not a statement of theirs.",
    ),
    Claim(
        id="coherence-orders-widths",
        statement="At equal training loss, the network whose gradients are more coherent has the lower test error.",
        source="chatterjee-zielinski-2022",
        statistic=_coherence_orders,
        relation=">",
        threshold=0.3,
        threshold_text="(Kendall's τ of m-coherence and test accuracy, mean over training losses)",
        null="shuffled labels",
        note="What a continuous account by coherence would need; the authors ask for one and do not state this.",
    ),
    Claim(
        id="norm-peaks",
        statement="The norm of the weights peaks with the width as well.",
        source="belkin-et-al-2019",
        statistic=_norm_height,
        relation=">",
        threshold=1.1,
        threshold_text="times the norm on the higher side",
        scale="log",
        null="no noise",
        note="The paper shows it for random features; here it is a network's.",
    ),
    Claim(
        id="sharper-at-peak",
        statement="Where the test error peaks, training ends in a far sharper place than in the widest network.",
        source="belkin-et-al-2019",
        statistic=_sharper_at_peak,
        relation=">",
        threshold=3,
        threshold_text="times the largest curvature of the widest network's training loss",
        scale="log",
        null="no noise",
    ),
)
