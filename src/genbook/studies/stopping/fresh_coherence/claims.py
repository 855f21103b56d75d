"""What is claimed of coherence with fresh examples: each reading is compared with examples that it has not seen."""

from __future__ import annotations

import numpy as np
import pandas as pd

from genbook.base import stats
from genbook.studies.stopping.fresh_coherence.design import CORRUPTED, MINIBATCHES, SMALL, FreshCoherenceSpec
from genbook.tables import readings
from genbook.tables.readings import interpolated_crossing
from genbook.tables.statistics import claim, difference, fraction, ratio

#: Parts of the initial training loss between which widths are compared: learning, and before any of them turns.
RANGE = (readings.LEARNING_STARTS, 0.65)
ACCURACY = "test accuracy on true labels"
_LEVELS = 12  # losses in that range
#: A turn is where a parabola through the measured steps within this factor of the extreme one has its vertex.
_NEAR = 1.6


def curves(table: pd.DataFrame, quantity: str, descent: str = SMALL, **where: str) -> pd.DataFrame:
    """A quantity over the steps of one descent: rows (seed, width), columns steps."""
    found = readings.curve(table[table["descent"] == descent], quantity, "width", **where)
    return found.unstack("step").dropna(axis=1, how="all")


def turns(values: pd.DataFrame) -> pd.Series:
    """The step at which each curve is lowest, between the measured ones; NaN where that is the first or last of them.

    Args:
        values: [networks, steps].
    """
    places = np.log1p(values.columns.to_numpy(float))
    return pd.Series([_vertex(places, row) for row in values.to_numpy()], values.index)


def _vertex(places: np.ndarray, row: np.ndarray) -> float:
    # Of an accuracy several steps are nearly as good, and which is best is an accident: its neighbours count too.
    smooth = pd.Series(row).rolling(3, center=True, min_periods=1).mean().to_numpy()
    if np.isnan(smooth).any():
        return np.nan
    lowest = int(smooth.argmin())
    near = np.abs(places - places[lowest]) <= np.log(_NEAR)
    if lowest in (0, len(row) - 1) or near.sum() < 3:
        return np.nan
    curvature, slope, _ = np.polyfit(places[near] - places[lowest], row[near], 2)
    vertex = places[lowest] - slope / (2 * curvature) if curvature > 0 else places[lowest]
    return float(np.expm1(np.clip(vertex, places[near].min(), places[near].max())))


def crossings(table: pd.DataFrame, descent: str = SMALL) -> pd.Series:
    """The step at which coherence with the held-out examples first comes down to zero, by (seed, width)."""
    return interpolated_crossing(curves(table, "fresh coherence", descent), 0, rising=False, first=True)


def loss_turns(table: pd.DataFrame, descent: str = SMALL, on: str = "test") -> pd.Series:
    """The step at which the loss on other examples is least, by (seed, width)."""
    return turns(curves(table, f"{on} loss", descent))


def error_turns(table: pd.DataFrame, descent: str = SMALL) -> pd.Series:
    """The step at which test accuracy, on true labels, is best, by (seed, width)."""
    return turns(-curves(table, ACCURACY, descent))


def at(values: pd.DataFrame, steps: pd.Series) -> pd.Series:
    """Each curve's value at a step of its own, between the measured ones."""
    places = np.log1p(values.columns.to_numpy(float))
    wanted = np.log1p(steps.reindex(values.index).to_numpy(float))
    read = [float(np.interp(where, places, row)) for where, row in zip(wanted, values.to_numpy(), strict=True)]
    return pd.Series(read, values.index)


def while_learning(table: pd.DataFrame, quantity: str, descent: str = SMALL) -> pd.DataFrame:
    """The mean of a quantity over the training losses of `RANGE`, the same for all: seeds in rows, widths in columns.

    NaN for a network that does not come so far.
    """
    loss, values = curves(table, "train loss", descent), curves(table, quantity, descent)
    found = []
    for network, course in loss.iterrows():
        falling = course.cummin()
        levels = np.geomspace(RANGE[0], RANGE[1], _LEVELS) * course.iloc[0]
        reached = falling.iloc[-1] <= levels[-1]
        back = slice(None, None, -1)  # interpolation wants what grows
        read = np.interp(np.log(levels), np.log(falling.to_numpy()[back]), values.loc[network].to_numpy()[back])
        found.append(read.mean() if reached else np.nan)
    return pd.Series(found, loss.index).unstack("width")


def best_accuracy(table: pd.DataFrame, descent: str = SMALL) -> pd.DataFrame:
    """The best test accuracy on true labels, over three neighbouring measured steps: rows seeds, columns widths."""
    best = curves(table, ACCURACY, descent).T.rolling(3, center=True, min_periods=1).mean().T.max(axis=1)
    return best.unstack("width")


def ordered(values: pd.DataFrame, accuracy: pd.DataFrame) -> pd.Series:
    """Kendall's τ between a quantity and accuracy over the widths, by seed; NaN where a width is missing."""
    return pd.Series(
        {
            seed: stats.kendall_tau(row.to_numpy(), accuracy.loc[seed].to_numpy()) if row.notna().all() else np.nan
            for seed, row in values.iterrows()
        }
    )


