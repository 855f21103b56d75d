"""Robust losses on convolutions: the conditions, and the statistics on tables whose answers are known."""

import pandas as pd
import pytest

from genbook import studies
from genbook.base.recipes import Average, EarlyLearning
from genbook.base.spec import ParameterError
from genbook.experiments import CNN, CNN1D, Labels
from genbook.studies.noise.robust_losses import claims
from genbook.studies.noise.robust_losses.design import RobustLossesSpec, design
from tests.known import Answer, Known

STUDY = studies.get("robust_losses")
SPEC = RobustLossesSpec()


def test_rules_differ_in_the_recipe_alone():
    conditions = design(SPEC).conditions
    assert [c.columns["rule"] for c in conditions] == list(SPEC.rules)
    assert {(c.images, c.network) for c in conditions} == {(conditions[0].images, CNN(4))}
    recipes = {c.columns["rule"]: c.recipe for c in conditions}
    assert recipes["early learning"].early_learning == EarlyLearning(3.0, 0.7)
    assert recipes["winsorised"].average == Average("winsorised", 5)
    assert recipes["partially Huberised"].loss == "partially Huberised"
    assert (recipes["plain"].early_learning, recipes["plain"].average, recipes["plain"].loss) == (
        None, None, "cross-entropy",
    )  # fmt: skip


def test_controls_change_the_labels():
    wrong = {
        name: design(STUDY.changed(SPEC, STUDY.controls[name])).conditions[0].images.labels for name in STUDY.controls
    }
    assert wrong == {
        "clean labels": Labels().wrong(0.3).corrected(),
        "shuffled labels": Labels().shuffled().wrong(0.3),
    }
    assert design(RobustLossesSpec.build(dataset="mnist1d")).conditions[0].network == CNN1D(4)


@pytest.mark.parametrize(
    ("changed", "message"),
    [({"rules": ["winsorised"]}, "'plain' and others"), ({"winsorised": 30}, "can lose 24 a side")],
)
def test_what_cannot_be_is_refused(changed, message):
    with pytest.raises(ParameterError, match=message):
        RobustLossesSpec.build(**changed)


STEPS = (0, 1, 10, 100, 1000)
USUAL = {
    # Memorised by the steps, and the accuracy on new images there.
    "plain": ([0.1, 0.1, 0.1, 0.5, 0.9], [0.1, 0.3, 0.8, 0.6, 0.5]),
    "early learning": ([0.1, 0.1, 0.1, 0.1, 0.3], [0.1, 0.3, 0.9, 0.9, 0.9]),
    "partially Huberised": ([0.1, 0.1, 0.1, 0.1, 0.2], [0.1, 0.1, 0.5, 0.6, 0.7]),
    "winsorised": ([0.1, 0.1, 0.1, 0.1, 0.3], [0.1, 0.3, 0.8, 0.85, 0.85]),
}


def known_table(clean=(0.1, 0.1, 0.9, 1.0, 1.0), true=(0.1, 0.3, 0.8, 0.5, 0.1), **changed):
    """Two seeds; the second has a thousandth more of all but what is memorised."""
    rows = []
    for seed in (0, 1):
        for rule in USUAL:
            memory, test = changed.get(rule.replace(" ", "_"), USUAL[rule])
            values = {
                ("train accuracy", "corrupted"): memory,
                ("train accuracy", "clean"): [(1 + 0.001 * seed) * value for value in clean],
                ("train accuracy on true labels", "corrupted"): [(1 + 0.001 * seed) * value for value in true],
                ("test accuracy", "all"): [(1 + 0.001 * seed) * value for value in test],
            }
            for (quantity, group), curve in values.items():
                rows += [(seed, rule, step, quantity, group, v) for step, v in zip(STEPS, curve, strict=True)]
            rows.append((seed, rule, 1000, "classes", "all", 10.0))
    return pd.DataFrame(rows, columns=["seed", "rule", "step", "quantity", "group", "value"])


def answer(values, **changes):
    return Answer(known_table(**changes), values, SPEC)


def times(value):
    return [value, 1.001 * value]


def between(before, after, times):
    """How far on the way between two values, each so many times as large, a half lies."""
    return (0.5 - times * before) / (times * after - times * before)


ALIKE = USUAL["plain"]
#: A quarter of the way from step 10, in the logarithm, plain descent has a fifth, and .75 on new images.
AT_SHARE = {"plain": 0.75, "early learning": 0.9, "winsorised": 0.85}
KNOWN = {
    "convolutions-clean-first": Known(
        answer([100 / 10 ** between(0.1, 0.9, k) for k in (1, 1.001)]),
        answer([10 / 10 ** between(0.1, 0.5, k) for k in (1, 1.001)], clean=ALIKE[0], true=ALIKE[0]),
    ),
    "convolutions-true-first": Known(answer([8.0, 8.008]), answer([2.0, 2.002], true=(0.1, 0.2, 0.2, 0.1, 0.1))),
    "early-learning-memorises-less": Known(answer([1 / 3] * 2), answer([1.0] * 2, early_learning=ALIKE)),
    "huberised-memorises-less-convolutions": Known(answer([2 / 9] * 2), answer([1.0] * 2, partially_Huberised=ALIKE)),
    "early-learning-ends-better": Known(answer(times(0.4)), answer([0.0] * 2, early_learning=ALIKE)),
    "early-learning-over-plain": Known(answer(times(0.15)), answer([0.0] * 2, early_learning=ALIKE)),
    "winsorised-over-plain": Known(answer(times(0.1)), answer([0.0] * 2, winsorised=ALIKE)),
    "early-learning-over-winsorised": Known(
        answer(times(0.15), winsorised=ALIKE), answer(times(-0.1), early_learning=ALIKE)
    ),
}


def test_rules_are_read_where_each_has_memorised_the_share():
    for rule, expected in AT_SHARE.items():
        assert claims.at_share(known_table(), rule).tolist() == pytest.approx(times(expected))


def test_a_training_that_never_memorises_so_many_is_read_at_its_end():
    never = ([0.1] * 5, [0.1, 0.2, 0.3, 0.4, 0.45])
    assert claims.at_share(known_table(early_learning=never), "early learning").tolist() == pytest.approx(times(0.45))


def test_a_rule_that_was_not_trained_has_no_value():
    table = known_table().query("rule == 'plain'")
    assert claims.at_share(table, "winsorised").isna().all()
