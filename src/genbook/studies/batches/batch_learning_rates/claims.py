"""What is claimed of the curvature of batches and of the learning rates that they bear."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from genbook.studies.batches.batch_learning_rates.spec import BatchLearningRatesSpec
from genbook.tables import readings, tidy
from genbook.tables.statistics import Statistic, claim, half_rung, ratio, slope

_SOURCE = "granziol-et-al-2022"
#: Up to this batch size powers are fitted: well below where the whole set is near.
SMALL = 16


def curvature(table: pd.DataFrame, quantity: str) -> pd.DataFrame:
    """What was measured of batches: rows seeds, columns batch sizes, the whole set last where it was measured there."""
    return tidy.wide(table, "seed", "batch size", run="curvature", quantity=quantity)


def against_whole(table: pd.DataFrame, quantity: str, place: int = 1) -> pd.Series:
    """An eigenvalue of batches, of the second of the sizes by default, over that of the whole set."""
    values = curvature(table, quantity)
    return values.iloc[:, place] / values.iloc[:, -1]


def excess(table: pd.DataFrame) -> pd.DataFrame:
    """By how much the largest eigenvalue of batches exceeds that of the whole set: rows seeds, columns sizes."""
    values = curvature(table, "largest eigenvalue")
    return values.iloc[:, :-1].sub(values.iloc[:, -1], axis=0)


def predicted(table: pd.DataFrame, noise: str = "noise along") -> pd.DataFrame:
    """What perturbation theory says of this excess: the noise's mean square in a row, over the largest eigenvalue."""
    return curvature(table, noise).div(curvature(table, "largest eigenvalue").iloc[:, -1], axis=0)


def smaller(sizes: pd.Index, spec: BatchLearningRatesSpec) -> np.ndarray:
    """1/B - 1/N: the variance of a mean over B of N examples drawn without replacement goes with it."""
    return 1 / sizes.to_numpy(dtype=float) - 1 / spec.n_train


@slope("the power of 1/B − 1/N with which it grows")
def excess_power(table: pd.DataFrame, spec: BatchLearningRatesSpec) -> pd.Series:
    """The power with which the excess follows the variance of a batch's mean."""
    found = excess(table)
    return readings.power(found, smaller(found.columns, spec))


@ratio("times what is measured, over all batch sizes")
def prediction(table: pd.DataFrame, spec: BatchLearningRatesSpec) -> pd.Series:
    """Predicted over measured excess, the geometric mean over batch sizes."""
    found = excess(table)
    return np.exp(np.log(predicted(table) / found.where(found > 0)).mean(axis=1, skipna=False))


@ratio("times that in an average direction")
def concentration(table: pd.DataFrame, spec: BatchLearningRatesSpec) -> pd.Series:
    """The noise along the measured direction over that in an average one, the geometric mean over batch sizes."""
    both = curvature(table, "noise along") / curvature(table, "noise on average")
    return readings.geometric_mean(both.T)


def largest_stable(
    table: pd.DataFrame, spec: BatchLearningRatesSpec, optimiser: str, below: float | None = None
) -> pd.DataFrame:
    """The largest stable learning rate: rows seeds, columns batch sizes, the whole set last.

    From the rate that ends with the smallest loss up to the first whose loss is not below the tolerated multiple of
    the loss before, or not ``below`` a loss. NaN where every rate above it is stable (censored), or none is at all.
    """
    before = curvature(table, "train loss").iloc[:, -1]
    ran = readings.rows(table, run=optimiser, quantity="train loss")
    tried = np.array(spec.tried(optimiser))
    # Rates are told by a logarithm, whose last bit is another one on the processor that made the table.
    ends = tidy.wide(ran, ["seed", "batch size"], "learning rate").reindex(
        columns=tried, method="nearest", tolerance=1e-9 * tried
    )
    found = {}
    for (seed, size), losses in ends.iterrows():
        stable = losses < (spec.tolerated * before[seed] if below is None else below)  # what diverged has no loss
        best = losses.argmin() if losses.notna().any() else 0
        failed = np.flatnonzero(~stable.to_numpy()[best:])
        found[seed, size] = losses.index[best + failed[0] - 1] if len(failed) and failed[0] else np.nan
    rates = pd.Series(found, dtype=float).rename_axis(index=["seed", "batch size"]).unstack("batch size")
    return rates.reindex(index=before.index)


def _small(sizes: Sequence[int]) -> list[int]:
    """The batch sizes over which powers are fitted: up to `SMALL`, and at least the first two."""
    return [size for size in sizes if size <= max(SMALL, *sizes[:2])]


def growth(rates: pd.DataFrame) -> pd.Series:
    """The power of the batch size with which rates grow over small batches; NaN where one of them is censored."""
    small = rates[_small(rates.columns[:-1].tolist())]
    return readings.power(small).where(small.notna().all(axis=1))


def _rung(spec: BatchLearningRatesSpec, *optimisers: str) -> float:
    """How well such a power is known: a rung over the logarithm of the range of small batches."""
    sizes = _small(spec.sizes)
    span = math.log(sizes[-1] / sizes[0])
    return sum(2 * half_rung(spec.tried(one)) for one in optimisers) / span if span else math.inf


