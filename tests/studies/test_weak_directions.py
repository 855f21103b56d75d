from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from genbook import data, studies
from genbook.base.claims import judge
from genbook.base.recipes import SGD, Average
from genbook.base.spec import ParameterError
from genbook.experiments.run import Drawn
from genbook.studies.noise.weak_directions import claims
from genbook.studies.noise.weak_directions.design import design, rules

STUDY = studies.get("weak_directions")
SPEC = STUDY.build("smoke", {})


@pytest.fixture(scope="module")
def table():
    return design(SPEC).run([0, 1], "cpu")


def test_every_rule_is_in_the_table(table):
    assert set(table["rule"]) == set(rules(SPEC))


def test_all_rules_of_a_seed_start_from_the_same_network(table):
    start = claims.curve(table, "test accuracy")[0].unstack("rule")
    assert (start.nunique(axis=1) == 1).all()


def test_a_clipping_that_clips_nothing_is_plain_descent():
    spec = STUDY.build("smoke", {"clip": 1e6, "steps": 40})
    accuracy = claims.curve(design(spec).run([0], "cpu"), "held-out accuracy").droplevel("seed")
    # one example may fall on the other side of a float's last digit
    assert (accuracy.loc["clipped"] - accuracy.loc["SGD"]).abs().max() <= 1.01 / spec.held_out


def test_all_rules_see_one_training_set_and_held_out_labels_as_wrong():
    conditions = design(SPEC).conditions
    drawn = Drawn()
    sets = [drawn.replica(condition, 3).data for condition in conditions]
    real = data.split(data.load(SPEC.dataset), 3, SPEC.n_train, n_validation=SPEC.held_out, flat=True)
    for one in sets:
        assert one["train"].labels.equal(sets[0]["train"].labels)
        assert one["held-out"].labels.equal(sets[0]["held-out"].labels)
    assert (sets[0]["train"].labels != real.train.labels).double().mean() == pytest.approx(SPEC.noise)
    assert (sets[0]["held-out"].labels != real.validation.labels).double().mean() == pytest.approx(SPEC.noise)


def test_recipes_differ_in_the_average_or_the_learning_rate_alone():
    recipes = {condition.columns["rule"]: condition.recipe for condition in design(SPEC).conditions}
    for rule, (learning_rate, average) in rules(SPEC).items():
        assert recipes[rule] == replace(recipes["SGD"], average=average, optimiser=SGD(learning_rate))
    assert recipes["winsorised 5"].average == Average("winsorised", 5)
    assert recipes["clipped"].average == Average("clipped", SPEC.clip)
    assert recipes["SGD, learning rate x 0.1"].optimiser.lr == pytest.approx(0.1 * SPEC.learning_rate)


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
    given = ("train accuracy", "corrupted")
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
    memory = claims.at_half(table)
    assert memory.loc[0].to_dict() == {"SGD": 0.5, "M3": 0.2}
    assert memory.loc[1].isna().all()


def test_stopping_looks_at_held_out_labels_and_the_oracle_at_the_test_set():
    table = made(
        {
            (0, "SGD", "held-out accuracy", "all"): [0.2, 0.6, 0.5],
            (0, "SGD", "test accuracy", "all"): [0.3, 0.7, 0.8],
            (0, "SGD, learning rate x 0.1", "held-out accuracy", "all"): [0.1, 0.2, 0.3],
            (0, "SGD, learning rate x 0.1", "test accuracy", "all"): [0.9, 0.2, 0.3],
        }
    )
    assert claims.stopped(table).loc[0].to_dict() == {"SGD": 0.7, "SGD, learning rate x 0.1": 0.3}
    assert claims.best(table).loc[0].to_dict() == {"SGD": 0.8, "SGD, learning rate x 0.1": 0.9, "SGD, tuned": 0.9}


