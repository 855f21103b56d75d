"""Reading tidy tables: what is selected, how it is laid out, and what is said of a wrong column."""

import numpy as np
import pandas as pd
import pytest

from genbook.tables import tidy

ROWS = [
    {"seed": seed, "noise": noise, "step": step, "quantity": quantity, "value": 100 * seed + 10 * noise + step + shift}
    for seed in (1, 0)
    for noise in (0.5, 0.0)
    for step in (8, 2, 4)
    for quantity, shift in (("loss", 0.0), ("accuracy", 0.5))
]
TABLE = pd.DataFrame(ROWS)


def test_select_keeps_the_rows_that_agree_in_every_column():
    rows = tidy.select(TABLE, quantity="loss", noise=0.5)
    assert len(rows) == 6
    assert set(rows["quantity"]) == {"loss"}
    assert set(rows["noise"]) == {0.5}
    assert len(tidy.select(TABLE)) == len(TABLE)
    assert tidy.select(TABLE, quantity="unheard of").empty


def test_select_names_a_column_that_is_not_there():
    with pytest.raises(KeyError, match="no column 'layer'; it has seed, noise, step, quantity, value"):
        tidy.select(TABLE, layer="all")


def test_series_and_wide_are_sorted_and_hold_every_value_in_its_place():
    values = tidy.series(TABLE, ("seed", "noise", "step"), quantity="loss")
    assert values.index.is_monotonic_increasing
    assert all(value == 100 * seed + 10 * noise + step for (seed, noise, step), value in values.items())
    table = tidy.wide(TABLE, ("seed", "noise"), "step", quantity="loss")
    assert list(table.columns) == [2, 4, 8]
    assert table.index.is_monotonic_increasing
    assert table.stack().rename(None).equals(values.rename(None))


def test_wide_refuses_two_values_for_one_place():
    with pytest.raises(ValueError, match="duplicate"):
        tidy.wide(TABLE, "seed", "step", quantity="loss")


def test_last_is_the_value_at_the_largest_step_whatever_the_order_of_the_rows():
    ends = tidy.last(TABLE, ("seed", "noise"), quantity="accuracy")
    assert len(ends) == TABLE.groupby(["seed", "noise"]).ngroups
    assert all(value == 100 * seed + 10 * noise + 8.5 for (seed, noise), value in ends.items())


def test_long_is_the_inverse_of_wide_without_what_is_missing():
    values = pd.DataFrame({2: [0.5, 0.25], 4: [0.75, np.nan]}, index=[7, 9])
    rows = tidy.long(values, "width")
    assert list(rows.columns) == ["seed", "width", "value"]
    assert rows.to_numpy().tolist() == [[7, 2, 0.5], [7, 4, 0.75], [9, 2, 0.25]]
    again = rows.assign(quantity="q").pivot(index="seed", columns="width", values="value")
    assert again.equals(values.rename_axis(index="seed", columns="width"))
