"""The linear student: formulas against quadrature, real steps and random matrices; the table; the statistics."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, optimize

from genbook.base.claims import judge
from genbook.studies import get
from genbook.studies.descent.linear_teacher import claims, theory
from genbook.studies.descent.linear_teacher.run import drawn, modes, run, samples, times, trajectories
from genbook.studies.descent.linear_teacher.spec import LinearTeacherSpec

STUDY = get("linear_teacher")
SMALL = STUDY.build("smoke", {})


@pytest.fixture(scope="module")
def table():
    return run(SMALL, [0, 1], "cpu")


def marchenko_pastur(ratio, function):
    """Mean of ``function`` over the law, by adaptive quadrature of the density as it is usually written."""
    low, high = (1 - np.sqrt(ratio)) ** 2, (1 + np.sqrt(ratio)) ** 2

    def integrand(x):
        return np.sqrt(max((high - x) * (x - low), 0.0)) / (2 * np.pi * x) * function(x)

    cuts = np.geomspace(max(low, 1e-14) * 1.0001, high * 0.9999, 25)
    edges = [low, *cuts, high]
    bulk = sum(integrate.quad(integrand, a, b, limit=200)[0] for a, b in itertools.pairwise(edges))
    return bulk + (max(0.0, 1 - ratio) * function(0.0) if ratio < 1 else 0.0)


@pytest.mark.parametrize("ratio", [0.25, 0.9, 1.0, 1.1, 4.0])
def test_the_law_has_its_mass_and_mean(ratio):
    eigenvalues, weights = theory.bulk(ratio)
    assert weights.sum() == pytest.approx(min(ratio, 1), rel=1e-10)
    assert weights @ eigenvalues == pytest.approx(ratio, rel=1e-10)


@pytest.mark.parametrize(
    ("ratio", "time", "snr", "inr"),
    [(0.25, 3, 5, 0.5), (0.9, 100, 5, 0), (1.0, 1e4, 1, 2), (1.1, 1e3, 100, 0), (4, 1, 1, 0)],
)
def test_generalization_error_is_the_integral(ratio, time, snr, inr):
    def cost(x):
        noise = (1 - np.exp(-x * time)) ** 2 / x if x else 0.0
        return snr * (1 + inr) * np.exp(-2 * x * time) + noise

    expected = 1 + marchenko_pastur(ratio, cost)
    assert theory.generalization_error(ratio, [time], snr, inr)[0] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("ratio", [0.3, 0.95, 1.0, 1.6])
def test_ridge_closed_forms_are_the_integral_and_its_minimum(ratio):
    snr = 5.0
    for ridge in (0.01, 1 / snr, 3.0):
        expected = 1 + marchenko_pastur(ratio, lambda x, g=ridge: (g**2 * snr + x) / (x + g) ** 2)
        assert theory.ridge_error(ratio, ridge, snr) == pytest.approx(expected, rel=1e-6)
        # descent with this decay ends there
        assert theory.generalization_error(ratio, [1e6], snr, decay=ridge)[0] == pytest.approx(expected, rel=1e-6)
    assert theory.ridge_error(ratio, 1 / snr, snr) == pytest.approx(1 + theory.resolvent(ratio, 1 / snr), rel=1e-10)
    best = optimize.minimize_scalar(
        lambda x: theory.ridge_error(ratio, np.exp(x), snr), bounds=(-6, 3), method="bounded"
    )
    assert np.exp(best.x) == pytest.approx(1 / snr, rel=1e-3)


def test_a_mode_stopped_at_its_own_best_time_costs_what_the_best_ridge_costs():
    snr, x = 5.0, 0.37
    stop = np.log(1 + snr * x) / x
    assert snr * np.exp(-2 * x * stop) + (1 - np.exp(-x * stop)) ** 2 / x == pytest.approx(1 / (x + 1 / snr))


def test_limits_in_time():
    snr, inr = 5.0, 0.5
    for ratio in (0.25, 0.8, 1.3, 4.0):
        late = theory.generalization_error(ratio, [1e6], snr, inr)[0]
        few = 1 + ratio / (1 - ratio) + snr * (1 + inr) * (1 - ratio)
        assert late == pytest.approx(few if ratio < 1 else 1 + 1 / (ratio - 1), rel=1e-9)
    late = np.array([1e4, 1e5])
    assert theory.generalization_error(1.0, late, 1e-9) - 1 == pytest.approx(theory.root_law(late), rel=1e-2)
    product = theory.training_error(1.0, late, 1e-9) * theory.root_law(late)
    assert product == pytest.approx(np.full(2, 2 / np.pi * (np.sqrt(2) - 1)), rel=1e-2)


def test_the_excess_at_finite_size_is_that_of_random_matrices():
    draw, size, beyond = np.random.default_rng(0), 12, 18
    found = []
    for _ in range(4000):
        inputs = draw.standard_normal((size + beyond, size)) / np.sqrt(size)
        found.append((1 / np.linalg.svd(inputs, compute_uv=False) ** 2).sum() / size)
    assert np.mean(found) == pytest.approx(theory.finite_excess(beyond) * size / beyond, rel=0.03)


@pytest.mark.parametrize("decay", [0.0, 0.3])
@pytest.mark.parametrize("count", [7, 25])
def test_the_flow_is_what_small_steps_do(count, decay):
    draw = np.random.default_rng(1)
    inputs = draw.standard_normal((count, 12)) / np.sqrt(12)
    answers, start = draw.standard_normal((count, 2)), draw.standard_normal((12, 2))
    step, weights = 1e-4, start.copy()
    for _ in range(20_000):
        weights -= step * (inputs.T @ (inputs @ weights - answers) + decay * weights)
    flow = trajectories(modes(inputs, answers), start, np.array([0.0, 2.0]), decay)
    assert flow[:, 0] == pytest.approx(start)
    assert flow[:, 1] == pytest.approx(weights, abs=2e-3)


def test_simulation_approaches_the_formulas_of_both_errors():
    spec = LinearTeacherSpec.build(inputs=[10, 300], samples_per_weight=[0.5, 1.0, 2.0], teachers=30, draws=2)
    found = run(spec, [3], "cpu")
    for ratio in (0.5, 2.0):
        for start, inr in (("small", 0.0), ("large", 1.0)):
            course = claims.errors(found, spec, start).loc[(3, ratio)]
            expected = theory.generalization_error(ratio, course.index, spec.snr, inr)
            assert course.to_numpy() == pytest.approx(expected, rel=0.05)
        rows = found.query("quantity == 'training error' and ratio == @ratio and size == 300 and at < 5")
        assert rows["value"].to_numpy() == pytest.approx(theory.training_error(ratio, rows["at"], spec.snr), rel=0.08)


def test_more_samples_contain_the_fewer_and_lengths_are_fixed():
    problem = drawn(SMALL, 0, 20)
    assert (problem.teacher**2).mean(0) == pytest.approx(np.full(SMALL.teachers, SMALL.snr))
    assert problem.inputs.shape == (samples(SMALL.samples_per_weight[-1], 20), 20)
    assert problem.answers(5) == pytest.approx(problem.answers(9)[:5])


def test_times_begin_and_end_as_asked():
    assert times(SMALL)[[0, -1]] == pytest.approx([SMALL.earliest, SMALL.latest])


def synthetic(ends, quantity="test error, small start", factor=1.0, size=SMALL.inputs[-1]):
    """A table whose quantity is ``ends[ratio]`` at all times, for two seeds."""
    rows = [
        (seed, size, ratio, t, quantity, factor * value)
        for seed in (0, 1)
        for ratio, value in ends.items()
        for t in (1.0, 10.0)
    ]
    return pd.DataFrame(rows, columns=list(STUDY.columns))


def test_statistics_on_known_tables():
    ends = {0.5: 4.0, 1.0: 12.0, 2.0: 3.0}
    ridges = synthetic(ends, "ridge error", 0.5)
    guessed = synthetic(ends, "guessed ridge error", 0.6).query("at == 1")
    moved = guessed.query("ratio == 0.5").assign(quantity="moved in the frozen subspace", value=0.25)
    large = synthetic(ends, "test error, large start", 1.5)
    table = pd.concat([synthetic(ends), large, ridges, guessed, moved])
    expected = {
        "worst-at-threshold": 3,
        "stopping-removes-peak": 3,
        "ridge-removes-peak": 3,
        "best-ridge": 1.2,
        "stopping-nearly-ridge": 2,
        "frozen": 0.25,
        "large-start-costs": 1.5,
    }
    for claim in STUDY.claims:
        if claim.id in expected:
            assert claim.statistic(table, SMALL).to_numpy() == pytest.approx([expected[claim.id]] * 2), claim.id


def test_growth_at_the_threshold_on_a_known_table():
    grown = synthetic({0.5: 4.0, 1.0: 1.0, 2.0: 3.0})
    grown["at"] *= 50
    late = (grown["ratio"] == 1.0) & (grown["at"] >= 50)
    grown.loc[late, "value"] = 1 + grown.loc[late, "at"] ** 0.7
    assert claims.growth(grown, SMALL).to_numpy() == pytest.approx([0.7, 0.7])
    assert claims.growth(grown[grown["at"] > 100], SMALL).isna().all()


def test_distance_from_the_formula_of_a_known_table():
    """Off by a factor e^d with d = 1/N at every time and ratio: the deviation is d, and falls like 1/N."""
    tables = []
    for size in SMALL.inputs:
        table = synthetic(dict.fromkeys(SMALL.samples_per_weight, 1.0), size=size)
        places = zip(table["ratio"], table["at"], strict=True)
        formula = [theory.student_error(SMALL, *place)[0] for place in places]
        tables.append(table.assign(value=np.exp(1 / size) * np.array(formula)))
    table = pd.concat(tables)
    deviations = claims.deviations(table, SMALL)
    assert deviations.to_numpy() == pytest.approx(np.array([[1 / size for size in SMALL.inputs]] * 2))
    statistics = {claim.id: claim.statistic for claim in STUDY.claims}
    assert statistics["closed-form"](table, SMALL).to_numpy() == pytest.approx([1 / SMALL.inputs[-1]] * 2)
    assert statistics["finite-size"](table, SMALL).to_numpy() == pytest.approx([-1, -1])


def test_controls_come_out_as_they_must():
    for name in STUDY.controls:
        spec = STUDY.build("quick", {"inputs": [25, 50, 100], **STUDY.controls[name]})
        table = run(spec, range(5), "cpu")
        for claim in STUDY.claims:
            if claim.control == name:
                judgement = judge(claim, table, spec)
                assert judgement.verdict == "fails", claim.id
                assert np.isfinite(judgement.estimate)
