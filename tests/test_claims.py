import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genbook.base.claims import Claim, Precondition, decide, judge, judge_all
from genbook.base.spec import Spec


def claim(**changes):
    settings = {
        "id": "toy",
        "statement": "More is more.",
        "source": "someone-2020",
        "statistic": lambda table, spec: table.set_index("seed")["value"],
        "relation": ">",
        "threshold": 1.0,
        "control": "shuffled",
    }
    return Claim(**{**settings, **changes})


def table(values):
    return pd.DataFrame({"seed": range(len(values)), "value": values})


@given(st.floats(-5, 5), st.floats(0, 3), st.floats(-5, 5))
def test_the_interval_decides_and_the_two_relations_mirror_each_other(low, width, threshold):
    above = decide(low, low + width, ">", threshold)
    assert above == ("holds" if low > threshold else "fails" if low + width < threshold else "undecided")
    assert decide(-low - width, -low, "<", -threshold) == above


@pytest.mark.parametrize(
    ("values", "verdict"),
    [([2.0, 2.1, 1.9, 2.01], "holds"), ([0.5, 0.4, 0.6, 0.51], "fails"), ([0.2, 1.9, 0.8, 1.5], "undecided")],
)
def test_a_mean_is_judged_by_its_interval(values, verdict):
    judgement = judge(claim(), table(values), Spec())
    assert judgement.verdict == verdict
    assert judgement.low < judgement.estimate < judgement.high
    assert judgement.estimate == pytest.approx(np.mean(values))
    assert (judgement.p < 0.025) == (verdict == "holds")


def test_one_seed_decides_nothing():
    assert judge(claim(), table([5.0]), Spec()).verdict == "undecided"


def test_a_censored_seed_supports_neither_side():
    judgement = judge(claim(), table([2.0, 2.1, 1.9, np.nan]), Spec())
    assert (judgement.verdict, judgement.n, judgement.censored) == ("undecided", 3, 1)
    assert np.isnan(judgement.p)
    assert judgement.reason == "1 of 4 values are censored"


def test_seeds_that_agree_are_judged_only_where_the_measuring_step_is_told():
    agreeing = judge(claim(), table([2.0, 2.0, 2.0, 2.5]), Spec())
    assert (agreeing.verdict, agreeing.reason) == (
        ("not judged", "seeds agree exactly, and the claim tells no measuring step")
    )
    assert np.isnan(agreeing.p)
    assert judge(claim(continuity=0.25), table([2.0, 2.0, 2.0, 2.5]), Spec()).verdict == "holds"
    told = judge(claim(continuity=lambda table, spec: 1.0 + len(table)), table([2.0] * 4), Spec())
    assert (told.verdict, told.low, told.high) == ("undecided", -3.0, 7.0)


def test_where_nothing_was_observed_the_measuring_step_is_not_asked_for():
    def no_grid(table, spec):
        raise ValueError("no two places were measured")

    judgement = judge(claim(continuity=no_grid), table([np.nan, np.nan]), Spec())
    assert (judgement.verdict, judgement.censored) == ("undecided", 2)
    with pytest.raises(ValueError, match="no two places"):
        judge(claim(continuity=no_grid), table([2.0, 2.1]), Spec())


@pytest.mark.parametrize("kind", ["mean", "all"])
def test_more_than_one_value_for_a_seed_is_refused(kind):
    twice = pd.DataFrame({"seed": [1, 1, 2], "value": [1.0, 0.0, 1.0]})
    with pytest.raises(ValueError, match="claim toy: want one value per seed"):
        judge(claim(kind=kind, threshold=0.5), twice, Spec())


def test_whatever_is_not_decided_says_why():
    assert judge(claim(), table([2.0, 2.1, 1.9]), Spec()).reason == ""
    assert judge(claim(), table([0.2, 1.9, 0.8]), Spec()).reason == "the interval lies on both sides of what is claimed"
    assert judge(claim(), table([2.0]), Spec()).reason == "no interval"
    assert judge(claim(), table([2.0, 2.1]), Spec(), judged=False).reason == "this profile judges nothing"


@pytest.mark.parametrize(
    ("scale", "undefined"), [("log", [0.0, -1.0, np.inf]), ("logit", [0.0, 1.0, 1.5]), ("identity", [np.inf, np.nan])]
)
def test_what_the_scale_cannot_show_counts_as_not_observed(scale, undefined):
    good = [0.8, 0.81, 0.79, 0.805]
    judgement = judge(claim(scale=scale, threshold=0.5), table(good + undefined), Spec())
    alone = judge(claim(scale=scale, threshold=0.5), table(good), Spec())
    assert (judgement.estimate, judgement.n, judgement.censored) == (alone.estimate, 4, len(undefined))
    assert (alone.verdict, judgement.verdict) == ("holds", "undecided")


