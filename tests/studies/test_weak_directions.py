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
from tests.known import Answer, Known

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
    for rule, changes in rules(SPEC).items():
        learning_rate = changes.get("learning_rate", SPEC.learning_rate)
        others = {name: value for name, value in changes.items() if name != "learning_rate"}
        assert len(changes) == (rule != "SGD")
        assert recipes[rule] == replace(recipes["SGD"], optimiser=SGD(learning_rate), **others)
    assert recipes["winsorised 5"].average == Average("winsorised", 5)
    assert recipes["clipped"].average == Average("clipped", SPEC.clip)
    assert recipes["SGD, winsorised length"].average == Average("winsorised", 5, length_only=True)
    assert recipes["partially Huberised"].loss == "partially Huberised"
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


def test_stopping_looks_at_held_out_labels():
    table = made(
        {
            (0, "SGD", "held-out accuracy", "all"): [0.2, 0.6, 0.5],
            (0, "SGD", "test accuracy", "all"): [0.3, 0.7, 0.8],
            (0, "SGD, learning rate x 0.1", "held-out accuracy", "all"): [0.1, 0.2, 0.3],
            (0, "SGD, learning rate x 0.1", "test accuracy", "all"): [0.9, 0.2, 0.3],
        }
    )
    assert claims.stopped(table).loc[0].to_dict() == {"SGD": 0.7, "SGD, learning rate x 0.1": 0.3}


def test_the_oracle_looks_at_other_seeds_and_at_another_half_of_the_test_set():
    """Of steps of 5ths plain descent is best at the second, with a tenth of the learning rate at the first."""
    slow = "SGD, learning rate x 0.1"
    curves = {}
    for seed, level in ((0, 0.0), (1, 0.1)):
        curves[seed, "SGD", "test accuracy", "first half"] = [0.3, 0.7, 0.6]
        curves[seed, "SGD", "test accuracy", "second half"] = [0.9, 0.5 + level, 0.8]
        curves[seed, slow, "test accuracy", "first half"] = [0.8, 0.2, 0.3]
        curves[seed, slow, "test accuracy", "second half"] = [0.4 + level, 0.9, 0.9]
    curves[0, slow, "test accuracy", "first half"] = [0.1, 0.2, 0.3]
    found = claims.best(made(curves))
    assert found["SGD"].tolist() == pytest.approx([0.5, 0.6])
    # seed 0 is told by seed 1 to take the slow rate's first step; seed 1 by seed 0 plain descent's second
    assert found["SGD, tuned"].tolist() == pytest.approx([0.4, 0.6])
    assert claims.best(made({key: value for key, value in curves.items() if key[0] == 0})).isna().all(axis=None)


def test_equal_memory_is_read_on_plain_descents_way_down():
    given, first, second = (
        ("train accuracy", "corrupted"),
        ("test accuracy", "first half"),
        ("test accuracy", "second half"),
    )
    table = made(
        {
            # what the first step gets right by luck is no memory, and lies before the best step
            (0, "SGD", *given): [0.4, 0.1, 0.3, 0.7],
            (0, "SGD", *first): [0.2, 0.9, 0.8, 0.6],
            (0, "SGD", *second): [0.99, 0.9, 0.8, 0.6],
            (0, "M3", *given): [0.0, 0.0, 0.1, 0.5],
            (0, "M3", *second): [0.1, 0.2, 0.3, 0.4],
            (0, "RM3", *given): [0.0, 0.0, 0.0, 0.05],
            (0, "RM3", *second): [0.1, 0.2, 0.3, 0.4],
        }
    )
    assert claims.at_equal_memory(table, "M3")[0] == pytest.approx(0.4 - 0.7)
    assert claims.at_equal_memory(table, "RM3")[0] == pytest.approx(0.4 - 0.9)
    assert claims.at_equal_memory(table, "SGD")[0] == pytest.approx(0.6 - 0.6)


def test_a_path_begins_at_the_best_step_and_outcomes_name_where_they_were_read():
    curves = {}
    for seed in (0, 1):
        curves[seed, "SGD", "train accuracy", "corrupted"] = [0.4, 0.1, 0.3, 0.7]
        for group in ("all", "first half", "second half"):
            curves[seed, "SGD", "test accuracy", group] = [0.2, 0.9, 0.8, 0.6]
        curves[seed, "SGD", "held-out accuracy", "all"] = [0.2, 0.3, 0.4, 0.3]
    table = made(curves)
    assert claims.path(table, "SGD").to_dict("list") == {"memorised": [0.1, 0.3, 0.7], "test accuracy": [0.9, 0.8, 0.6]}
    read = claims.outcomes(table, ["SGD"]).groupby("when")["test accuracy"].first()
    assert read.to_dict() == {"best for the others": 0.9, "stopped early": 0.8, "end": 0.6}


QUICK = STUDY.build("quick", {})
SLOW, WINSORISED, LENGTH, CLIPPED_LENGTH = (
    "SGD, learning rate x 0.1",
    "winsorised 5",
    "SGD, winsorised length",
    "SGD, clipped length",
)
#: At three steps; plain descent has half in memory at the second.
MEMORY = {
    "SGD": [0.1, 0.5, 0.8],
    SLOW: [0.0, 0.1, 0.5],
    "winsorised 1": [0.0, 0.3, 0.6],
    WINSORISED: [0.0, 0.1, 0.2],
    LENGTH: [0.0, 0.4, 0.7],
    "M3": [0.0, 0.3, 0.9],
    "RM3": [0.0, 0.2, 0.9],
    "RA3": [0.0, 0.4, 0.9],
    "clipped": [0.0, 0.1, 0.4],
    CLIPPED_LENGTH: [0.0, 0.1, 0.6],
    "partially Huberised": [0.0, 0.1, 0.2],
}
ACCURACY = {rule: [0.5, 0.6, 0.7] for rule in MEMORY} | {
    "SGD": [0.9, 0.7, 0.5],
    SLOW: [0.2, 0.5, 0.65],
    "clipped": [0.3, 0.8, 0.6],
}


