"""Peaks of curves over seeds: the place is chosen on the other seeds, the height is measured on the one left out.

A peak that is looked for and measured on the same numbers is found in noise too. Here every seed's height is read off
at places that its own numbers had no part in choosing, so that on a monotone curve it is not above its flanks.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from genbook.tables.readings import mean_of_others


def places(mean: pd.Series) -> tuple[object, object, object] | None:
    """Where a curve has its peak, and the lowest points on the left and on the right of it.

    The peak is the interior place that rises the most above the higher of the two lowest points on either side of it;
    on a curve without any peak it rises by nothing. None where there are fewer than three places.

    Args:
        mean: [places], indexed by place in their order.
    """
    values = mean.to_numpy(dtype=float)
    best, found = -np.inf, None
    for peak in range(1, len(values) - 1):
        left, right = int(values[:peak].argmin()), peak + 1 + int(values[peak + 1 :].argmin())
        above = values[peak] - max(values[left], values[right])
        if above > best:
            best, found = above, (peak, left, right)
    return None if found is None else tuple(mean.index[place] for place in found)


def left_out(curves: pd.DataFrame, measured: pd.DataFrame | None = None) -> pd.DataFrame:
    """For each seed, peak and flanks as the mean of the other seeds' curves has them, and the height of its own there.

    A height as a ratio is the exponential of that of the logarithms. All seeds share one test set, and noise of its own
    at one place looks like a peak in each of them: where ``curves`` are of one half of the test set and ``measured`` of
    the other, it does not.

    Args:
        curves: [seeds, places], by which the places are chosen; those that some seed lacks are left out.
        measured: [seeds, places], of which the height is read off; by default the curves themselves.

    Returns:
        One row a seed: ``peak``, ``left``, ``right`` (places) and ``height``, this seed's value at the peak less the
        higher of its values at the two flanks. NaN with one seed alone, and with fewer than three places.
    """
    measured = curves if measured is None else measured
    curves = curves.loc[:, curves.notna().all() & measured.reindex(columns=curves.columns).notna().all()]
    rows: dict[Any, tuple[Any, ...]] = {}
    for seed in curves.index:
        others = mean_of_others(curves.T, seed)
        found = None if others is None else places(others)
        if found is None:
            rows[seed] = (np.nan, np.nan, np.nan, np.nan)
            continue
        own = measured.loc[seed]
        peak, left, right = found
        rows[seed] = (peak, left, right, own[peak] - max(own[left], own[right]))
    return pd.DataFrame.from_dict(rows, orient="index", columns=["peak", "left", "right", "height"])


def cross_fitted(first: pd.DataFrame, second: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The same of two halves of a test set: chosen on the one and measured on the other, in both directions.

    What is read off both, and averaged, uses the whole test set, and no example for both.

    Returns:
        What `left_out` finds with the places chosen on ``first``, and with those chosen on ``second``.
    """
    return left_out(first, second), left_out(second, first)


def height(first: pd.DataFrame, second: pd.DataFrame) -> pd.Series:
    """The height of a peak by seed, the mean of both directions of `cross_fitted`."""
    one, other = cross_fitted(first, second)
    return (one["height"] + other["height"]) / 2


def place(first: pd.DataFrame, second: pd.DataFrame) -> pd.Series:
    """The place of a peak by seed, the geometric mean of both directions of `cross_fitted`; places are positive."""
    one, other = cross_fitted(first, second)
    return np.sqrt(one["peak"].astype(float) * other["peak"].astype(float))
