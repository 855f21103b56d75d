"""One network by its examples: statistics on known tables, its conditions, what is refused."""

import pandas as pd
import pytest

from genbook import studies
from genbook.experiments import MLP, Labels
from genbook.studies.descent.sample_descent.design import SampleDescentSpec, design
from genbook.studies.descent.shared import stopped_error
from tests.known import Answer, Known, in_halves

STUDY = studies.get("sample_descent")
SIZES = (20, 40, 80, 160)


def known_table(end=(0.4, 0.2, 0.35, 0.1), best=(0.4, 0.2, 0.15, 0.1)):
    rows = []
    for seed in range(3):
        for size, last, first in zip(SIZES, end, best, strict=True):
            rows += [(seed, size, 5, "test accuracy", 1 - first), (seed, size, 9, "test accuracy", 1 - last)]
            rows += [(seed, size, 9, "test loss", 10 * last + 0.01 * seed)]
    return in_halves(pd.DataFrame(rows, columns=["seed", "examples", "step", "quantity", "value"]))


MONOTONE = (0.4, 0.3, 0.2, 0.1)
KNOWN = {
    "more-data-hurts": Known(
        holds=Answer(known_table(), [0.15] * 3, SampleDescentSpec()),
        fails=Answer(known_table(MONOTONE), [-0.1] * 3, SampleDescentSpec()),
    ),
    "more-data-hurts-loss": Known(
        holds=Answer(known_table(), [3.5 / 2, 3.51 / 2.01, 3.52 / 2.02], SampleDescentSpec()),
        fails=Answer(known_table(MONOTONE), [3 / 4, 3.01 / 4.01, 3.02 / 4.02], SampleDescentSpec()),
    ),
}


def test_early_stopping_of_a_known_table():
    assert stopped_error(known_table(), "examples").loc[0].to_numpy() == pytest.approx([0.4, 0.2, 0.15, 0.1])


def test_a_peak_of_one_half_of_the_test_set_alone_is_none():
    table = known_table(MONOTONE)
    bump = (table["group"] == "first half") & (table["examples"] == 80) & (table["step"] == 9)
    table.loc[bump & (table["quantity"] == "test accuracy"), "value"] = 0.2
    (claim,) = [claim for claim in STUDY.claims if claim.id == "more-data-hurts"]
    assert (claim.statistic(table, SampleDescentSpec()) < 0).all()


def test_a_condition_for_each_size_of_one_network_and_one_recipe():
    spec = SampleDescentSpec.build(n_train=list(SIZES), batch_size=20)
    conditions = design(spec).conditions
    assert [(c.columns["examples"], c.images.n_train) for c in conditions] == [(size, size) for size in SIZES]
    assert {(c.network, c.recipe, c.images.labels) for c in conditions} == {
        (MLP((16, 16)), spec.recipe(), Labels().wrong(0.4))
    }


def test_a_batch_must_fit_the_smallest_training_set():
    with pytest.raises(ValueError, match="want at most the smallest training set's size, 20"):
        SampleDescentSpec.build(n_train=list(SIZES), batch_size=30)
