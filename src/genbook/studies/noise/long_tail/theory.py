"""The long tail in closed form: frequencies, the mass of what was seen so often, and the price of not memorising it."""

from __future__ import annotations

import numpy as np
import scipy

#: How often a cluster was seen, in groups: the name of each and the least number in it.
SEEN = {"never": 0, "once": 1, "2 or 3 times": 2, "4 times or more": 4}


def frequencies(kind: str, clusters: int, exponent: float) -> np.ndarray:
    """Probability of each cluster [K], the most frequent first: uniform, or Zipf's law 1/k^exponent."""
    weights = np.arange(1, clusters + 1, dtype=float) ** (-exponent if kind == "zipf" else 0.0)
    return weights / weights.sum()


def mass_seen(p: np.ndarray, n: int, times: int) -> float:
    """Expected probability that a new example is of a cluster that n examples have shown exactly ``times`` times.

    This is Σ_k p_k C(n, l) p_k^l (1 - p_k)^(n - l). Under Zipf's law with exponent 1 it is about 1 / (l H_K): the
    clusters seen once weigh as much as those seen 10 to 25 times do in all.
    """
    return float((p * scipy.stats.binom.pmf(times, n, p)).sum())


def mass_at_least(p: np.ndarray, n: int, times: int) -> float:
    """Expected probability that a new example is of a cluster seen ``times`` times or more."""
    return float((p * scipy.stats.binom.sf(times - 1, n, p)).sum())


def price(p: np.ndarray, n: int, needed: int, n_classes: int) -> float:
    """Expected error of a rule that knows the clusters it has seen ``needed`` times or more, and else guesses.

    Labels are drawn uniformly for each cluster. With ``needed`` = 1 it memorises all that it has seen, and what is left
    is the price of what it has not. From 1 to 2 the error grows by (1 - 1/C) times the mass of the clusters seen once:
    the price of not memorising them (Feldman, 2020, theorem 2.3, for frequencies that are given).
    """
    return (1 - 1 / n_classes) * (1 - mass_at_least(p, n, needed))


def group_of(counts: np.ndarray) -> np.ndarray:
    """The name in `SEEN` of each number of times."""
    names = np.array(list(SEEN))
    return names[np.searchsorted(list(SEEN.values()), counts, side="right") - 1]
