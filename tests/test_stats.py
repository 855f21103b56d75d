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
    ("scale", "forward", "back"),
    [("log", np.log, np.exp), ("logit", special.logit, special.expit), ("atanh", np.arctanh, np.tanh)],
)
def test_other_scales_are_the_identity_interval_transformed_back(scale, forward, back):
    values = generator(0, "t").uniform(0.2, 0.95, 6)
    expected = stats.ttest_1samp(forward(values), 0).confidence_interval(0.95)
    np.testing.assert_allclose(ends(t_interval(values, scale)), back(expected), rtol=1e-10)


def test_the_estimate_is_geometric_on_the_log_scale_and_the_raw_mean_between_two_ends():
    values = generator(0, "t").uniform(0.2, 0.95, 6)
    assert t_interval(values, "log").estimate == pytest.approx(np.exp(np.log(values).mean()))
    for scale in ("logit", "atanh"):
        assert t_interval(values, scale).estimate == pytest.approx(values.mean())
        assert t_interval([1.0, 1.0, 0.9], scale, continuity=0.01).estimate == pytest.approx(2.9 / 3)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=8), st.sampled_from(["logit", "atanh"]), st.floats(0.0001, 0.2))
def test_intervals_stay_in_their_range_and_hold_their_estimate(values, scale, continuity):
    interval = t_interval(values, scale, continuity=continuity)
    least = -1 if scale == "atanh" else 0
    assert least <= interval.low <= interval.estimate <= interval.high <= 1


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
    ("scale", "low", "high"),
    [("identity", -math.inf, math.inf), ("log", 0, math.inf), ("logit", 0, 1), ("atanh", -1, 1)],
)
def test_one_seed_leaves_the_whole_scale_open(scale, low, high):
    assert t_interval([0.7], scale) == Interval(pytest.approx(0.7), low, high, 1)
    assert t_interval([0.7], scale, continuity=0.001) == Interval(pytest.approx(0.7), low, high, 1)


@pytest.mark.parametrize("scale", ["identity", "log", "logit", "atanh"])
def test_seeds_that_agree_are_no_certainty(scale):
    silent = t_interval([0.1] * 7, scale)
    assert (silent.estimate, silent.n) == (pytest.approx(0.1), 7)
    assert math.isnan(silent.low)
    assert math.isnan(silent.high)
    assert math.isnan(p_value([0.1] * 7, 0.05, ">", scale))


@pytest.mark.parametrize("n", [2, 5, 200])
@pytest.mark.parametrize("scale", ["identity", "logit", "atanh"])
def test_no_number_of_seeds_tells_more_closely_than_the_step(scale, n):
    """All seeds were rounded to .1 on a grid with steps of .01: what was rounded lies within half a step of it."""
    interval = t_interval([0.1] * n, scale, continuity=0.005)
    assert ends(interval) == pytest.approx([0.095, 0.105], abs=2e-4)


def test_on_a_log_grid_the_interval_reaches_half_a_rung_to_either_side():
    rung = 1.3
    interval = t_interval([4.0] * 5, "log", continuity=math.log(rung) / 2)
    np.testing.assert_allclose(ends(interval), [4 / math.sqrt(rung), 4 * math.sqrt(rung)])


def test_values_on_a_grid_are_covered_where_their_step_is_told():
    """Steps wider than the seeds' spread: in most samples all five agree, and the truth is not where they are."""
    step, truth = 0.25, 0.42
    samples = np.round(generator(6, "grid").normal(truth, 0.02, (1000, 5)) / step) * step
    assert np.mean(np.ptp(samples, axis=1) == 0) > 0.5
    assert coverage(lambda v: t_interval(v, continuity=step / 2), samples, truth) > 0.99


def test_the_floor_is_not_added_where_seeds_differ_more():
    values = [0.2, 0.4, 0.9]
    assert t_interval(values, continuity=0.001) == t_interval(values)


@pytest.mark.parametrize("perfect", [0.0, 1.0])
def test_perfect_accuracies_need_a_continuity_and_are_printed_as_measured(perfect):
    with pytest.raises(ValueError, match="a continuity takes in the ends"):
        t_interval([perfect] * 5, "logit")
    interval = t_interval([perfect] * 5, "logit", continuity=0.001)
    assert interval.estimate == perfect
    assert 0 <= interval.low <= interval.estimate <= interval.high <= 1
    assert 0.001 < interval.high - interval.low < 0.01


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


@given(
    st.lists(st.floats(0.001, 0.999), min_size=1, max_size=5), st.sampled_from(["identity", "log", "logit", "atanh"])
)
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
    st.lists(st.floats(0.01, 0.99), min_size=2, max_size=7),
    st.floats(0.02, 0.98),
    st.sampled_from(["log", "logit", "atanh"]),
)
def test_p_value_and_interval_give_the_same_verdict(values, threshold, scale):
    interval = t_interval(values, scale, continuity=1e-3)
    if min(abs(ends(interval) - threshold)) > 1e-9:
        assert (p_value(values, threshold, ">", scale, 1e-3) < 0.025) == (interval.low > threshold)
        assert (p_value(values, threshold, "<", scale, 1e-3) < 0.025) == (interval.high < threshold)


def test_p_values_are_uniform_at_the_threshold():
    samples = generator(4, "p").normal(2, 1, (3000, 5))
    assert stats.kstest([p_value(sample, 2, ">") for sample in samples], "uniform").pvalue > 1e-3


def test_p_values_without_spread():
    assert p_value([0.7], 0.1, ">") == 1
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
