import numpy as np
import pandas as pd
import pytest

from genbook import studies
from genbook.base.claims import judge
from genbook.base.spec import ParameterError
from genbook.studies.noise.massive_noise.design import design
from tests.known import Answer, Known

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


QUICK = STUDY.build("quick", {})
ENDS = {
    (1000, 0, 250): 0.9,
    (1000, 20, 250): 0.6,
    (250, 0, 250): 0.85,
    (250, 20, 250): 0.4,
    (1000, 0, 25): 0.9,
    (1000, 20, 25): 0.3,
}


def answer(values, ends=None, coherence=None, nudge=0.001):
    """Two seeds: {(images, copies, batch size): test accuracy at the end}, and m-coherences at steps 10 and 100.

    Seed 1 has ``nudge`` more of what is told.
    """
    rows = []
    for seed in (0, 1):
        found = {
            place: value + nudge * seed * (place in (ends or {})) for place, value in (ENDS | (ends or {})).items()
        }
        told = {
            place: {"test accuracy": {("all", 9): value}, "classes": {("all", 9): 10.0}}
            for place, value in found.items()
        }
        told[1000, 20, 250]["m-coherence at equal size"] = {
            (group, step): value + nudge * seed * (group == "clean")
            for group, values_of_group in (coherence or {"clean": (9, 8), "corrupted": (9, 2)}).items()
            for step, value in zip((10, 100), values_of_group, strict=True)
        }
        rows += [
            {
                "seed": seed,
                "images": i,
                "copies": a,
                "batch size": b,
                "step": step,
                "quantity": quantity,
                "group": group,
            }
            | {"value": value}
            for (i, a, b), quantities in told.items()
            for quantity, points in quantities.items()
            for (group, step), value in points.items()
        ]
    return Answer(pd.DataFrame(rows), values, QUICK)


COMPARED, FEWER, SMALLER = (1000, 20, 250), (250, 20, 250), (1000, 20, 25)
KNOWN = {
    "survives-dilution": Known(answer([6, 6.01], ends={COMPARED: 0.6}), answer([1.5, 1.51], ends={COMPARED: 0.15})),
    # 0.6 - 0.4 under dilution, 0.9 - 0.85 without
    "dilution-needs-images": Known(answer([0.15, 0.149], ends={FEWER: 0.4}), answer([0.01, 0.009], ends={FEWER: 0.54})),
    "dilution-needs-batches": Known(
        answer([0.3, 0.299], ends={SMALLER: 0.3}), answer([0.01, 0.009], ends={SMALLER: 0.59})
    ),
    # step 10 of 500 is still the beginning
    "right-labels-agree": Known(
        answer([4, 4.0005], coherence={"clean": (9, 8), "corrupted": (9, 2)}),
        answer([1, 1.0005], coherence={"clean": (9, 2), "corrupted": (1, 2)}),
    ),
}


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
