"""The student of two scales: theory against random matrices, steps against steps really taken, the statistics."""

import numpy as np
import pandas as pd
import pytest

from genbook import studies
from genbook.studies.descent.two_scale_descent import claims, theory
from genbook.studies.descent.two_scale_descent.run import RATES, drawn, errors, run, steps
from tests.known import Answer, Known

STUDY = studies.get("two_scale_descent")
SPEC = STUDY.build("quick", {})
SMALL = STUDY.build("smoke", {})
STEPS = np.array([1, 10, 100, 1000, 10_000])


def known_table(curves, own=None):
    """Two seeds with the same errors: by noise a curve over `STEPS`; ``own``: that with a rate for each scale."""
    rows = []
    for seed in range(2):
        for noise, curve in curves.items():
            for rates, values in zip(RATES, (curve, curve if own is None else own), strict=True):
                rows += [(seed, noise, rates, step, "test error", v) for step, v in zip(STEPS, values, strict=True)]
    return pd.DataFrame(rows, columns=["seed", "noise", "rates", "step", "quantity", "value"])


def with_ratios(*ratios):
    """Two descents at each noise, the second's minimum over the first's as told; a peak of four."""
    return known_table({n: [3.0, 1.0, 4.0, r, 4.5] for n, r in zip(SPEC.noises, (1.0, *ratios), strict=True)})


def of_the_theory(factor):
    """The theory's own errors times a factor, at the steps of a run."""
    at = steps(SPEC)
    rows = [
        (seed, noise, RATES[0], step, "test error", factor * value)
        for seed in range(2)
        for noise in SPEC.noises
        for step, value in zip(at, claims.expected(SPEC, noise, at), strict=True)
    ]
    return pd.DataFrame(rows, columns=["seed", "noise", "rates", "step", "quantity", "value"])


FALLING, U = [4.0, 3.0, 2.0, 1.0, 0.5], [4.0, 1.0, 2.0, 3.0, 4.0]
PREDICTED = claims.critical(claims.expected_ratios(SPEC, STEPS)).iloc[0]
#: Between the noises 1 and 1.2 the ratio goes from 1/2 to 2, so that it is 1 half-way, in logarithms of the noise.
HALF_WAY = np.sqrt(1.2)
KNOWN = {
    "two-descents": Known(
        holds=Answer(with_ratios(0.5, 2.0, 2.0, 2.0), [4 / 2] * 2, SPEC),
        fails=Answer(known_table(dict.fromkeys(SPEC.noises, U)), [3 / 4] * 2, SPEC),
    ),
    "rise-needs-noise": Known(
        holds=Answer(known_table(dict.fromkeys(SPEC.noises, FALLING)), [3 / 4] * 2, SPEC),
        fails=Answer(with_ratios(1.0, 1.0, 1.0, 1.0), [4.0] * 2, SPEC),
    ),
    "waiting-wins-when-quiet": Known(
        holds=Answer(with_ratios(0.5, 1.0, 1.0, 2.0), [0.5] * 2, SPEC),
        fails=Answer(with_ratios(2.0, 1.0, 1.0, 2.0), [2.0] * 2, SPEC),
    ),
    "stopping-wins-when-loud": Known(
        holds=Answer(with_ratios(0.5, 1.0, 1.0, 2.0), [2.0] * 2, SPEC),
        fails=Answer(with_ratios(0.5, 1.0, 1.0, 0.5), [0.5] * 2, SPEC),
    ),
    "critical-noise-predicted": Known(
        holds=Answer(with_ratios(0.25, 0.5, 2.0, 2.0), [HALF_WAY / PREDICTED] * 2, SPEC),
        fails=Answer(with_ratios(0.5, 2.0, 2.0, 2.0), [np.sqrt(0.8) / PREDICTED] * 2, SPEC),
    ),
    "two-scale-theory": Known(
        holds=Answer(of_the_theory(1.05), [np.log(1.05)] * 2, SPEC),
        fails=Answer(of_the_theory(0.8), [np.log(1 / 0.8)] * 2, SPEC),
    ),
    "own-rates-beat-waiting": Known(
        holds=Answer(known_table(dict.fromkeys(SPEC.noises, U), own=[4.0, 3.0, 0.5, 1.0, 1.0]), [0.5] * 2, SPEC),
        fails=Answer(known_table(dict.fromkeys(SPEC.noises, U), own=[4.0, 3.0, 1.2, 1.5, 2.0]), [1.2] * 2, SPEC),
    ),
}


@pytest.fixture(scope="module")
def table():
    return run(SMALL, [0, 1], "cpu")


def taken(spec, problem, rates, count):
    """Descent with steps that are really taken, on all examples at once: errors [noises] after ``count`` steps."""
    seen, found = problem.inputs * problem.scale, []
    factors = np.where(rates == RATES[1], np.where(problem.slow, 1, 1 / spec.kappa), 1)
    for noise in spec.noises:
        answers, weights = problem.inputs @ problem.teacher + noise * problem.noise, np.zeros_like(problem.teacher)
        for _ in range(count):
            gradient = seen.T @ (seen @ weights - answers) / len(seen)
            weights = weights - spec.rate * np.reshape(factors, (-1, 1)) * gradient
        distance = problem.scale[:, None] * weights - problem.teacher
        found.append((distance * (problem.second @ distance)).sum(0).mean())
    return found


