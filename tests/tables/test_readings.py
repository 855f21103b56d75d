"""Readings on curves whose answers are known."""

import numpy as np
import pandas as pd
import pytest

from genbook.tables import readings


def table(rows, columns=("seed", "noise", "step", "quantity", "value")):
    return pd.DataFrame(rows, columns=list(columns))


def test_rows_mean_all_examples_all_layers_and_the_first_phase_unless_told():
    columns = ("seed", "step", "quantity", "group", "layer", "phase", "value")
    rows = [
        (0, 1, "loss", group, layer, phase, float(number))
        for number, (group, layer, phase) in enumerate(
            [
                ("all", "all", "training"),
                ("clean", "all", "training"),
                ("all", "0", "training"),
                ("all", "all", "later"),
            ]
        )
    ]
    frame = table(rows, columns)
    assert readings.rows(frame, quantity="loss")["value"].tolist() == [0.0]
    assert readings.rows(frame, quantity="loss", group="clean")["value"].tolist() == [1.0]
    assert readings.curve(frame, "loss", layer="0").tolist() == [2.0]
    assert readings.final(frame, "loss", phase="later")["loss"].tolist() == [3.0]


def test_the_last_value_that_is_not_missing_is_final():
    rows = [
        (seed, noise, step, "loss", 10 * seed + noise + step) for seed in (0, 1) for noise in (0, 5) for step in (1, 2)
    ]
    frame = table(rows)
    frame.loc[(frame["seed"] == 1) & (frame["noise"] == 5) & (frame["step"] == 2), "value"] = np.nan
    final = readings.final(frame, "loss", "noise")
    assert final.loc[0].tolist() == [2.0, 7.0]
    assert final.loc[1].tolist() == [12.0, 16.0]


def test_first_and_last_crossings():
    curves = pd.DataFrame(
        [[0.0, 0.6, 0.4, 0.7, 0.8], [0.0, 0.1, 0.2, 0.3, 0.2], [0.0, 0.6, 0.7, 0.8, 0.3]], columns=[1, 2, 4, 8, 16]
    )
    first, last = readings.first_crossing(curves, 0.5), readings.last_crossing(curves, 0.5)
    np.testing.assert_array_equal(first, [2, np.nan, 2])
    np.testing.assert_array_equal(last, [8, np.nan, np.nan])
    np.testing.assert_array_equal(readings.first_crossing(-curves, -0.5, rising=False), first)
    np.testing.assert_array_equal(readings.last_crossing(-curves, -0.5, rising=False), last)


def test_a_crossing_is_interpolated_between_the_places_on_either_side():
    rows = [[0.0, 0.9, 0.1, 0.6], [0.9, 0.9, 0.9, 0.9], [0.0, 0.0, 0.1, 0.2], [0.0, 0.0, 0.5, np.nan]]
    curves = pd.DataFrame(rows, columns=[0, 1, 10, 100])
    last = readings.interpolated_crossing(curves, 0.35)
    np.testing.assert_allclose(last, [10 * 10**0.5, 1, np.nan, np.nan])
    first = readings.interpolated_crossing(curves, 0.45, first=True, log=False)
    np.testing.assert_allclose(first, [0.5, 0, np.nan, 1 + 9 * 0.9])
    np.testing.assert_allclose(readings.interpolated_crossing(-curves, -0.35, rising=False), last)
    assert curves.iloc[0, 0] == 0


def test_a_place_is_chosen_on_the_other_seeds_and_not_on_ones_own():
    scores = pd.DataFrame({0: [9.0, 0.0, 1.0], 1: [0.0, 2.0, 1.0], 2: [0.0, 2.0, 1.5]}, index=["a", "b", "c"])
    # Without seed 0 the best place is b, where its own score is 0; without seed 1 or 2 it is a.
    assert readings.on_other_seeds(scores).to_dict() == {0: 0.0, 1: 0.0, 2: 0.0}
    judged = pd.DataFrame({0: [1.0, 5.0, 1.0], 1: [7.0, 2.0, 1.0], 2: [8.0, 2.0, 1.5]}, index=["a", "b", "c"])
    assert readings.on_other_seeds(scores, judged).to_dict() == {0: 5.0, 1: 7.0, 2: 8.0}
    assert readings.on_other_seeds(scores[[0]]).isna().all()


