"""Intervals and corrections against closed forms, scipy, and simulated coverage."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from genbook.base.seeding import generator
from genbook.base.stats import (
    Interval,
    binomial_p_value,
    clopper_pearson,
    expected_chance_holds,
    from_scale,
    holm,
    kendall_tau,
    p_value,
    t_interval,
    to_scale,
)

finite = st.floats(-1e3, 1e3, allow_nan=False)
probabilities = st.floats(0, 1, allow_nan=False)


def ends(interval):
    return np.array([interval.low, interval.high])


# --- Student's t


def test_two_values_have_a_closed_form():
    # With one degree of freedom t is Cauchy: its quantile is tan(π (p - 1/2)).
    half_width = math.tan(math.pi * 0.475) * 1.0  # the standard error of 1 and 3 is 1
    interval = t_interval([1.0, 3.0])
    assert interval == Interval(2.0, pytest.approx(2 - half_width), pytest.approx(2 + half_width), 2)


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95, 0.99])
@pytest.mark.parametrize("n", [2, 5, 20])
def test_identity_agrees_with_scipy(n, level):
    values = generator(n, "t").normal(3, 2, n)
    expected = stats.ttest_1samp(values, 0).confidence_interval(level)
    np.testing.assert_allclose(ends(t_interval(values, level=level)), expected, rtol=1e-10)


@pytest.mark.parametrize(
    ("scale", "forward", "back"), [("log", np.log, np.exp), ("logit", special.logit, special.expit)]
)
def test_other_scales_are_the_identity_interval_transformed_back(scale, forward, back):
    values = generator(0, "t").uniform(0.2, 0.95, 6)
    expected = stats.ttest_1samp(forward(values), 0).confidence_interval(0.95)
    interval = t_interval(values, scale)
    np.testing.assert_allclose(ends(interval), back(expected), rtol=1e-10)
    assert interval.estimate == pytest.approx(back(forward(values).mean()))


@given(st.lists(st.floats(0.01, 100), min_size=2, max_size=8), st.floats(0.1, 10))
def test_the_log_interval_follows_a_change_of_unit(values, factor):
    before, after = t_interval(values, "log"), t_interval(np.array(values) * factor, "log")
    np.testing.assert_allclose(ends(after), ends(before) * factor, rtol=1e-6)


@given(st.lists(st.floats(0.01, 0.99), min_size=2, max_size=8))
def test_accuracy_and_error_have_mirrored_logit_intervals(values):
    accuracy, error = t_interval(values, "logit"), t_interval(1 - np.array(values), "logit")
    np.testing.assert_allclose(ends(accuracy), 1 - ends(error)[::-1], atol=1e-9)


def coverage(interval_of, samples, truth):
    low, high = np.array([ends(interval_of(sample)) for sample in samples]).T
    return np.mean((low <= truth) & (truth <= high))


def test_t_covers_what_it_says_at_five_seeds_and_the_percentile_bootstrap_does_not():
    rng = generator(0, "coverage")
    samples = rng.normal(1.0, 2.0, (4000, 5))
    resamples = rng.integers(0, 5, (400, 5))

    def percentile_bootstrap(sample):
        low, high = np.quantile(sample[resamples].mean(axis=1), [0.025, 0.975])
        return Interval(sample.mean(), low, high, 5)

    # 4000 samples: the standard error of a coverage of .95 is .0034.
    assert coverage(t_interval, samples, 1.0) == pytest.approx(0.95, abs=0.015)
    assert coverage(percentile_bootstrap, samples, 1.0) < 0.88


def test_coverage_of_high_accuracies_on_the_logit_scale():
    # Five seeds differ by .3 on the logit scale around an accuracy of .98, each measured on 497 test examples.
    rng = generator(1, "coverage")
    true_accuracies = special.expit(rng.normal(special.logit(0.98), 0.3, (3000, 5)))
    measured = rng.binomial(497, true_accuracies) / 497
    assert coverage(lambda v: t_interval(v, "logit", continuity=1 / 994), measured, 0.98) == pytest.approx(
        0.95, abs=0.02
    )


# --- the edges: one seed, no spread, accuracies of exactly 0 and 1


@pytest.mark.parametrize(
    ("scale", "low", "high"), [("identity", -math.inf, math.inf), ("log", 0, math.inf), ("logit", 0, 1)]
)
def test_one_seed_leaves_the_whole_scale_open(scale, low, high):
    assert t_interval([0.7], scale) == Interval(pytest.approx(0.7), low, high, 1)
    assert t_interval([0.7], scale, continuity=0.001) == Interval(pytest.approx(0.7), low, high, 1)


@pytest.mark.parametrize("scale", ["identity", "log", "logit"])
def test_no_spread_gives_no_width_unless_a_continuity_says_how_coarse_the_values_are(scale):
    assert t_interval([0.1] * 7, scale) == Interval(*[pytest.approx(0.1, rel=1e-14)] * 3, 7)
    interval = t_interval([0.1] * 7, scale, continuity=0.005)
    assert interval.low < 0.1 < interval.high
    # On every scale the floor is the standard deviation of rounding to a step of .01, .01 / sqrt(12).
    half_width = stats.t.ppf(0.975, 6) * 0.01 / math.sqrt(12 * 7)
    assert interval.high - interval.low == pytest.approx(2 * half_width, rel=0.02)


def test_the_floor_is_not_added_where_seeds_differ_more():
    values = [0.2, 0.4, 0.9]
    assert t_interval(values, continuity=0.001) == t_interval(values)


@pytest.mark.parametrize("perfect", [0.0, 1.0])
def test_perfect_accuracies_need_a_continuity_and_get_an_interval_inside_the_scale(perfect):
    with pytest.raises(ValueError, match="a continuity takes in the ends"):
        t_interval([perfect] * 5, "logit")
    interval = t_interval([perfect] * 5, "logit", continuity=0.001)
    assert interval.estimate == pytest.approx(abs(perfect - 0.001))
    assert 0 < interval.low < interval.estimate < interval.high < 1
    assert interval.high - interval.low < 0.01


def test_more_test_examples_bring_perfect_accuracies_closer_to_one():
    lows = [t_interval([1.0] * 5, "logit", continuity=1 / (2 * n)).low for n in (100, 500, 10_000)]
    assert lows == sorted(lows)
    assert 1 - lows[-1] < 1e-3


def test_values_of_any_other_kind_are_refused():
    for values in ([], [[1.0, 2.0]], 3.0):
        with pytest.raises(ValueError, match="one value per seed"):
            t_interval(values)
    with pytest.raises(ValueError, match="finite values"):
        t_interval([1.0, math.nan])
    with pytest.raises(ValueError, match="between 0 and inf, got -1"):
        t_interval([1.0, -1.0], "log")
    with pytest.raises(ValueError, match=r"between 0 and 1, got 1\.5"):
        t_interval([0.5, 1.5], "logit", continuity=0.01)
    with pytest.raises(ValueError, match="unknown scale 'sqrt'"):
        t_interval([1.0, 2.0], "sqrt")
    with pytest.raises(ValueError, match="a level lies strictly between 0 and 1"):
        t_interval([1.0, 2.0], level=95)
    for continuity in (0.0, -0.1, 0.5, math.nan):
        with pytest.raises(ValueError, match="half a measuring step"):
            t_interval([0.5, 0.6], "logit", continuity=continuity)


@given(st.lists(st.floats(0.001, 0.999), min_size=1, max_size=5), st.sampled_from(["identity", "log", "logit"]))
def test_from_scale_inverts_to_scale(values, scale):
    np.testing.assert_allclose(from_scale(to_scale(values, scale), scale), values, rtol=1e-9)


# --- p-values


@pytest.mark.parametrize(
    ("relation", "alternative"), [(">", "greater"), (">=", "greater"), ("<", "less"), ("<=", "less")]
)
def test_p_values_agree_with_scipy(relation, alternative):
    values = generator(3, "p").normal(0.3, 1, 6)
    expected = stats.ttest_1samp(values, 0.1, alternative=alternative).pvalue
    assert p_value(values, 0.1, relation) == pytest.approx(expected, rel=1e-10)


@given(
    st.lists(st.floats(0.01, 0.99), min_size=2, max_size=7), st.floats(0.02, 0.98), st.sampled_from(["log", "logit"])
)
def test_p_value_and_interval_give_the_same_verdict(values, threshold, scale):
    interval = t_interval(values, scale)
    if min(abs(ends(interval) - threshold)) > 1e-9:
        assert (p_value(values, threshold, ">", scale) < 0.025) == (interval.low > threshold)
        assert (p_value(values, threshold, "<", scale) < 0.025) == (interval.high < threshold)


def test_p_values_are_uniform_at_the_threshold():
    samples = generator(4, "p").normal(2, 1, (3000, 5))
    assert stats.kstest([p_value(sample, 2, ">") for sample in samples], "uniform").pvalue > 1e-3


def test_p_values_without_spread():
    assert p_value([0.7], 0.1, ">") == 1
    assert p_value([0.7, 0.7], 0.1, ">") == 0
    assert p_value([0.7, 0.7], 0.7, ">") == 1
    assert p_value([0.7, 0.7], 0.1, "<") == 1
    assert 0 < p_value([0.7, 0.7], 0.69, ">", continuity=0.05) < 0.5


def test_p_values_refuse_what_is_no_comparison():
    with pytest.raises(ValueError, match="unknown relation '=='"):
        p_value([1.0, 2.0], 1, "==")
    with pytest.raises(ValueError, match="between 0 and 1, got 1"):
        p_value([0.5, 0.6], 1.0, ">", "logit")


# --- proportions


@pytest.mark.parametrize("n", [1, 5, 20])
def test_all_of_them_has_a_closed_form(n):
    assert clopper_pearson(n, n) == Interval(1.0, pytest.approx(0.025 ** (1 / n)), 1.0, n)
    assert clopper_pearson(0, n) == Interval(0.0, 0.0, pytest.approx(1 - 0.025 ** (1 / n)), n)


@given(st.integers(1, 60), st.data(), st.floats(0.5, 0.99))
def test_clopper_pearson_agrees_with_scipy(n, data, level):
    successes = data.draw(st.integers(0, n))
    expected = stats.binomtest(successes, n).proportion_ci(level, method="exact")
    np.testing.assert_allclose(ends(clopper_pearson(successes, n, level)), expected, atol=1e-9)


@given(st.integers(1, 60), st.data(), st.floats(0.01, 0.99))
def test_binomial_p_values_agree_with_scipy(n, data, threshold):
    successes = data.draw(st.integers(0, n))
    for relation, alternative in ((">", "greater"), ("<", "less")):
        expected = stats.binomtest(successes, n, threshold, alternative).pvalue
        assert binomial_p_value(successes, n, threshold, relation) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("successes", "n"), [(-1, 5), (6, 5), (0, 0), (1.5, 5)])
def test_impossible_counts_are_refused(successes, n):
    with pytest.raises(ValueError, match="0 <= successes <= n"):
        clopper_pearson(successes, n)


# --- orderings


@given(st.integers(2, 12), st.data())
def test_kendall_tau_agrees_with_scipy(n, data):
    x = data.draw(st.lists(st.integers(0, 6), min_size=n, max_size=n))
    y = data.draw(st.lists(st.integers(0, 6), min_size=n, max_size=n))
    expected = stats.kendalltau(x, y).statistic
    assert kendall_tau(x, y) == pytest.approx(0.0 if math.isnan(expected) else expected, abs=1e-12)


def test_kendall_tau_of_orders():
    assert kendall_tau([1, 2, 3, 4], [10, 20, 30, 31]) == 1
    assert kendall_tau([1, 2, 3, 4], [9, 5, 2, 1]) == -1
    assert kendall_tau([1, 2, 3], [1, 3, 2]) == pytest.approx(1 / 3)
    with pytest.raises(ValueError, match="two sequences of one length"):
        kendall_tau([1, 2], [1, 2, 3])
    with pytest.raises(ValueError, match="finite values"):
        kendall_tau([1, 2], [1, math.nan])


# --- many claims


def test_holm_by_hand():
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    assert holm([]).size == 0


@given(st.lists(probabilities, min_size=1, max_size=10), st.floats(0.001, 0.5))
def test_holm_rejects_as_the_sequential_procedure_does(p_values, alpha):
    rejected = set()
    for rank, index in enumerate(np.argsort(p_values, kind="stable")):
        if p_values[index] * (len(p_values) - rank) > alpha:
            break
        rejected.add(int(index))
    assert set(np.flatnonzero(holm(p_values) <= alpha).tolist()) == rejected


def test_holm_keeps_the_familywise_error():
    p_values = generator(0, "holm").random((4000, 12))
    false_rejections = np.mean([(holm(row) <= 0.05).any() for row in p_values])
    assert false_rejections == pytest.approx(0.05, abs=0.015)


@pytest.mark.parametrize("p_values", [[0.5, 1.5], [-0.1], [math.nan]])
def test_holm_refuses_what_is_no_probability(p_values):
    with pytest.raises(ValueError, match=r"p-values|finite"):
        holm(p_values)


def test_chance_alone_gives_as_many_holds_as_announced():
    assert expected_chance_holds(0) == 0
    samples = generator(5, "chance").normal(0.3, 1, (4000, 5))  # the truth lies at the threshold
    holds = sum(t_interval(sample).low > 0.3 for sample in samples)
    assert holds == pytest.approx(expected_chance_holds(4000), abs=4 * math.sqrt(100))
    with pytest.raises(ValueError, match="not negative"):
        expected_chance_holds(-1)