@pytest.mark.parametrize("rates", RATES)
def test_errors_are_those_of_steps_that_are_really_taken(rates):
    problem = drawn(SMALL, 0)
    found = errors(SMALL, problem, rates)["test error"]
    for place in (0, 10, 30):
        assert found[:, place] == pytest.approx(taken(SMALL, problem, rates, steps(SMALL)[place]), rel=1e-9)


def test_theory_is_the_mean_over_inputs_teachers_and_noise():
    """Brute force: a hundred draws at n = 60, d = 40, in float64."""
    spec = STUDY.build(
        "quick", {"examples": 60, "fast": 25, "slow": 15, "teachers": 20, "noises": [0.0, 0.5, 1.0, 2.0]}
    )
    at = steps(spec)
    for rates in RATES:
        draws = [errors(spec, drawn(spec, seed), rates)["test error"] for seed in range(60)]
        measured, spread = np.mean(draws, axis=0), np.std(draws, axis=0) / np.sqrt(60)
        expected = np.array([claims.expected(spec, noise, at, rates) for noise in spec.noises])
        # of order 1/n the mean over finite draws is off
        assert (np.abs(measured - expected) < 5 * spread + 0.06 * expected + 1e-9).all()


def test_theory_of_one_scale_is_that_of_the_linear_student():
    """With one scale and flow the law of Marchenko and Pastur gives the same, by quadrature."""
    from genbook.studies.descent.linear_teacher import theory as linear

    spec = STUDY.build("quick", {"kappa": 1.0, "examples": 150, "fast": 70, "slow": 30})
    times = np.array([0.5, 3.0, 40.0])
    unlearned, learned = theory.parts(theory.scales(spec), spec.examples, times)
    # there, inputs have variance 1/N and descent is on the sum over samples: its time is this one's, over n/d
    alpha = spec.examples / 100
    both = linear.generalization_error(alpha, times / alpha, 1.0) - 1
    signal = linear.generalization_error(alpha, times / alpha, 2.0) - 1 - both
    assert unlearned == pytest.approx(signal, rel=1e-6)
    assert learned + unlearned == pytest.approx(both, rel=1e-6)


def test_theory_begins_and_ends_where_it_must():
    scales = theory.scales(SPEC)
    unlearned, learned = theory.parts(scales, SPEC.examples, [0, 1e7], SPEC.rate)
    d = SPEC.fast + SPEC.slow
    assert unlearned == pytest.approx([1, 0], abs=1e-8)
    # least squares on large Gaussian samples: d/(n − d)
    assert learned == pytest.approx([0, d / (SPEC.examples - d)], abs=1e-8)


def test_steps_are_flow_where_they_are_small():
    scales, times = theory.scales(SPEC), np.geomspace(0.1, 1e4, 20)
    flow = theory.error(scales, SPEC.examples, 1.0, times)
    descent = theory.error(scales, SPEC.examples, 1.0, times / 1e-5, 1e-5)
    assert descent == pytest.approx(flow, rel=1e-4)


def test_errors_of_both_scales_make_the_whole_of_gaussians(table):
    wide = table.pivot_table(index=["seed", "noise", "rates", "step"], columns="quantity", values="value")
    assert wide["test error"].to_numpy() == pytest.approx(
        (wide["error of fast features"] + wide["error of slow features"]).to_numpy(), rel=1e-9
    )


def test_own_rates_make_one_scale_of_two():
    """Slowed down by κ, the fast features are learned at the pace of the slow ones: one scale, κ times later."""
    one = STUDY.build("quick", {"kappa": 1.0})
    at = np.array([1000, 10_000])
    own = claims.expected(SPEC, 1.0, at, RATES[1])
    assert own == pytest.approx(claims.expected(one, 1.0, at / SPEC.kappa), rel=2e-2)


def test_images_are_whitened_and_their_classes_are_unit_teachers():
    spec = STUDY.build("smoke", {"features": "fashion-small", "teachers": 10, "examples": 4000})
    problem = drawn(spec, 0)
    assert problem.inputs.T @ problem.inputs / 4000 == pytest.approx(np.eye(20), abs=1e-9)
    assert np.linalg.norm(drawn(spec, 1).teacher, axis=0) == pytest.approx(1)
    assert not np.allclose(drawn(spec, 1).teacher, problem.teacher)  # other features are slow


def test_what_diverges_is_missing():
    spec = STUDY.build("smoke", {"uneven": 1.0, "rate": 0.2, "examples": 25})
    found = [errors(spec, drawn(spec, seed), RATES[0])["test error"] for seed in range(40)]
    assert any(np.isnan(one).all() for one in found)
    assert all(np.isnan(one).all() or np.isfinite(one).all() for one in found)


def test_fewer_examples_than_features_and_more_than_images_are_refused():
    with pytest.raises(ValueError, match="want more than fast"):
        STUDY.build("quick", {"examples": 100})
    with pytest.raises(ValueError, match="the pool of fashion-small"):
        STUDY.accept(STUDY.build("quick", {"examples": 4500}))
