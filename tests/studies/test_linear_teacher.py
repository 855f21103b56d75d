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
from tests.known import Answer, Known

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


def errors_table(ends, large, ridge, guessed, moved):
    """Test errors by ratio; of large starts and of ridges, as multiples; the seeds differ by a percent or a half."""
    small = synthetic(ends)
    parts = [
        small,
        synthetic(ends, "test error, large start", large),
        synthetic(ends, "ridge error", ridge),
        synthetic(ends, "guessed ridge error", guessed).query("at == 1"),
    ]
    table = pd.concat(parts)
    second = table["seed"] == 1
    for quantity, factor in (
        ("test error, large start", 1.01),
        ("guessed ridge error", 1.002),
        ("ridge error", 1 / 1.005),
    ):
        table.loc[second & (table["quantity"] == quantity), "value"] *= factor
    table.loc[second & (table["ratio"] == 1.0), "value"] *= 1.01
    frozen = small.query("ratio == 0.5 and at == 1").assign(quantity="moved in the frozen subspace", value=moved)
    return pd.concat([table, frozen], ignore_index=True)


FALLING = {0.5: 4.0, 1.0: 3.0, 2.0: 1.0}
PEAKED = {0.5: 4.0, 1.0: 16.0, 2.0: 3.0}
#: With a peak that early stopping does not remove, and ridges that do harm; and without.
HARM = errors_table(PEAKED, 1.0, 0.5, 0.6, 0.25)
HARMLESS = errors_table(FALLING, 1.5, 0.98, 0.95, 0.0)


def two(first, second=None):
    return [first, first if second is None else second]


def grown(power):
    """Test error of 1 + t^p at the threshold, with powers .01 apart for the two seeds."""
    table = synthetic({0.5: 4.0, 1.0: 1.0, 2.0: 3.0})
    table["at"] *= 50
    late = (table["ratio"] == 1.0) & (table["at"] >= 50)
    powers = power + 0.01 * table["seed"]
    table.loc[late, "value"] = 1 + table.loc[late, "at"] ** powers[late]
    return table


def deviating(distance):
    """Off the formula by a factor of e to the ``distance`` (seed, N) at every time and ratio."""
    tables = []
    for size in SMALL.inputs:
        table = synthetic(dict.fromkeys(SMALL.samples_per_weight, 1.0), size=size)
        formula = [theory.student_error(SMALL, *place)[0] for place in zip(table["ratio"], table["at"], strict=True)]
        off = np.array([distance(seed, size) for seed in table["seed"]])
        tables.append(table.assign(value=np.exp(off) * np.array(formula)))
    return pd.concat(tables)


def near(seed, size):
    return (1 + 0.1 * seed) * size ** -(1 + 0.01 * seed)


def far(seed, size):
    return 0.5 * (1 + 0.1 * seed) * (size / SMALL.inputs[-1]) ** (0.01 * (1 + seed))


def known(holds, fails):
    return Known(holds=Answer(*holds, SMALL), fails=Answer(*fails, SMALL))


LAST = SMALL.inputs[-1]
KNOWN = {
    "closed-form": known((deviating(near), two(near(0, LAST), near(1, LAST))), (deviating(far), two(0.5, 0.55))),
    "finite-size": known((deviating(near), two(-1, -1.01)), (deviating(far), two(0.01, 0.02))),
    "worst-at-threshold": known((HARM, two(4, 4.04)), (HARMLESS, two(0.75, 0.7575))),
    "root-of-time": known((grown(0.5), two(0.5, 0.51)), (grown(0.8), two(0.8, 0.81))),
    "stopping-removes-peak": known((HARMLESS, two(0.75, 0.7575)), (HARM, two(4, 4.04))),
    "ridge-removes-peak": known((HARMLESS, two(0.75, 0.7575)), (HARM, two(4, 4.04))),
    "best-ridge": known(
        (HARMLESS, two(0.95 / 0.98, 0.95 * 1.002 * 1.005 / 0.98)), (HARM, two(1.2, 1.2 * 1.002 * 1.005))
    ),
    "stopping-nearly-ridge": known((HARMLESS, two(1 / 0.98, 1.005 / 0.98)), (HARM, two(2, 2.01))),
    "frozen": known((HARMLESS, two(0.0)), (HARM, two(0.25))),
    "large-start-costs": known((HARMLESS, two(1.5, 1.515)), (HARM, two(1.0, 1.01))),
}


def test_growth_at_the_threshold_on_a_known_table():
    grown = synthetic({0.5: 4.0, 1.0: 1.0, 2.0: 3.0})
    grown["at"] *= 50
    late = (grown["ratio"] == 1.0) & (grown["at"] >= 50)
    grown.loc[late, "value"] = 1 + grown.loc[late, "at"] ** 0.7
    assert claims.growth(grown, SMALL).to_numpy() == pytest.approx([0.7, 0.7])
    assert claims.growth(grown[grown["at"] > 100], SMALL).isna().all()


def test_distance_from_the_formula_of_a_known_table():
    """Off by a factor e^d with d = 1/N at every time and ratio: the deviation is d."""
    deviations = claims.deviations(deviating(lambda seed, size: 1 / size), SMALL)
    assert deviations.to_numpy() == pytest.approx(np.array([[1 / size for size in SMALL.inputs]] * 2))


def test_controls_come_out_as_they_must():
    for name in STUDY.controls:
        spec = STUDY.build("quick", {"inputs": [25, 50, 100], **STUDY.controls[name]})
        table = run(spec, range(5), "cpu")
        for claim in STUDY.claims:
            if claim.control == name:
                judgement = judge(claim, table, spec)
                assert judgement.verdict == "fails", claim.id
                assert np.isfinite(judgement.estimate)
