"""The powers of a perceptron whose points come with density |x|^χ near the boundary, where noise rules it.

Orthogonal to the boundary's normal weights scatter by the temperature T alone. All P points fit once the weight along
it has outgrown that by what the nearest point, at P^(-1/(1+χ)), asks for; and it grows the slower the fewer are left.
"""

from __future__ import annotations


def signal_power(density: float) -> float:
    """γ with which the weight along the normal grows at the end, ∝ T P^γ."""
    return 1 / (1 + density)


def times_signal(density: float) -> float:
    """The power of that weight with which the training time goes: the fewer points are left, the slower it grows."""
    return 3 + density


def time_power(density: float) -> float:
    """b with which the training time grows, ∝ T P^b."""
    return times_signal(density) * signal_power(density)
