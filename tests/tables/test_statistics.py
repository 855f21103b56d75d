"""Statistics that carry kind, scale and words, and the claims on them."""

import numpy as np
import pandas as pd
import pytest

from genbook.base.claims import judge
from genbook.tables.statistics import (
    claim,
    difference,
    fraction,
    half_example,
    half_rung,
    half_step,
    identity,
    order,
    proportion,
    ratio,
    slope,
)

EXPECTED = {
    ratio: ("mean", "log"),
    difference: ("mean", "identity"),
    fraction: ("mean", "logit"),
    slope: ("mean", "identity"),
    proportion: ("all", "identity"),
    identity: ("exact", "identity"),
}


def of(values, make=ratio):
    return make("times")(lambda table, spec: pd.Series(values, dtype=float))


def verdict(values, make=ratio, **relation):
    return judge(claim("c", "…", "s", of(values, make), control="none", **relation), pd.DataFrame(), None).verdict


@pytest.mark.parametrize("make", EXPECTED)
def test_a_statistic_knows_its_kind_and_scale(make):
    statistic = make("words")(lambda table, spec: pd.Series([1.0]))
    assert (statistic.kind, statistic.scale, statistic.words) == (*EXPECTED[make], "words")
    assert statistic(None, None).tolist() == [1.0]


def test_an_order_is_kept_from_its_ends_by_half_of_its_step():
    """Of four things there are six pairs; turning one of them round changes Kendall's τ by 1/3."""
    made = order("τ", lambda table, spec: pd.Series([1.0] * 5), ranked=lambda table, spec: spec)
    judged = judge(claim("c", "…", "s", made, above=0.5, control="none"), pd.DataFrame(), 4)
    assert (judged.estimate, judged.verdict) == (1.0, "holds")
    assert 0.5 < judged.low < 1 - 1 / 6
    assert judged.high == 1
    assert judge(claim("c", "…", "s", made, above=0.5, control="none"), pd.DataFrame(), 2).verdict == "undecided"
    assert judge(claim("c", "…", "s", made, above=0.5, control="none"), pd.DataFrame(), 3).verdict == "undecided"


def test_half_of_a_step():
    assert half_example(500) == 0.001
    assert half_rung([1, 2, 8]) == pytest.approx(np.log(2))
    assert half_rung([3, 1, 2], log=False) == 0.5
    assert half_step([[0.25, 0.75, np.nan], [0.3, 0.25 + 1e-15, 0.5]]) == pytest.approx(0.025)
    with pytest.raises(ValueError, match="tells no step"):
        half_step([0.5, 0.5])


def test_a_claim_takes_scale_and_words_from_its_statistic():
    made = claim("c", "…", "s", of([2.0, 3.0]), above=1.5, control="none", note="why")
    assert (made.relation, made.threshold, made.scale, made.threshold_text, made.control, made.note) == (
        (">", 1.5, "log", "times", "none", "why")
    )
    judged = judge(made, pd.DataFrame(), None)
    assert judged.estimate == pytest.approx(np.sqrt(6))


def test_equality_needs_the_whole_interval_within_the_bounds():
    assert verdict([1.1, 0.9, 1.2, 1.05], equals=1, within=2) == "holds"
    assert verdict([5.0, 5.5, 4.8], equals=1, within=2) == "fails"
    assert verdict([0.2, 0.21, 0.19], equals=1, within=2) == "fails"
    assert verdict([1.0, 3.0, 0.4], equals=1, within=2) == "undecided"
    assert verdict([0.1, -0.1, 0.0, 0.05], difference, equals=0, within=0.3) == "holds"
    assert verdict([0.6, 0.7, 0.65], difference, equals=0, within=0.3) == "fails"


def test_signed_values_that_scatter_around_equality_are_equal_where_folded_ones_are_not():
    """A folded ratio cannot come out at 1: its mean measures the scatter, not the difference."""
    values = np.exp(np.outer([1, 1.01], [0.6, -0.62, 0.55, -0.5, 0.45, -0.57, 0.52, -0.46]).ravel())
    assert verdict(values, equals=1, within=1.6) == "holds"
    assert verdict(np.exp(np.abs(np.log(values))), below=1.6) == "fails"


def test_equality_holds_exactly_where_the_larger_of_its_two_p_values_is_small():
    rng = np.random.default_rng(0)
    for _ in range(200):
        values = np.exp(rng.normal(rng.uniform(-1, 1), 0.5, 6))
        judged = judge(claim("c", "…", "s", of(values), equals=1, within=2, control="n"), pd.DataFrame(), None)
        assert (judged.verdict == "holds") == (judged.p < 0.025)


def test_an_identity_is_judged_by_the_farthest_value():
    assert verdict([1.0, 1.0 + 1e-9], identity, equals=1, within=1e-6) == "holds"
    assert verdict([1.0, 1.1], identity, equals=1, within=1e-6) == "fails"


@pytest.mark.parametrize("relation", [{}, {"above": 1, "below": 2}, {"equals": 1}, {"above": 1, "within": 2}])
def test_a_claim_without_one_clear_relation_is_refused(relation):
    with pytest.raises(ValueError, match="want one of above, below, or equals with within"):
        claim("c", "…", "s", of([1.0]), control="none", **relation)


def test_an_equality_that_could_never_hold_is_refused():
    with pytest.raises(ValueError, match="a factor > 1"):
        claim("c", "…", "s", of([1.0]), equals=1, within=0.5, control="none")
