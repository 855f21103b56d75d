"""One network by its examples: statistics on known tables, its conditions, what is refused."""

import pandas as pd
import pytest

from genbook import studies
from genbook.experiments import MLP, Labels
from genbook.studies.descent.sample_descent.design import SampleDescentSpec, design
from genbook.studies.descent.shared import stopped_error

STUDY = studies.get("sample_descent")
SIZES = (20, 40, 80, 160)


def known_table(end=(0.4, 0.2, 0.35, 0.1), best=(0.4, 0.2, 0.15, 0.1)):
    rows = []
    for seed in range(3):
        for size, last, first in zip(SIZES, end, best, strict=True):
            rows += [(seed, size, 5, "test accuracy", 1 - first), (seed, size, 9, "test accuracy", 1 - last)]
            rows += [(seed, size, 9, "test loss", 10 * last)]
    return pd.DataFrame(rows, columns=["seed", "examples", "step", "quantity", "value"])


def test_heights_and_early_stopping_of_a_known_table():
    found = {claim.id: claim.statistic(known_table(), SampleDescentSpec()).to_numpy() for claim in STUDY.claims}
    assert found["more-data-hurts"] == pytest.approx(0.15)
    assert found["more-data-hurts-loss"] == pytest.approx(1.75)
    assert stopped_error(known_table(), "examples").loc[0].to_numpy() == pytest.approx([0.4, 0.2, 0.15, 0.1])


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