def answer(values, memory=None, accuracy=None, nudge=1.001):
    """Both seeds with these curves, but seed 1 with ``nudge`` times those of the rules that are named."""
    curves = {}
    for seed in (0, 1):
        for kind, usual, changed in (("memory", MEMORY, memory or {}), ("accuracy", ACCURACY, accuracy or {})):
            for rule, values_of_rule in (usual | changed).items():
                own = [value * (nudge if seed and rule in changed else 1) for value in values_of_rule]
                if kind == "memory":
                    curves[seed, rule, "train accuracy", "corrupted"] = own
                else:
                    for group in ("all", "first half", "second half"):
                        curves[seed, rule, "test accuracy", group] = own
                    curves[seed, rule, "held-out accuracy", "all"] = [0.6, 0.5, 0.4]
    return Answer(made(curves), values, QUICK)


def less(rule, other, at_half=False):
    """A rule that has half of what another has, or nine tenths."""
    place = 1 if at_half else 2
    base = MEMORY[other][place]

    def has(part):
        curve = [0.0, part * base, part * base]
        return answer([part, 1.001 * part], memory={rule: curve})

    return Known(has(0.3), has(0.9))


KNOWN = {
    "winsorised-memorises-less": less(WINSORISED, "SGD"),
    "winsorised-beyond-length": less(WINSORISED, LENGTH),
    "clipping-memorises-less": less("clipped", "SGD"),
    "clipping-beyond-length": less("clipped", CLIPPED_LENGTH),
    "huberised-memorises-less": less("partially Huberised", "SGD"),
    "m3-slows-memory": less("M3", "SGD", at_half=True),
    "rm3-slows-memory": less("RM3", "SGD", at_half=True),
    "rm3-beyond-averaging": less("RM3", "RA3", at_half=True),
    # level 1 has 0.3 of plain descent's 0.5, level 5 a third of that: the larger ratio counts
    "suppression-orders": Known(
        answer([0.6, 0.6006], memory={"winsorised 1": [0, 0.3, 0.6]}),
        answer([1.2, 1.2], memory={"winsorised 1": [0, 0.1, 0.6], WINSORISED: [0, 0.12, 0.2]}),
    ),
    "winsorised-ends-better": Known(
        answer([0.2, 0.2007], accuracy={WINSORISED: [0, 0, 0.7]}),
        answer([0, 0.0005], accuracy={WINSORISED: [0, 0, 0.5]}),
    ),
    # plain descent is best at the first step, with 0.9
    "winsorised-peaks-higher": Known(
        answer([0.05, 0.05095], accuracy={WINSORISED: [0, 0.95, 0]}),
        answer([-0.1, -0.0992], accuracy={WINSORISED: [0, 0.8, 0]}),
    ),
    # plain descent has 0.2 in memory a quarter of the way from its first step, with 0.9, to its second, with 0.7
    "winsorised-leaves-the-path": Known(
        answer([0.05, 0.0509], accuracy={WINSORISED: [0, 0, 0.9]}),
        answer([-0.15, -0.1493], accuracy={WINSORISED: [0, 0, 0.7]}),
    ),
    # held-out labels are predicted best at the first step
    "winsorised-beats-stopping": Known(
        answer([0.05, 0.05095], accuracy={WINSORISED: [0, 0, 0.95]}),
        answer([-0.2, -0.1993], accuracy={WINSORISED: [0, 0, 0.7]}),
    ),
    "winsorised-beats-smaller-step": Known(
        answer([0.05, 0.0507], accuracy={WINSORISED: [0, 0, 0.7]}),
        answer([-0.15, -0.1495], accuracy={WINSORISED: [0, 0, 0.5]}),
    ),
    "clipping-beats-tuning": Known(
        answer([0.05, 0.05095], accuracy={"clipped": [0, 0.95, 0]}),
        answer([-0.1, -0.0992], accuracy={"clipped": [0, 0.8, 0]}),
    ),
    "huberised-ends-better": Known(
        answer([0.2, 0.2007], accuracy={"partially Huberised": [0, 0, 0.7]}),
        answer([0, 0.0005], accuracy={"partially Huberised": [0, 0, 0.5]}),
    ),
}


def test_tables_without_the_newer_rules_leave_their_claims_open():
    """Those that were published before."""
    table = answer([]).table
    older = table[~table["rule"].isin([LENGTH, CLIPPED_LENGTH, "partially Huberised"])]
    found = {claim.id: judge(claim, older, QUICK) for claim in STUDY.claims}
    open_ones = {id for id, judgement in found.items() if judgement.n == 0}
    assert open_ones == {
        "winsorised-beyond-length",
        "clipping-beyond-length",
        "huberised-memorises-less",
        "huberised-ends-better",
    }


@pytest.mark.parametrize("name", list(STUDY.controls))
def test_claims_fail_in_their_controls(name):
    spec = STUDY.changed(STUDY.build("quick", {"steps": 500, "n_measurements": 30}), STUDY.controls[name])
    table = design(spec).run(range(5), "cpu")
    for claim in STUDY.claims:
        if claim.control == name:
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
