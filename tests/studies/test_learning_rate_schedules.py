"""Schedules on a convex problem: bounds in closed form, the least of them, descent by hand, statistics on tables."""

import numpy as np
import pandas as pd
import pytest
import torch

from genbook.studies import get
from genbook.studies.batches import shared
from genbook.studies.batches.learning_rate_schedules import claims, theory
from genbook.studies.batches.learning_rate_schedules.figure import at_batch, constants, in_words
from genbook.studies.batches.learning_rate_schedules.problem import LOSSES, best_weights, signed_points
from genbook.studies.batches.learning_rate_schedules.run import _pool, descend, gradients, run
from genbook.studies.batches.learning_rate_schedules.spec import LearningRateSchedulesSpec
from tests.known import Answer, Known

STUDY = get("learning_rate_schedules")
SMALL = LearningRateSchedulesSpec.build(
    n_train=40, features=4, batch_size=5, steps=30, peaks=[1.0, 16.0], repeats=3, window=0.2
)
STEPS, ONES = 200, np.ones(200)


# --- bounds ---------------------------------------------------------------------------------------------------------


def by_sums(rates, squares, distance):
    """The bound written with the sums of the theorem, one by one."""
    steps = len(rates)
    bound = distance**2 / (2 * sum(rates)) + sum(rates**2 * squares) / (2 * sum(rates))
    for k in range(steps - 1):
        later, here = sum(rates[k + 1 :]), sum(rates[k:])
        bound += rates[k] / later / here * sum(rates[k:] ** 2 * squares[k:]) / 2
    return bound


@pytest.mark.parametrize("schedule", shared.SCHEDULES)
def test_bound_is_the_theorems_sums(schedule):
    draws = np.random.default_rng(0)
    rates, squares = 0.3 * shared.factors(50)[schedule], draws.uniform(0.5, 2, 50)
    assert theory.last_iterate_bound(rates, squares, 1.7) == pytest.approx(by_sums(rates, squares, 1.7), rel=1e-12)


def test_bound_of_a_constant_rate_in_closed_form():
    rate, distance = 0.2, 3.0
    harmonic = (1 / np.arange(1, STEPS)).sum()
    expected = distance**2 / (2 * STEPS * rate) + rate / 2 * (1 + harmonic)
    assert theory.last_iterate_bound(rate * ONES, ONES, distance) == pytest.approx(expected, rel=1e-12)
    peak, least = theory.best_peak(ONES, ONES, distance)
    assert least == pytest.approx(distance * np.sqrt((1 + harmonic) / STEPS), rel=1e-12)
    assert theory.last_iterate_bound(peak * ONES, ONES, distance) == pytest.approx(least, rel=1e-12)


def test_equal_weights_make_linear_decay_and_a_bound_without_logarithm():
    weights = np.full(STEPS, 3.0 / np.sqrt(STEPS))
    linear = 1 - np.arange(1, STEPS + 1) / STEPS
    assert shared.from_weights(weights) == pytest.approx(weights[0] * linear, abs=1e-14)
    assert theory.weighted_bound(weights, ONES, 3.0) == pytest.approx(3 / np.sqrt(STEPS), rel=1e-12)


def test_no_weights_have_a_lower_bound_than_inverse_squared_norms():
    draws = np.random.default_rng(1)
    squares = draws.uniform(0.2, 3, 30)
    best = 1 / squares
    best *= 2.0 / np.sqrt(best.sum())  # the scale at which distance and gradients weigh the same
    least = theory.weighted_bound(best, squares, 2.0)
    assert least == pytest.approx(2.0 / np.sqrt((1 / squares).sum()), rel=1e-12)
    for _ in range(100):
        assert theory.weighted_bound(best * np.exp(0.3 * draws.standard_normal(30)), squares, 2.0) > least


def test_linear_decay_has_the_least_bound_of_the_schedules_where_gradients_keep_their_norm():
    for steps in (100, 1000):
        least = {name: theory.best_peak(shape, np.ones(steps), 1.0)[1] for name, shape in shared.factors(steps).items()}
        assert min(least, key=least.__getitem__) == "linear"


def test_constants_of_the_page_are_those_of_a_constant_rate_and_of_linear_decay():
    found = constants()
    harmonic = np.array([(1 / np.arange(1, steps)).sum() for steps in found.index])
    assert found["constant"].to_numpy() == pytest.approx(np.sqrt(1 + harmonic), rel=1e-12)
    assert found["linear"].iloc[-1] == pytest.approx(2, abs=0.01)


def test_bound_holds_for_a_worst_case():
    """|w| from 1 by steps that jump over 0: the last iterate may be the worst one, and the bound knows it."""
    for rates in (np.full(20, 0.3), 0.7 * shared.factors(20)["linear"]):
        at, losses = 1.0, []
        for rate in rates:
            losses.append(abs(at))
            at -= rate * np.sign(at)
        assert losses[-1] <= theory.last_iterate_bound(rates, np.ones(20), 1.0)


