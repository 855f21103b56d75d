"""What the studies of double descent share: errors along an axis, how they rise."""

import pandas as pd
import pytest

from genbook.studies.descent.shared import end_error, rise, stopped_error


def test_errors_at_the_end_and_stopped_early():
    rows = [
        (seed, width, step, "test accuracy", value)
        for seed in (0, 1)
        for width, values in {2: (0.3, 0.8, 0.6), 4: (0.5, 0.6, 0.9)}.items()
        for step, value in enumerate(values)
    ]
    table = pd.DataFrame(rows, columns=["seed", "width", "step", "quantity", "value"])
    assert end_error(table, "width").loc[0].to_dict() == pytest.approx({2: 0.4, 4: 0.1})
    assert stopped_error(table, "width").loc[1].to_dict() == pytest.approx({2: 0.2, 4: 0.1})
    assert stopped_error(table[table["seed"] == 0], "width").isna().all(axis=None)


def test_rise_of_known_curves():
    assert rise(pd.DataFrame([[5.0, 4, 3], [5, 1, 2], [1, 3, 2]])).tolist() == [1, 2, 3]
