import numpy as np
import pandas as pd
import pytest
import torch

from genbook import studies
from genbook.base.claims import judge
from genbook.base.spec import ParameterError
from genbook.studies.noise.weak_directions import claims
from genbook.studies.noise.weak_directions.run import _as_noisy, rules, run

STUDY = studies.get("weak_directions")
SPEC = STUDY.build("smoke", {})


@pytest.fixture(scope="module")
def table():
    return run(SPEC, [0, 1], "cpu")


def test_every_rule_is_in_the_table(table):
    assert set(table["rule"]) == set(rules(SPEC))


def test_all_rules_of_a_seed_start_from_the_same_network(table):
    start = claims.curve(table, "test accuracy")[0].unstack("rule")
    assert (start.nunique(axis=1) == 1).all()


def test_a_clipping_that_clips_nothing_is_plain_descent():
    spec = STUDY.build("smoke", {"clip": 1e6, "steps": 40})
    accuracy = claims.curve(run(spec, [0], "cpu"), "held-out accuracy").droplevel("seed")
    # one example may fall on the other side of a float's last digit
    assert (accuracy.loc["clipped"] - accuracy.loc["SGD"]).abs().max() <= 1.01 / spec.held_out


def test_held_out_labels_are_as_wrong_as_the_training_labels():
    labels = torch.arange(10).repeat(2000)
    noisy = _as_noisy(labels, 0.3, 5, 10)
    wrong = noisy != labels
    assert float(wrong.double().mean()) == pytest.approx(0.3, abs=0.015)
    shares = torch.bincount(((noisy - labels) % 10)[wrong], minlength=10).double() / wrong.sum()
    np.testing.assert_allclose(shares[1:], 1 / 9, atol=0.02)
    assert torch.equal(noisy, _as_noisy(labels, 0.3, 5, 10))


def made(curves):
    """A table from {(seed, rule, quantity, group): values at the steps 1, 2, 3, ...}."""
    return pd.DataFrame(
        [
            {"seed": s, "rule": r, "step": step, "epoch": 0.0, "quantity": q, "group": g, "value": v}
            for (s, r, q, g), values in curves.items()
            for step, v in enumerate(values, start=1)
        ]
    )


def test_half_is_reached_where_it_is_kept_and_rules_are_read_there():
    given = ("as given", "corrupted")
    table = made(
        {
            (0, "SGD", *given): [0.6, 0.1, 0.5, 0.9],
            (0, "M3", *given): [0.0, 0.1, 0.2, 0.3],
            (1, "SGD", *given): [0.6, 0.1, 0.2, 0.4],
            (1, "M3", *given): [0.0, 0.0, 0.0, 0.0],
        }
    )
    half = claims.half_memorised(table)
    assert half[0] == 3
    assert np.isnan(half[1])
    shares = claims.at_half(table)
    assert shares.loc[0].to_dict() == {"SGD": 0.5, "M3": 0.2}
    assert shares.loc[1].isna().all()


def test_stopping_looks_at_held_out_labels_and_the_oracle_at_the_test_set():
    table = made(
        {
            (0, "SGD", "held-out accuracy", "all"): [0.2, 0.6, 0.5],
            (0, "SGD", "test accuracy", "all"): [0.3, 0.7, 0.8],
            (0, "SGD, step x 0.1", "held-out accuracy", "all"): [0.1, 0.2, 0.3],
            (0, "SGD, step x 0.1", "test accuracy", "all"): [0.9, 0.2, 0.3],
        }
    )
    assert claims.stopped(table).loc[0].to_dict() == {"SGD": 0.7, "SGD, step x 0.1": 0.3}
    assert claims.best(table).loc[0].to_dict() == {"SGD": 0.8, "SGD, step x 0.1": 0.9, "SGD, tuned": 0.9}


def test_equal_memory_is_read_on_plain_descents_way_down():
    given, test = ("as given", "corrupted"), ("test accuracy", "all")
    table = made(
        {
            # what the first step gets right by luck is no memory, and lies before the best moment
            (0, "SGD", *given): [0.4, 0.1, 0.3, 0.7],
            (0, "SGD", *test): [0.2, 0.9, 0.8, 0.6],
            (0, "M3", *given): [0.0, 0.0, 0.1, 0.5],
            (0, "M3", *test): [0.1, 0.2, 0.3, 0.4],
            (0, "RM3", *given): [0.0, 0.0, 0.0, 0.05],
            (0, "RM3", *test): [0.1, 0.2, 0.3, 0.4],
        }
    )
    assert claims.at_equal_memory(table, "M3")[0] == pytest.approx(0.7)
    assert claims.at_equal_memory(table, "RM3")[0] == pytest.approx(0.9)
    assert claims.at_equal_memory(table, "SGD")[0] == pytest.approx(0.6)


def test_claims_fail_where_every_average_is_the_mean():
    spec = STUDY.world(STUDY.build("quick", {"steps": 500, "n_measurements": 30}), STUDY.nulls["plain averages"])
    assert all(average is None for _, average in rules(spec).values())
    table = run(spec, range(5), "cpu")
    for claim in STUDY.claims:
        judgement = judge(claim, table, spec)
        assert judgement.verdict == "fails", claim.id
        assert np.isfinite(judgement.estimate)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"winsorised": [5, 1]}, "growing"),
        ({"winsorised": [30]}, "can lose 24 a side"),
        ({"batch_size": 400}, "n_train"),
    ],
)
def test_a_spec_that_cannot_be_trained_is_refused(wrong, message):
    with pytest.raises(ParameterError, match=message):
        STUDY.build("quick", wrong)
