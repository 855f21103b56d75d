"""What the studies of batches share: batches that fit, schedules made of gradient norms, peaks chosen apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import scipy

from genbook.tables import readings, tidy

#: Schedules that know nothing of the gradients, in the order in which figures show them.
SCHEDULES = ("constant", "inverse square root", "step", "cosine", "linear")
#: The smallest gradient norm that a schedule is made from, over the largest: a batch may have no gradient at all.
_LEAST = 0.01
#: What a threshold says of peaks.
CHOSEN = "peaks chosen on the other seeds"
#: Part of the steps after which a schedule is at its end: linear decay has a fifth of its peak left there.
LATE = 0.8


def check_batch(spec: Any, name: str) -> None:
    """Refuse a batch, a parameter of the spec, that is larger than the training set; raises `ValueError`."""
    size = getattr(spec, name)
    if size > spec.n_train:
        raise ValueError(f"parameter {name} = {size}: want at most the training set's size, {spec.n_train}")


def factors(steps: int) -> Mapping[str, np.ndarray]:
    """The multiples of the peak [steps] of each of `SCHEDULES`.

    The schedule "step" divides by ten after each third of the steps.
    """
    at = np.arange(steps)
    return {
        "constant": np.ones(steps),
        "inverse square root": 1 / np.sqrt(1 + at),
        "step": 0.1 ** (3 * at // steps),
        "cosine": (1 + np.cos(np.pi * at / steps)) / 2,
        "linear": 1 - at / steps,
    }


def from_weights(weights: np.ndarray) -> np.ndarray:
    """Rates η_t = w_t · Σ_{p>t} w_p / Σ_p w_p [T], by which the last iterate does as well as the weighted average.

    Equal weights give linear decay; the last rate is 0.
    """
    later = np.cumsum(weights[::-1])[::-1]
    return weights * np.append(later[1:], 0.0) / later[0]


def smoothed(norms: np.ndarray, window: float) -> np.ndarray:
    """The running median of gradient norms [T] over a ``window``, a fraction of the steps; mirrored at the ends."""
    return scipy.ndimage.median_filter(norms, size=2 * int(window * len(norms) / 2) + 1, mode="reflect")


def refined(norms: np.ndarray) -> np.ndarray:
    """The schedule [T] that minimises `weighted_bound` for these gradient norms, w ∝ 1/G², scaled to a maximum of 1.

    Its last factor, which is 0 and of a step that nobody takes, is replaced by the one before.
    """
    shape = from_weights(np.maximum(norms, _LEAST * norms.max()) ** -2.0)
    shape[-1] = shape[-2]
    return shape / shape.max()


def tuned(table: pd.DataFrame, quantity: str = "excess loss", by: str | None = None) -> pd.DataFrame:
    """A loss of each schedule at the peak that is best on the other seeds: rows seeds, columns schedules.

    ``by``: the loss that chooses the peak, if it is another one than the one that is read off.
    """
    read, chooses = (tidy.select(table, quantity=name) for name in (quantity, by or quantity))
    found = {}
    for schedule, mine in read.groupby("schedule"):
        losses, scores = (
            rows.pivot(index="peak", columns="seed", values="value")
            for rows in (mine, chooses[chooses["schedule"] == schedule])
        )
        found[schedule] = readings.on_other_seeds(-scores, losses)
    return pd.DataFrame(found).rename_axis(index="seed", columns="schedule")


def best_of(losses: pd.DataFrame) -> pd.Series:
    """Each seed's loss by the schedule that is best on the other seeds.

    Args:
        losses: rows seeds, columns schedules, as of `tuned`.
    """
    return readings.on_other_seeds(-losses.T, losses.T)