# --- refinement -----------------------------------------------------------------------------------------------------


def test_refined_schedule_of_equal_norms_is_linear_decay():
    shape = shared.refined(np.full(STEPS, 0.7))
    linear = 1 - np.arange(1, STEPS) / STEPS
    assert shape[:-1] == pytest.approx(linear / linear[0], abs=1e-12)
    assert shape[-1] == shape[-2] > 0


def test_refined_schedule_warms_up_where_gradients_shrink_and_needs_no_gradient_at_all():
    falling = shared.refined(np.geomspace(8, 1, STEPS))
    assert falling[0] < 0.1
    assert 0 < falling.argmax() < STEPS - 1
    assert np.isfinite(shared.refined(np.append(np.ones(STEPS - 1), 0.0))).all()


def test_running_median_leaves_out_a_spike_and_keeps_a_step():
    norms = np.where(np.arange(STEPS) < 100, 2.0, 1.0)
    norms[[20, 150]] = 50.0
    assert shared.smoothed(norms, 0.05).tolist() == np.where(np.arange(STEPS) < 100, 2.0, 1.0).tolist()


# --- descent --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def points():
    return signed_points(SMALL, 3)


def test_points_are_signed_scaled_and_in_order_of_their_labels(points):
    assert (points**2).sum(1).mean() == pytest.approx(1)
    plain = signed_points(SMALL.model_copy(update={"noise": 0.0}), 3)
    turned = signed_points(SMALL.model_copy(update={"noise": 1.0}), 3)
    assert sorted(map(tuple, np.round(plain, 9))) == sorted(map(tuple, np.round(-turned, 9)))


@pytest.mark.parametrize("loss", LOSSES)
def test_no_weights_have_a_lower_loss_than_the_best(points, loss):
    value, slope = LOSSES[loss]
    best = best_weights(points, loss)
    least = value(points @ best).mean()
    draws = np.random.default_rng(0)
    for size in (1e-3, 0.1, 1.0):
        for _ in range(20):
            assert value(points @ (best + size * draws.standard_normal(4))).mean() > least - 1e-9
    if loss == "logistic":
        assert np.abs(slope(points @ best) @ points / len(points)).max() < 1e-4


@pytest.mark.parametrize("loss", LOSSES)
def test_descent_is_that_of_torch_on_the_same_batches(points, loss):
    spec = SMALL.model_copy(update={"loss": loss})
    shapes = np.array(list(shared.factors(spec.steps).values()))
    found = descend(points, shapes, spec, np.random.default_rng(5))
    draws, peak, schedule = np.random.default_rng(5), 1, 4
    weights = torch.zeros(spec.repeats, 4, dtype=torch.float64)
    total, norms = weights.clone(), []
    inputs = torch.from_numpy(points)
    losses = {"logistic": lambda m: -torch.nn.functional.logsigmoid(m), "hinge": lambda m: torch.relu(1 - m)}
    for step in range(spec.steps):
        total = total + weights
        batch = inputs[torch.from_numpy(draws.integers(0, len(points), (spec.repeats, spec.batch_size)))]
        weights = weights.requires_grad_()
        margins = (batch @ weights[..., None]).squeeze(-1)
        (gradient,) = torch.autograd.grad(losses[loss](margins).mean(1).sum(), weights)
        norms.append((gradient**2).sum(1).mean())
        weights = weights.detach()
        if step < spec.steps - 1:
            weights = weights - spec.peaks[peak] * shapes[schedule, step] * gradient
    last, average = (losses[loss](w @ inputs.T).mean() for w in (weights, total / spec.steps))
    assert found.losses["last"][schedule, peak] == pytest.approx(float(last), rel=1e-9)
    assert found.losses["average"][schedule, peak] == pytest.approx(float(average), rel=1e-9)
    assert found.squares[schedule, peak] == pytest.approx(torch.stack(norms).numpy(), rel=1e-9)


def test_squared_norm_of_a_batch_is_what_coherence_says(points):
    weights = np.array([0.3, -1.0, 0.5, 2.0])
    found, size = gradients(points, weights, "logistic"), 5
    mean, each = found["squared norm of the mean"], found["mean of squared norms"]
    draws = np.random.default_rng(0)
    batches = points[draws.integers(0, len(points), (40_000, size))]
    slopes = LOSSES["logistic"][1](batches @ weights)
    drawn = (((slopes[..., None] * batches).mean(1)) ** 2).sum(1).mean()
    assert drawn == pytest.approx(mean + (each - mean) / size, rel=0.02)