def order_of(table: pd.DataFrame, quantity: str, descent: str = SMALL) -> pd.Series:
    """Kendall's τ over the widths between a quantity while learning and the best accuracy later, by seed."""
    return ordered(while_learning(table, quantity, descent), best_accuracy(table, descent))


def scores(table: pd.DataFrame, score: str, descent: str = SMALL) -> pd.DataFrame:
    """AUC of one score over the steps: rows (seed, width), columns the steps at which it was measured."""
    return curves(table, f"AUC of {score}", descent, group=CORRUPTED)


def by_seed(values: pd.Series) -> pd.Series:
    """The mean over the widths, NaN where one of them is."""
    return values.groupby(level="seed").agg(lambda of_seed: of_seed.mean(skipna=False))


@ratio("times the step at which the other examples' loss turns; geometric mean over widths")
def _crossing_over_turn(table: pd.DataFrame, spec: FreshCoherenceSpec) -> pd.Series:
    return np.exp(by_seed(np.log(crossings(table) / loss_turns(table))))


@ratio("times the step at which test accuracy is best; geometric mean over widths")
def _crossing_over_error_turn(table: pd.DataFrame, spec: FreshCoherenceSpec) -> pd.Series:
    return np.exp(by_seed(np.log(crossings(table) / error_turns(table))))


@difference("of coherence with fresh examples where the test loss turns; mean over widths")
def _hidden(table: pd.DataFrame, spec: FreshCoherenceSpec) -> pd.Series:
    return by_seed(at(curves(table, "fresh coherence", MINIBATCHES), loss_turns(table, MINIBATCHES)))


def _half_rank_step(table: pd.DataFrame, spec: FreshCoherenceSpec) -> float:
    """Half of the step in which Kendall's τ of so many widths changes."""
    k = len(spec.widths)
    return 2 / (k * (k - 1))


@difference("of Kendall's τ more than with m-coherence, over widths", continuity=_half_rank_step)
def _fresh_tells_more(table: pd.DataFrame, spec: FreshCoherenceSpec) -> pd.Series:
    return order_of(table, "fresh coherence") - order_of(table, "m-coherence")


@fraction("of the pairs, before the first step; mean over widths")
def _known_at_start(table: pd.DataFrame, spec: FreshCoherenceSpec) -> pd.Series:
    return by_seed(scores(table, "fresh alignment").iloc[:, 0])


@difference("of AUC more than by alignment, where coherence crosses zero; mean over widths")
def _error_norm_tells_more(table: pd.DataFrame, spec: FreshCoherenceSpec) -> pd.Series:
    gained = scores(table, "EL2N") - scores(table, "fresh alignment")
    return by_seed(at(gained, crossings(table)))


CLAIMS = (
    claim(
        "turns-where-it-vanishes",
        "In small steps on all examples, coherence with fresh examples crosses zero where the loss on others turns.",
        "liu-jiang-bai-chen-wang-2020",
        _crossing_over_turn,
        origin="consequence",
        equals=1,
        within=1.25,
        control="shuffled fresh labels",
        note="For the fresh examples themselves it is an identity of gradient flow, and is not claimed.",
    ),
    claim(
        "error-turns-there",
        "In small steps on all examples, the test error on true labels is least at about the step at which "
        "coherence with fresh examples crosses zero.",
        "liu-jiang-bai-chen-wang-2020",
        _crossing_over_error_turn,
        origin="ours",
        equals=1,
        within=1.5,
        control="shuffled fresh labels",
    ),
    claim(
        "minibatches-hide-turn",
        "Measured at the iterates of minibatch descent, coherence with fresh examples is far from zero where the test "
        "loss turns.",
        "liu-jiang-bai-chen-wang-2020",
        _hidden,
        origin="ours",
        above=0.3,
        control="small steps throughout",
        note="The paper's ratio is an expectation over training sets and one step; here it is of one set, after many.",
    ),
    claim(
        "fresh-tells-more",
        "Early on, coherence with fresh examples foretells the order of the widths better than m-coherence does.",
        "liu-jiang-bai-chen-wang-2020",
        _fresh_tells_more,
        origin="ours",
        above=0.4,
        control="shuffled fresh labels",
        note="By about one exchange of neighbours among four widths; the threshold was a quarter of that until "
        "discovery, where the claim fails by either, and its control could not be told from it.",
    ),
    claim(
        "wrong-at-the-start",
        "Before the first step, wrong labels pull less along the mean gradient of fresh examples than right ones do.",
        "pruthi-et-al-2020",
        _known_at_start,
        origin="ours",
        above=0.6,
        control="shuffled tags",
        note="The paper adds up such products over training, for single test examples.",
    ),
    claim(
        "error-norm-tells-more",
        "Where coherence with fresh examples crosses zero, EL2N tells wrong labels better than alignment with "
        "fresh examples does.",
        "paul-et-al-2021",
        _error_norm_tells_more,
        origin="ours",
        above=0.1,
        control="shuffled tags",
    ),
)