def test_selection_on_other_seeds_finds_nothing_in_noise():
    """Where all places are alike, the value at the chosen one is on average that of any."""
    draws = np.random.default_rng(0).normal(size=(20, 400, 8))
    chosen = [readings.on_other_seeds(pd.DataFrame(sample.T)).mean() for sample in draws.transpose(1, 2, 0)[:, :, :20]]
    best = draws.max(axis=2).mean()
    assert abs(np.mean(chosen)) < 3 / np.sqrt(len(chosen) * 20)
    assert best > 1


def test_geometric_means():
    values = pd.Series([1.0, 4.0, 2.0, 8.0], index=pd.MultiIndex.from_product([[0, 1], [1, 2]], names=["seed", "step"]))
    np.testing.assert_allclose(readings.geometric_mean(values, "seed"), [2.0, 4.0])


def test_without_levels_the_geometric_mean_is_over_everything():
    assert readings.geometric_mean(pd.Series([1.0, 4.0])) == 2
    np.testing.assert_allclose(readings.geometric_mean(pd.DataFrame({"a": [1.0, 9.0]})), 3)


def test_a_power_is_found_among_what_is_there():
    x = np.array([0.0, 1.0, 2.0, 4.0, 8.0])
    rows = [3 * x**0.5, [np.nan, 5, np.nan, 5 / 16, 0], [0, 1, np.nan, 0, -1], [np.nan] * 5]
    values = pd.DataFrame(rows, index=list("abcd"), columns=x)
    assert readings.power(values).to_dict() == pytest.approx({"a": 0.5, "b": -2, "c": np.nan, "d": np.nan}, nan_ok=True)
    assert readings.power(values[:2], [x**2, x]).to_dict() == pytest.approx({"a": 0.25, "b": -2})
    assert readings.power(values[[1.0]]).isna().all()
    assert readings.power(values[:0]).empty


def learning(power=(2.0, 1.0), factor=(8.0, 2.0), steps=60):
    """Losses that fall along different curves; coherence = factor × loss^power, two conditions."""
    rows = []
    for seed in (0, 1):
        for place, noise in enumerate((0.0, 1.0)):
            for step in range(steps):
                loss = 2 * (1 + seed * 0.1) * np.exp(-step / (20 if noise else 5))
                rows.append((seed, noise, step, "train loss", loss))
                rows.append((seed, noise, step, "train accuracy", 1 - loss / 2.3))
                rows.append((seed, noise, step, "m-coherence", factor[place] * loss ** power[place]))
    return table(rows)


def test_learning_begins_with_a_tenth_of_the_loss_gone_and_ends_at_nine_tenths_fitted():
    course = readings.while_learning(learning(), "m-coherence", "noise")
    for (seed, _), own in course.groupby(["seed", "noise"]):
        start = 2 * (1 + seed * 0.1)
        assert own["loss"].max() <= 0.9 * start
        assert own["loss"].min() > 0.1 * 2.3
        assert own["loss"].is_monotonic_decreasing


def test_a_network_that_comes_back_up_stays_in_the_phase_that_it_had_reached():
    frame = learning()
    late = (frame["quantity"] == "train accuracy") & (frame["step"] > 40) & (frame["noise"] == 0)
    frame.loc[late, "value"] = 0.0
    course = readings.while_learning(frame, "m-coherence", "noise")
    assert course.xs(0.0, level="noise")["loss"].min() > 0.1 * 2.3


def test_values_at_equal_loss_are_those_of_the_power_laws_over_the_common_range():
    course = readings.while_learning(learning(), "m-coherence", "noise")
    found = readings.at_equal_loss(course)
    for seed in (0, 1):
        own = course.xs(seed)
        low, high = own.groupby("noise")["loss"].min().max(), own.groupby("noise")["loss"].max().min()
        middle = np.sqrt(low * high)  # the geometric mean of losses even on the log scale
        np.testing.assert_allclose(found.loc[seed], [8 * middle**2, 2 * middle], rtol=1e-9)
    assert (found.index.name, found.columns.name) == ("seed", "noise")


def test_without_a_common_loss_there_is_no_value():
    course = readings.while_learning(learning(), "m-coherence", "noise")
    course.loc[(0, 1.0), "loss"] = course.loc[(0, 1.0), "loss"].to_numpy() * 100
    found = readings.at_equal_loss(course)
    assert found.loc[0].isna().all()
    assert found.loc[1].notna().all()