def test_sorted_draws_see_one_label_after_the_other():
    spec = SMALL.model_copy(update={"order": "sorted", "steps": 20})
    pools = [_pool(step, spec, 40) for step in range(spec.steps)]
    assert pools[0] == (0, 5)
    assert pools[-1] == (35, 40)
    assert pools == sorted(pools)


def test_table_has_every_schedule_at_every_peak_and_a_schedule_of_the_first_run():
    table = run(SMALL, [0, 1], "cpu")
    losses = table[table["quantity"] == "excess loss"]
    assert len(losses) == 2 * 6 * 2
    assert (losses["value"] > 0).all()
    shapes = claims.factors(table)
    assert shapes.shape == (2, 30)
    assert (shapes.max(axis=1) == 1).all()
    assert (claims.highest_over_bound(table) < 1).all()


# --- statistics -----------------------------------------------------------------------------------------------------

SPEC = LearningRateSchedulesSpec.build(peaks=[1.0, 2.0], steps=101)


def known_table(losses, average, first, left, bound=10.0):
    """Three seeds: losses by schedule at peak 1, ten times as much at peak 2, and a schedule given at three steps."""
    rows = []
    for seed in range(3):
        grown = 1 + 0.01 * seed
        for schedule, loss in losses.items():
            loss *= grown ** {"linear": 1, "refined": 2}.get(schedule, 0)
            for peak, times in ((1.0, 1.0), (2.0, 10.0)):
                rows.append((seed, schedule, peak, 100, "excess loss", loss * times))
                rows.append((seed, schedule, peak, 100, "excess loss of the average", average * times))
                rows.append((seed, schedule, peak, 100, "bound", bound / grown))
        for step, factor in ((0, first * grown), (20, 1.0), (80, left * grown), (100, 0.01)):
            rows.append((seed, "refined", 1.0, step, "factor", factor))
    return pd.DataFrame(rows, columns=["seed", "schedule", "peak", "step", "quantity", "value"])


GOOD = {"constant": 4.0, "inverse square root": 3.0, "step": 2.5, "cosine": 2.0, "linear": 1.0, "refined": 0.5}
BAD = {"constant": 1.0, "inverse square root": 1.0, "step": 1.5, "cosine": 2.0, "linear": 2.0, "refined": 2.2}
GROWN = np.array([1, 1.01, 1.02])
HOLDS = known_table(GOOD, 2.0, 0.25, 0.4, bound=100.0)
FAILS = known_table(BAD, 0.5, 1 / 1.1, 0.2)


def known(holds, fails):
    return Known(holds=Answer(HOLDS, list(holds), SPEC), fails=Answer(FAILS, list(fails), SPEC))


FIFTH = 1 - 80 / 101
KNOWN = {
    "linear-matches-best": known(GROWN / 2, GROWN * 2),
    "linear-beats-constant": known(GROWN / 4, GROWN * 2),
    "linear-beats-inverse-root": known(GROWN / 3, GROWN * 2),
    "linear-matches-average": known(GROWN / 2, GROWN * 4),
    "bound-holds": known(GROWN * 0.4, GROWN**3 * 2.2),
    "refined-warms-up": known(4 / GROWN, 1.1 / GROWN),
    "refined-anneals-late": known(0.4 * GROWN / FIFTH, 0.2 * GROWN / FIFTH),
    "refined-beats-linear": known(GROWN / 2, GROWN * 1.1),
}


def test_schedules_of_other_batches_come_from_the_two_numbers_of_coherence():
    """Examples' gradients that keep their norm while their mean dies: warm-up is the mean gradient's alone."""
    steps, mean = np.arange(101), np.geomspace(0.9, 0.001, 101)
    spec = LearningRateSchedulesSpec.build(n_train=500, steps=101, window=0.0)
    numbers = {"mean of squared norms": np.ones(101), "squared norm of the mean": mean}
    rows = [(4, "linear", 1.0, step, name, at) for name, way in numbers.items() for step, at in enumerate(way)]
    table = pd.DataFrame(rows, columns=["seed", "schedule", "peak", "step", "quantity", "value"])
    shown = at_batch(table, spec)
    sizes = sorted(shown["batch"].unique())
    assert len(in_words(sizes)) == len(sizes)
    assert (sizes[0], sizes[-1]) == (1, 500)
    shapes = shown.pivot(index="batch", columns="step", values="factor")
    assert shapes.loc[1].to_numpy()[:-1] == pytest.approx((1 - (1 + steps) / 101)[::2][:-1] * 101 / 100, abs=1e-9)
    assert shapes[0].is_monotonic_decreasing
    weights = 1 / (mean + (1 - mean) / 50)
    by_hand = [weight * weights[step + 1 :].sum() for step, weight in enumerate(weights)]
    assert shapes.loc[50].to_numpy()[:-1] == pytest.approx(np.array(by_hand)[::2][:-1] / max(by_hand), rel=1e-9)
