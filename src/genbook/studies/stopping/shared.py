"""Stopping rules: each reads one signal of a run and returns one of the run's steps. None sees a clean label.

Most look back: the network is trained to the end with checkpoints, and the rule picks one. Those of the papers on the
noise of gradients and on their disparity stop where their condition is first met.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pandas as pd

#: Neighbouring measured steps over which a signal is averaged: single ones wobble.
SMOOTHING = 5
#: How often in a row the disparity must have risen.
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