@slope(
    "the power of the batch size with which it grows",
    continuity=lambda table, spec: _rung(spec, "Adam"),
)
def adam_power(table: pd.DataFrame, spec: BatchLearningRatesSpec) -> pd.Series:
    """The power with which Adam's largest stable learning rate grows over small batches."""
    return growth(largest_stable(table, spec, "Adam"))


@slope(
    "the power of SGD's less that of Adam's",
    continuity=lambda table, spec: _rung(spec, "Adam", "SGD"),
)
def power_apart(table: pd.DataFrame, spec: BatchLearningRatesSpec) -> pd.Series:
    """The power of SGD's largest stable learning rate less that of Adam's."""
    return growth(largest_stable(table, spec, "SGD")) - adam_power(table, spec)


def _eigenvalue(quantity: str) -> Statistic:
    words = "times that of the whole set, batches of the second size"
    return ratio(words, lambda table, spec: against_whole(table, quantity))


def _last_rungs(optimiser: str) -> Statistic:
    def power(table: pd.DataFrame, spec: BatchLearningRatesSpec) -> pd.Series:
        logs = np.log(largest_stable(table, spec, optimiser))
        return (logs.iloc[:, -1] - logs.iloc[:, -2]) / math.log(logs.columns[-1] / logs.columns[-2])

    def rung(table: pd.DataFrame, spec: BatchLearningRatesSpec) -> float:
        return 2 * half_rung(spec.tried(optimiser)) / math.log(spec.n_train / spec.sizes[-1])

    return slope("the power of the batch size with which it grows at last", power, continuity=rung)


@ratio("times as much")
def beyond_curvature(table: pd.DataFrame, spec: BatchLearningRatesSpec) -> pd.Series:
    """Rate times largest eigenvalue of the largest batches over that of the smallest: 1 where η = c / λ."""
    both = largest_stable(table, spec, "SGD") * curvature(table, "largest eigenvalue")
    return both.iloc[:, -2] / both.iloc[:, 0]


CLAIMS = (
    claim(
        "batch-raises-top",
        "The Hessian of a batch has a larger largest eigenvalue than that of the whole set.",
        _SOURCE,
        _eigenvalue("largest eigenvalue"),
        above=1.3,
        control="large batches",
        origin="paper",
        note="On average it cannot be smaller, since the largest eigenvalue is convex; the question is by how much.",
    ),
    claim(
        "batch-lowers-bottom",
        "The Hessian of a batch has a more negative smallest eigenvalue than that of the whole set.",
        _SOURCE,
        _eigenvalue("smallest eigenvalue"),
        above=2,
        control="large batches",
        origin="paper",
    ),
    claim(
        "batch-raises-gauss-newton",
        "The Gauss-Newton matrix of a batch has a larger largest eigenvalue than that of the whole set.",
        _SOURCE,
        _eigenvalue("largest Gauss-Newton eigenvalue"),
        above=1.3,
        control="large batches",
        origin="paper",
    ),
    claim(
        "excess-with-variance",
        "The largest eigenvalue of a batch exceeds that of the whole set in proportion to the variance of a mean over "
        "so many examples.",
        _SOURCE,
        excess_power,
        equals=1,
        within=0.25,
        control="copies of one example",
        origin="consequence",
        reported="A noise matrix is added to the Hessian, and its variance goes with one over the batch size.",
    ),
    claim(
        "excess-from-noise-along",
        "The excess is the variance of the noise along the sharpest direction, over the largest eigenvalue.",
        _SOURCE,
        prediction,
        equals=1,
        within=2,
        control="a random direction",
        origin="consequence",
        note="The paper's formula with the noise measured where it acts. Other eigenvalues near the largest add to it.",
    ),
    claim(
        "noise-is-no-random-matrix",
        "The noise of the Hessian is far stronger along its sharpest direction than in an average one.",
        _SOURCE,
        concentration,
        above=5,
        control="a random direction",
        origin="ours",
        note="In a random matrix with entries that are drawn alike, all directions are equal.",
    ),
    claim(
        "adam-as-the-root",
        "With Adam the largest stable learning rate grows like the root of the batch size.",
        _SOURCE,
        adam_power,
        equals=0.5,
        within=0.15,
        control="copies of one example",
        origin="paper",
        reported="Square root scaling, on VGG and wide residual networks.",
    ),
    claim(
        "adam-grows-less-than-sgd",
        "With Adam the largest stable learning rate grows by a smaller power of the batch size than with SGD.",
        _SOURCE,
        power_apart,
        above=0.2,
        control="copies of one example",
        origin="paper",
        reported="1 with SGD, 1/2 with Adam.",
    ),
    claim(
        "adam-levels-off",
        "As the batch comes near to the whole set, Adam's largest stable learning rate grows no further.",
        _SOURCE,
        _last_rungs("Adam"),
        below=0.35,
        control="far from the whole set",
        origin="consequence",
        note="The largest eigenvalue of the batch levels off. For SGD this was judged in another study.",
    ),
    claim(
        "more-than-curvature",
        "With SGD the largest stable learning rate grows by more than the batch's largest eigenvalue falls.",
        _SOURCE,
        beyond_curvature,
        above=2,
        control="copies of one example",
        origin="ours",
        note="In proportion to one over the eigenvalue, their product would stay the same.",
    ),
)