def test_all_of_them_needs_enough_seeds():
    share = claim(kind="all", threshold=0.75)
    assert judge(share, table([True] * 25), Spec()).verdict == "holds"
    assert judge(share, table([True] * 4), Spec()).verdict == "undecided"
    assert judge(share, table([True] * 5 + [False] * 20), Spec()).verdict == "fails"


def test_an_exact_claim_is_judged_by_its_worst_case():
    exact = claim(kind="exact", relation="=", threshold=2.5, tolerance=1e-9)
    assert judge(exact, table([2.5, 2.5]), Spec()).verdict == "holds"
    broken = judge(exact, table([2.5, 2.6]), Spec())
    assert (broken.verdict, broken.estimate) == ("fails", 2.6)


def test_a_smoke_run_computes_and_judges_nothing():
    judgement = judge(claim(), table([2.0, 2.1]), Spec(), judged=False)
    assert judgement.verdict == "not judged"
    assert judgement.estimate == pytest.approx(2.05)


def test_a_relation_that_cannot_be_judged_is_refused():
    with pytest.raises(ValueError, match="kinds 'exact' and 'equal'"):
        claim(relation="=")


def demanding(threshold=0.5, relation=">"):
    """What is demanded is of a column of its own, so that claims and precondition can differ."""
    return Precondition("the fit", lambda rows, spec: rows.set_index("seed")["fit"], relation, threshold)


def with_fit(values, fit):
    return table(values).assign(fit=fit)


FAILING, EXACT = (
    claim(id="failing", threshold=5.0),
    claim(id="exact", kind="exact", relation="=", threshold=2.0, tolerance=1),
)


@pytest.mark.parametrize(
    ("fit", "relation", "met"),
    [
        ([0.8, 0.82, 0.78], ">", True),
        ([0.2, 0.22, 0.18], ">", False),
        ([0.2, 0.9, 0.5], ">", False),  # whether the data allow it is not known: nor is a failure one
        ([0.2, 0.22, 0.18], "<", True),
        ([0.8, 0.82, np.nan], ">", False),
        ([0.8], ">", True),
        ([0.2], ">", False),
        ([np.nan], ">", False),
    ],
)
def test_what_the_data_do_not_allow_is_not_testable(fit, relation, met):
    rows = with_fit([2.0, 2.1, 1.9][: len(fit)], fit)
    found = judge_all([claim(), FAILING, EXACT], rows, Spec(), precondition=demanding(relation=relation))
    alone = {name.id: judge(name, rows, Spec()) for name in (claim(), FAILING, EXACT)}
    assert found["exact"] == alone["exact"], "an identity asks nothing of the data"
    if met:
        assert found == alone
        return
    assert {found[name].verdict for name in ("toy", "failing")} == {"not testable"}
    for name in ("toy", "failing"):
        assert found[name].reason.startswith(f"the fit must be {relation} 0.5, and is ")
        assert np.isnan(found[name].p)
        assert (found[name].estimate, found[name].low) == pytest.approx(
            (alone[name].estimate, alone[name].low), nan_ok=True
        )


def test_the_reason_has_the_measured_value():
    found = judge_all([claim()], with_fit([2.0, 2.1], [0.25, 0.25]), Spec(), precondition=demanding())
    assert "and is 0.25" in found["toy"].reason


@given(st.lists(st.integers(-100, 100).map(lambda k: k / 100), min_size=1, max_size=6), st.floats(-5, 5))
def test_where_the_precondition_is_missed_no_claim_fails(fit, threshold):
    rows = with_fit(np.linspace(0.9, 1.1, len(fit)), fit)
    asked = demanding()
    (found,) = judge_all([claim(threshold=threshold)], rows, Spec(), precondition=asked).values()
    lacking = asked.lacking(asked.measured(rows, Spec()))
    assert (found.verdict == "not testable") == bool(lacking)
    assert found.reason == lacking or not lacking
    if np.mean(fit) < 0.5:
        assert found.verdict != "fails"


def test_a_smoke_run_asks_for_no_precondition():
    rows = with_fit([2.0, 2.1], [0.1, 0.1])
    assert judge_all([claim()], rows, Spec(), judged=False, precondition=demanding())["toy"].verdict == "not judged"
