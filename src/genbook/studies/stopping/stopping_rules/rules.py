"""Stopping rules: each reads one signal of a run and returns one of the run's steps. None sees a clean label.

A rule is judged as one that looks back: the network is trained to the end with checkpoints, and the rule picks one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pandas as pd

#: Neighbouring measured steps over which a signal is averaged: single ones wobble.
SMOOTHING = 5

#: From the signals of all runs (by quantity: rows runs, columns steps) to one number a step.
Signal = Callable[[Mapping[str, pd.DataFrame]], pd.DataFrame]


@dataclass(frozen=True)
class Rule:
    """Stop where the signal is largest, or smallest.

    ``name``: as on the page. ``signal``: see `Signal`. ``largest``: which end. ``held_out``: whether it needs examples
    that are not trained on.
    """

    name: str
    signal: Signal
    largest: bool
    held_out: bool = False

    def stop(self, signals: Mapping[str, pd.DataFrame]) -> pd.Series:
        """The step at which each run should have been stopped."""
        values = self.signal(signals)
        smooth = values.T.rolling(SMOOTHING, center=True, min_periods=1).mean().T
        return smooth.idxmax(axis=1) if self.largest else smooth.idxmin(axis=1)


RULES = (
    Rule("held-out accuracy", lambda s: s["held-out accuracy"], largest=True, held_out=True),
    Rule("held-out loss", lambda s: s["held-out loss"], largest=False, held_out=True),
    Rule("m-coherence", lambda s: s["m-coherence"], largest=False),
    Rule("cosine of halves", lambda s: s["cosine of halves"], largest=False),
    Rule("gradient disparity", lambda s: s["gradient disparity"], largest=True),
    Rule("rescaled disparity", lambda s: s["gradient disparity"] / s["loss spread"], largest=False),
    Rule("decoys", lambda s: s["decoy loss"] - s["train loss"], largest=True),
)