def test_equal_memory_is_read_on_plain_descents_way_down():
    given, test = ("train accuracy", "corrupted"), ("test accuracy", "all")
    table = made(
        {
            # what the first step gets right by luck is no memory, and lies before the best step
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


def test_a_path_begins_at_the_best_step_and_outcomes_name_where_they_were_read():
    table = made(
        {
            (0, "SGD", "train accuracy", "corrupted"): [0.4, 0.1, 0.3, 0.7],
            (0, "SGD", "test accuracy", "all"): [0.2, 0.9, 0.8, 0.6],
            (0, "SGD", "held-out accuracy", "all"): [0.2, 0.3, 0.4, 0.3],
        }
    )
    assert claims.path(table, "SGD").to_dict("list") == {"memorised": [0.1, 0.3, 0.7], "test accuracy": [0.9, 0.8, 0.6]}
    read = claims.outcomes(table, ["SGD"]).set_index("when")["test accuracy"]
    assert read.to_dict() == {"best step (oracle)": 0.9, "stopped early": 0.8, "end": 0.6}


@pytest.mark.parametrize(
    ("id", "expected"),
    [
        ("winsorised-memorises-less", 0.2 / 0.8),
        ("suppression-orders", -1.0),
        ("winsorised-ends-better", 0.7 - 0.5),
        ("winsorised-peaks-higher", 0.75 - 0.9),
        # plain descent has 0.2 in memory where its accuracy is 0.9 (0.1) on its way to 0.7 (0.5)
        ("winsorised-leaves-the-path", 0.7 - 0.85),
        ("winsorised-beats-stopping", 0.7 - 0.9),
        ("winsorised-beats-smaller-step", 0.7 - 0.65),
        ("m3-slows-memory", 0.3 / 0.5),
        ("rm3-slows-memory", 0.25 / 0.5),
        ("rm3-beyond-averaging", 0.25 / 0.4),
        ("clipping-memorises-less", 0.4 / 0.8),
        ("clipping-beats-tuning", 0.8 - 0.95),
    ],
)
def test_each_statistic_on_curves_whose_answer_is_known(id, expected):
    memory = {
        "SGD": [0.1, 0.5, 0.8],
        "SGD, learning rate x 0.3": [0.0, 0.4, 0.6],
        "SGD, learning rate x 0.1": [0.0, 0.1, 0.5],
        "winsorised 1": [0.0, 0.3, 0.6],
        "winsorised 5": [0.0, 0.1, 0.2],
        "M3": [0.0, 0.3, 0.9],
        "RM3": [0.0, 0.25, 0.9],
        "RA3": [0.0, 0.4, 0.9],
        "clipped": [0.0, 0.1, 0.4],
    }
    accuracy = {rule: [0.5, 0.6, 0.7] for rule in memory} | {
        "SGD": [0.9, 0.7, 0.5],
        "SGD, learning rate x 0.3": [0.95, 0.6, 0.5],
        "SGD, learning rate x 0.1": [0.2, 0.5, 0.65],
        "winsorised 5": [0.4, 0.75, 0.7],
        "clipped": [0.3, 0.8, 0.6],
    }
    curves = {(0, rule, "train accuracy", "corrupted"): values for rule, values in memory.items()}
    curves |= {(0, rule, "test accuracy", "all"): values for rule, values in accuracy.items()}
    curves |= {(0, rule, "held-out accuracy", "all"): [0.6, 0.5, 0.4] for rule in memory}
    (statistic,) = (claim.statistic for claim in STUDY.claims if claim.id == id)
    assert statistic(made(curves), STUDY.build("quick", {}))[0] == pytest.approx(expected)


def test_claims_fail_where_every_average_is_the_mean():
    spec = STUDY.changed(STUDY.build("quick", {"steps": 500, "n_measurements": 30}), STUDY.controls["plain averages"])
    assert all(average is None for _, average in rules(spec).values())
    table = design(spec).run(range(5), "cpu")
    for claim in STUDY.claims:
        judgement = judge(claim, table, spec)
        assert judgement.verdict == "fails", claim.id
        assert np.isfinite(judgement.estimate)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"winsorised": [5, 1]}, "grow"),
        ({"winsorised": [30]}, "can lose 24 a side"),
        ({"batch_size": 400}, "training set's size, 300"),
        ({"momentum": 0.5}, "want 0, the running median RM3 bears none"),
        ({"noise": 0.999}, "300 would be wrong; want from 0.0033 to 0.9967"),
        ({"noise": 0.001}, "0 would be wrong"),
        ({"learning_rate_factors": [0.1, 0.10000001]}, "each once"),
    ],
)
def test_a_spec_that_cannot_be_trained_is_refused(wrong, message):
    with pytest.raises(ParameterError, match=message):
        STUDY.build("quick", wrong)