def test_a_curve_is_read_off_only_where_it_passes():
    course = readings.while_learning(learning(), "m-coherence", "noise")
    course.loc[(1, 0.0), "loss"] = course.loc[(1, 0.0), "loss"].to_numpy() / 3
    drawn = readings.against_loss(course, points=9)
    assert list(drawn.columns) == ["seed", "noise", "loss", "value"]
    own = drawn[(drawn["seed"] == 1) & (drawn["noise"] == 0)]
    passed = course.loc[(1, 0.0), "loss"]
    assert own["loss"].between(passed.min(), passed.max()).all()
    assert 0 < len(own) < 9
    other = drawn[(drawn["seed"] == 0) & (drawn["noise"] == 1)]
    np.testing.assert_allclose(other["value"], 2 * other["loss"], rtol=1e-9)


def jumping(conditions=("seed",)):
    """A loss that falls, jumps back up over .5 and comes down for good; a quantity linear in log(1 + step)."""
    rows = [(0, 2.0), (3, 0.4), (8, 0.9), (26, 0.1)]
    keys = tuple(range(len(conditions)))
    names = [*conditions, "step"]
    losses = pd.Series({(*keys, step): loss for step, loss in rows}).rename_axis(names)
    values = pd.Series({(*keys, step): 3 + 2 * np.log1p(step) for step in (0, 5, 26)}).rename_axis(names)
    return losses, values


@pytest.mark.parametrize("conditions", [("seed",), ("seed", "noise"), ("seed", "noise", "rate")])
def test_a_level_is_crossed_for_good_and_between_two_measured_steps(conditions):
    losses, values = jumping(conditions)
    # In the logarithms .3 is half of the way from .9 to .1.
    half = (np.log(9) + np.log(27)) / 2
    assert np.log1p(readings.crossing_step(losses, 0.3).item()) == pytest.approx(half)
    found = readings.at_crossing(values, losses, 0.3)
    assert found.item() == pytest.approx(3 + 2 * half)
    assert list(found.index.names) == list(conditions)
    # Before the jump it is crossed too: .5 is read after it.
    after = np.log(9) + np.log(3) * np.log(0.9 / 0.5) / np.log(9)
    assert readings.at_crossing(values, losses, 0.5).item() == pytest.approx(3 + 2 * after)


def test_what_ends_above_the_level_or_begins_below_it_has_no_crossing():
    losses, values = jumping()
    first = losses[losses.index.get_level_values("step") < 8]
    assert readings.crossing_step(first, 1.0).item() == pytest.approx(np.expm1(np.log(4) * np.log(2) / np.log(5)))
    diverged = losses.where(losses != 0.1)
    for uncrossed, level in ((losses, 0.05), (losses, 3.0), (diverged, 0.95), (losses[:1], 1.0)):
        assert np.isnan(readings.crossing_step(uncrossed, level).item())
        assert np.isnan(readings.at_crossing(values, uncrossed, level).item())
    unmeasured = readings.at_crossing(values.where(values > 99), losses, 0.3)
    assert unmeasured.isna().all()
    assert unmeasured.index.equals(readings.crossing_step(losses, 0.3).index)
    assert readings.at_crossing(values[:0], losses[:0], 0.3).empty


def test_chance_is_one_over_the_number_of_classes():
    assert readings.chance(table([(0, 0, 9, "classes", 4.0)])) == 0.25


def test_what_was_not_read_is_censored_and_not_left_out():
    table = pd.DataFrame({"seed": [3, 3, 1, 1], "noise": [0.5, 0.0, 0.5, 0.0], "network": list("aaab")})
    values = pd.DataFrame([[2.0]], index=pd.Index([1], name="seed"), columns=pd.Index([0.5], name="noise"))
    found = readings.complete(values, table, "noise")
    pd.testing.assert_frame_equal(
        found, pd.DataFrame([[np.nan, 2.0], [np.nan, np.nan]], index=[1, 3], columns=[0.0, 0.5]), check_names=False
    )
    assert list(readings.complete(values, table, "noise", network="b").columns) == [0.0]
    assert readings.complete(pd.DataFrame(), table, "noise").isna().all(axis=None)


def test_where_nothing_learned_there_is_nothing_against_loss():
    nothing = pd.DataFrame(
        {"loss": [], "value": []}, index=pd.MultiIndex.from_arrays([[], []], names=["seed", "noise"])
    )
    found = readings.against_loss(nothing)
    assert list(found.columns) == ["seed", "noise", "loss", "value"]
    assert found.empty
