"""The recursion behind benign oscillation, and its thresholds.

The output on strong examples of one label is f = (1/m) Σ ⟨w, u⟩². A step on one of them multiplies every projection
⟨w, u⟩ by 1 + c (1 − y f), with c = 4 η ‖u‖²/m for the loss (f − y)²; so y f → y f (1 + c (1 − y f))².
"""

from __future__ import annotations

import math

import numpy as np

#: c beyond which the fixed point y f = 1 of the recursion, where its slope is 1 − 2c, repels.
UNSTABLE = 1.0
#: c beyond which the largest value of the recursion, 4 (1 + c)³ / 27c, passes its zero at 1 + 1/c: orbits escape.
ESCAPES = 1.5 * math.sqrt(3) - 1


def recursion(output: np.ndarray, c: np.ndarray) -> np.ndarray:
    """One step of y f → y f (1 + c (1 − y f))²."""
    return output * np.square(1 + c * (1 - output))


def curvature(rate: float, loss: str = "squared", fraction: float = 1.0) -> float:
    """c at the rate η‖u‖²/m; ``fraction`` of a step's examples have the label in question."""
    return {"squared": 4.0, "half squared": 2.0}[loss] * rate * fraction


def rate_of(c: float, fraction: float = 1.0) -> float:
    """The rate η‖u‖²/m at which the loss (f − y)² has this c."""
    return c / (4 * fraction)


def resting_fraction(c: np.ndarray, ratio: float) -> np.ndarray:
    """The weak feature's fraction of the output where oscillation ends: (1 − 1/c) / (1 − ρ²), ρ = ‖v‖/‖u‖.

    With a strong part s and a weak part 1 − s of the output the slope at y f = 1 is 1 − 2c (s + ρ² (1 − s)), which
    leaves the unstable range where the bracket has come down to 1/c; the strong feature then has the fraction 1/c, but
    for terms of the order ρ².
    """
    return np.clip((1 - 1 / np.asarray(c)) / (1 - ratio**2), 0, None)
