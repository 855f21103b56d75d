"""Peaks whose place is chosen on the other seeds: known curves, and no peak where there is none."""

import numpy as np
import pandas as pd
import pytest

from genbook.tables import peaks

PLACES = [1, 2, 4, 8, 16]


def curves(*rows):
    return pd.DataFrame(list(rows), columns=PLACES, dtype=float)


def test_places_of_a_known_curve():
    assert peaks.places(pd.Series([3.0, 1.0, 5.0, 2.0, 0.5], index=PLACES)) == (4, 2, 16)


def test_the_higher_flank_decides():
    """The highest point stands on a slope; the peak that rises above both sides is another."""
    assert peaks.places(pd.Series([9.0, 8.9, 1.0, 2.0, 1.5], index=PLACES)) == (8, 4, 16)


@pytest.mark.parametrize("values", [[5.0, 4.0, 3.0, 2.0, 1.0], [1.0, 2.0, 3.0, 4.0, 5.0]])
def test_a_monotone_curve_has_no_height(values):
    heights = peaks.left_out(curves(values, values, values))["height"]
    assert (heights <= 0).all()


def test_a_seeds_own_numbers_do_not_choose_its_places():
    """One seed peaks elsewhere: its height is measured where the others peak, and theirs are not moved by it."""
    usual, other = [3.0, 1.0, 4.0, 2.0, 1.0], [3.0, 1.0, 1.0, 9.0, 1.0]
    found = peaks.left_out(curves(usual, usual, usual, usual, other))
    assert found["peak"].tolist()[-1] == 4
    assert found["height"].tolist()[-1] == pytest.approx(0.0)
    same = peaks.left_out(curves(usual, usual, usual, usual, usual))
    assert same["height"].tolist() == pytest.approx([3.0] * 5)


def test_heights_in_noise_have_mean_below_nothing():
    """Without a peak, a height measured where others chose is on average that of a point over the higher of two."""
    rng = np.random.default_rng(0)
    heights = [peaks.left_out(curves(*rng.normal(size=(5, 5))))["height"].mean() for _ in range(200)]
    own = []
    for _ in range(200):
        one = pd.Series(rng.normal(size=5), index=PLACES)
        peak, left, right = peaks.places(one)
        own.append(one[peak] - max(one[left], one[right]))
    assert np.mean(heights) < 0 < np.mean(own)


def test_one_seed_alone_has_no_height_and_neither_have_two_places():
    assert peaks.left_out(curves([3.0, 1.0, 4.0, 2.0, 1.0])).isna().all(axis=None)
    two = pd.DataFrame([[1.0, 2.0], [1.0, 2.0]], columns=[1, 2])
    assert peaks.left_out(two).isna().all(axis=None)


def test_a_place_that_a_seed_lacks_is_left_out():
    table = curves([3.0, 1.0, 4.0, 2.0, 1.0], [3.0, 1.0, 4.0, 2.0, 1.0])
    table.loc[0, 4] = np.nan
    assert peaks.left_out(table)["peak"].tolist() == [8, 8]


def test_noise_that_all_seeds_share_makes_no_peak_where_another_half_is_measured():
    """A bump of one half of the test set is in every seed's curve; on the other half there is none."""
    usual, bump = [1.0, 1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 3.0, 1.0, 1.0]
    assert peaks.left_out(curves(bump, bump, bump))["height"].tolist() == [2.0] * 3
    found = peaks.left_out(curves(bump, bump, bump), curves(usual, usual, usual))
    assert found["height"].tolist() == [0.0] * 3
    assert found["peak"].tolist() == [4] * 3


def test_a_place_that_was_not_measured_is_left_out():
    chosen = curves([3.0, 1.0, 4.0, 2.0, 1.0], [3.0, 1.0, 4.0, 2.0, 1.0])
    assert peaks.left_out(chosen, chosen.drop(columns=4))["peak"].tolist() == [8, 8]


def test_in_both_directions_each_half_is_measured_where_the_other_peaks():
    first, second = [3.0, 1.0, 4.0, 2.0, 1.0], [3.0, 1.0, 2.0, 5.0, 1.0]
    one, other = peaks.cross_fitted(curves(first, first), curves(second, second))
    assert (one["peak"].tolist(), other["peak"].tolist()) == ([4, 4], [8, 8])
    assert one["height"].tolist() == [1.0] * 2  # the second half at the first one's places: 2 above 1
    assert other["height"].tolist() == [1.0] * 2  # and the first half at the second one's: 2 above 1
    assert peaks.height(curves(first, first), curves(second, second)).tolist() == [1.0] * 2
