import numpy as np
import pandas as pd
import pytest

from genbook import studies
from genbook.base.claims import judge
from genbook.base.spec import ParameterError
from genbook.studies.noise.massive_noise import claims
from genbook.studies.noise.massive_noise.design import design

STUDY = studies.get("massive_noise")


def settings(spec):
    return [tuple(condition.columns.values()) for condition in design(spec).conditions]


def test_every_condition_is_trained_once():
    found = settings(STUDY.build("quick", {"copies": [0, 20]}))
    assert len(found) == len(set(found))
    assert {(1000, 0, 250), (1000, 20, 250), (250, 0, 250), (250, 20, 250), (1000, 0, 25), (1000, 20, 25)} == set(found)


def test_gradients_are_compared_where_labels_are_diluted_and_nowhere_else():
    conditions = design(STUDY.build("quick", {})).conditions
    compared = [c for c in conditions if len(c.watch) > 1]
    assert [tuple(c.columns.values()) for c in compared] == [(1000, 20, 250)]
    assert compared[0].watch[1].examples == 4000
    assert not any(len(c.watch) > 1 for c in design(STUDY.build("quick", {"dilution": 0})).conditions)


def ended(values):
    """A table from {(images, copies, batch size): test accuracy at the end} for one seed."""
    rows = [
        {
            "seed": 0,
            "images": i,
            "copies": a,
            "batch size": b,
            "step": 9,
            "quantity": "test accuracy",
            "group": "all",
            "value": v,
        }
        for (i, a, b), v in values.items()
    ]
    return pd.DataFrame(rows)


def test_what_a_condition_costs_under_dilution_is_compared_with_what_it_costs_without():
    spec = STUDY.build("quick", {})
    table = ended(
        {
            (1000, 0, 250): 0.9,
            (1000, 20, 250): 0.6,
            (250, 0, 250): 0.85,
            (250, 20, 250): 0.4,
            (1000, 0, 25): 0.9,
            (1000, 20, 25): 0.3,
        }
    )
    assert claims.more_lost(table, spec, (250, 250))[0] == pytest.approx(0.2 - 0.05)
    assert claims.more_lost(table, spec, (1000, 25))[0] == pytest.approx(0.3)


def test_nothing_is_lost_where_nothing_smaller_is_compared():
    spec = STUDY.build("smoke", {"fewer": [], "other_batches": []})
    table = STUDY.run(spec, [0, 1], "cpu")
    for claim in STUDY.claims:
        assert np.isfinite(judge(claim, table, spec).estimate)


@pytest.mark.parametrize("name", list(STUDY.controls))
def test_claims_fail_in_their_controls(name):
    small = {"n_train": 300, "fewer": [100], "batch_size": 100, "other_batches": [20], "dilution": 5, "steps": 150}
    spec = STUDY.changed(STUDY.build("quick", small), STUDY.controls[name])
    table = STUDY.run(spec, range(4), "cpu")
    for claim in STUDY.claims:
        if claim.control == name:
            judgement = judge(claim, table, spec)
            assert judgement.verdict == "fails", claim.id
            assert np.isfinite(judgement.estimate)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"copies": [5, 0]}, "values that grow"),
        ({"copies": [0, 300]}, "copies"),
        ({"fewer": [2000]}, "less than n_train"),
        ({"batch_size": 400}, "at most the smallest training set's size, 250"),
        ({"other_batches": [25, 300]}, "want at most 250"),
    ],
)
def test_a_spec_that_cannot_be_trained_is_refused(wrong, message):
    with pytest.raises(ParameterError, match=message):
        STUDY.build("quick", wrong)
