"""What the studies of double descent share: errors along an axis, how they rise."""

import pandas as pd
import pytest

from genbook.studies.descent.shared import end_error, half_error_step, halves_of, rise, stopped_error
from tests.known import in_halves


def test_errors_at_the_end_and_stopped_early():
    rows = [
        (seed, width, step, "test accuracy", value)
        for seed in (0, 1)
        for width, values in {2: (0.3, 0.8, 0.6), 4: (0.5, 0.6, 0.9)}.items()
        for step, value in enumerate(values)
    ]
    table = in_halves(pd.DataFrame(rows, columns=["seed", "width", "step", "quantity", "value"]))
    assert end_error(table, "width").loc[0].to_dict() == pytest.approx({2: 0.4, 4: 0.1})
    assert stopped_error(table, "width").loc[1].to_dict() == pytest.approx({2: 0.2, 4: 0.1})
    assert stopped_error(table[table["seed"] == 0], "width").isna().all(axis=None)


def test_rise_of_known_curves():
    assert rise(pd.DataFrame([[5.0, 4, 3], [5, 1, 2], [1, 3, 2]])).tolist() == [0.8, 2, 3]


def test_the_step_that_is_best_on_one_half_is_measured_on_the_other():
    rows = [
        (seed, 2, step, "test accuracy", group, value)
        for seed in (0, 1)
        for group, values in {"all": (0.5, 0.5), "first half": (0.9, 0.1), "second half": (0.3, 0.7)}.items()
        for step, value in enumerate(values)
    ]
    table = pd.DataFrame(rows, columns=["seed", "width", "step", "quantity", "group", "value"])
    assert stopped_error(table, "width", "second half").loc[0, 2] == pytest.approx(0.7)
    assert half_error_step(table, None) == pytest.approx(0.2)


def test_a_table_without_halves_is_read_whole():
    table = pd.DataFrame({"group": ["all"], "quantity": ["test accuracy"]})
    assert halves_of(table) == ("all", "all")
