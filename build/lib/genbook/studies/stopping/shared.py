"""What the studies of stopping share: rules, each of which reads one signal of a run and returns one of its steps.

None sees a clean label. Most look back: the network is trained to the end with checkpoints, and the rule picks one.
Those of the papers on the noise of gradients and on their disparity stop where their condition is first met.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

#: Neighbouring measured steps over which a signal is averaged: single ones wobble.
SMOOTHING = 5
#: How often in a row the disparity must have risen: our number, for the paper's could not be looked up.
PATIENCE = 5

#: From the signals of all runs (by quantity: rows runs, columns steps) to one number a step.
Signal = Callable[[Mapping[str, pd.DataFrame]], pd.DataFrame]
#: From such numbers to the step at which each run should have been stopped.
Choice = Callable[[pd.DataFrame], pd.Series]


def smoothed(values: pd.DataFrame) -> pd.DataFrame:
    """Each step's mean with its neighbours, `SMOOTHING` in all."""
    return values.T.rolling(SMOOTHING, center=True, min_periods=1).mean().T


def largest(values: pd.DataFrame) -> pd.Series:
    """Where the smoothed signal is largest."""
    return smoothed(values).idxmax(axis=1)


def smallest(values: pd.DataFrame) -> pd.Series:
    """Where the smoothed signal is smallest."""
    return smoothed(values).idxmin(axis=1)


def first_at_one(values: pd.DataFrame) -> pd.Series:
    """Where the smoothed signal has first come down to 1; the last step where it never does."""
    return _first(smoothed(values) <= 1)


def rises(values: pd.DataFrame) -> pd.Series:
    """Where the signal has first risen `PATIENCE` times in a row; the last step where it never does."""
    rising = values.diff(axis=1).gt(0).astype(int)
    return _first(rising.T.rolling(PATIENCE).sum().T == PATIENCE)


def _first(met: pd.DataFrame) -> pd.Series:
    return met.idxmax(axis=1).where(met.any(axis=1), met.columns[-1])


@dataclass(frozen=True)
class Rule:
    """Stop where the signal is as wanted.

    ``name``: as on the page. ``signal``: see `Signal`. ``choice``: see `Choice`; ``where`` says it in words.
    ``held_out``: whether it needs examples that are not trained on.
    """

    name: str
    signal: Signal
    choice: Choice
    where: str
    held_out: bool = False

    def stop(self, signals: Mapping[str, pd.DataFrame]) -> pd.Series:
        """The step at which each run should have been stopped."""
        return self.choice(self.signal(signals))


RULES = (
    Rule("held-out accuracy", lambda s: s["held-out accuracy"], largest, "largest", held_out=True),
    Rule("held-out loss", lambda s: s["held-out loss"], smallest, "smallest", held_out=True),
    Rule("gradient noise", lambda s: s["m-coherence"], first_at_one, "first at 1"),
    Rule("m-coherence", lambda s: s["m-coherence"], smallest, "smallest"),
    Rule("gradient disparity", lambda s: s["gradient disparity by epoch"], rises, f"{PATIENCE} rises"),
    Rule("rescaled disparity", lambda s: s["gradient disparity"] / s["loss spread"], smallest, "smallest"),
    Rule("decoys", lambda s: s["decoy loss"] - s["train loss"], largest, "largest"),
)


def disparity(coherence: pd.DataFrame, norm: pd.DataFrame, m: int, batch_size: int) -> pd.DataFrame:
    """Gradient disparity (Forouzesh and Thiran, 2021): the distance of two random batches' gradients, exactly.

    The mean square of ‖g_B − g_B'‖ over all pairs of disjoint batches of b examples is 2/b times the variance of the
    per-example gradients, (Q − ‖S‖²/m) / (m − 1), so that no batch has to be drawn.

    Args:
        coherence: m-coherence of the m training examples, rows runs, columns steps.
        norm: the norm of their mean gradient.
        m: how many they are.
        batch_size: b.
    """
    summed = (m * norm) ** 2
    return np.sqrt(2 / batch_size * (summed / coherence - summed / m) / (m - 1))


def an_epoch_apart(steps: pd.Index, epoch: int) -> list[int]:
    """The first of ``steps``, and each that lies at least ``epoch`` steps after the one before."""
    looks: list[int] = []
    for step in steps:
        if step >= (looks[-1] if looks else 0) + epoch:
            looks.append(step)
    return looks


def dealt_anew(values: pd.DataFrame) -> pd.DataFrame:
    """Each run's values at other steps, drawn by its index (seed, and numbers from 0 on), alike for all its signals."""
    rows = [
        row[np.random.default_rng((int(seed), *(round(1e6 * number) for number in told))).permutation(len(row))]
        for (seed, *told), row in zip(values.index, values.to_numpy(), strict=True)
    ]
    return pd.DataFrame(rows, values.index, values.columns)
