"""Gradient descent on the logistic loss and the perceptron: the recursion, the limit, the table, the statistics."""

import numpy as np
import pandas as pd
import pytest
import torch

from genbook.base.claims import judge
from genbook.studies import get
from genbook.studies.steps.perceptron_limit import claims
from genbook.studies.steps.perceptron_limit.run import missing_confidence, run, signed_points
from genbook.studies.steps.perceptron_limit.spec import PerceptronLimitSpec
from tests.known import Answer, Known

STUDY = get("perceptron_limit")
SMALL = PerceptronLimitSpec.build(n_train=20, inputs=8, learning_rates=[0.5, 1e6], shown_steps=12)


@pytest.fixture(scope="module")
def table():
    return run(SMALL, [0, 1], "cpu")


def test_points_lie_on_their_side_by_the_margin():
    points = signed_points(PerceptronLimitSpec.build(n_train=200, inputs=5, margin=0.7), 3)
    # the plane is drawn first from the same stream, so a margin of its own can be checked against it
    plain = signed_points(PerceptronLimitSpec.build(n_train=200, inputs=5, margin=1e-12), 3)
    pushed = points - plain
    normal = pushed[0] / np.linalg.norm(pushed[0])
    assert np.allclose(pushed, (0.7 - 1e-12) * normal)
    assert (points @ normal).min() >= 0.7 - 1e-9


def test_weight_of_a_point_at_finite_and_infinite_learning_rates():
    margins = np.array([[-0.1, 0.0, 0.1]] * 2)
    finite, limit = missing_confidence(margins, np.array([20.0, np.inf]))
    assert finite == pytest.approx([1 / (1 + np.exp(-2)), 0.5, 1 / (1 + np.exp(2))])
    assert limit.tolist() == [1, 0.5, 0]


@pytest.mark.parametrize("place", [0, 1])
def test_losses_are_those_of_torch_in_float64(table, place):
    rate = SMALL.learning_rates[place]
    points = torch.from_numpy(signed_points(SMALL, 1))
    weights = torch.zeros(SMALL.inputs, dtype=torch.float64, requires_grad=True)
    losses = []
    for _ in range(SMALL.shown_steps + 1):
        loss = -torch.nn.functional.logsigmoid(points @ weights).mean()
        losses.append(float(loss.detach()))
        (gradient,) = torch.autograd.grad(loss, weights)
        weights = (weights - rate * gradient).detach().requires_grad_()
    rows = table[(table["seed"] == 1) & (table["learning rate"] == rate) & (table["quantity"] == "loss")]
    assert rows.sort_values("step")["value"].to_numpy() == pytest.approx(losses, rel=1e-9, abs=1e-12)


def test_perceptron_row_is_the_perceptron(table):
    points = signed_points(SMALL, 0)
    weights, step = points.sum(0) / 2, 1
    while (points @ weights <= 0).any():
        weights = weights + points[points @ weights <= 0].sum(0)
        step += 1
    assert claims.summary(table, "steps to zero error").loc[0, np.inf] == step


def test_unfinished_runs_are_censored():
    spec = PerceptronLimitSpec.build(n_train=20, inputs=8, learning_rates=[1e-3, 1e6], steps=10, shown_steps=5)
    steps = claims.summary(run(spec, [0], "cpu"), "steps to zero error")
    assert np.isnan(steps.loc[0, 1e-3])
    speedup = next(claim for claim in claims.CLAIMS if claim.id == "large-steps-sooner")
    assert judge(speedup, run(spec, [0, 1], "cpu"), spec).verdict == "undecided"


SPEC = PerceptronLimitSpec.build(learning_rates=[1.0, 2.0, 4.0, 8.0, 16.0, 32.0], shown_steps=5)


def synthetic(steps, losses, apart):
    """Steps needed at six learning rates whose highest loss grows with them, and losses at the largest."""
    rows = []
    for seed in (0, 1, 2):
        for place, (rate, needed) in enumerate(zip(SPEC.learning_rates, steps, strict=True)):
            rows.append((seed, rate, 0, "steps to zero error", needed))
            rows.append((seed, rate, 0, "highest loss", 1.0 + place))
            rows.append((seed, rate, 0, "distance from the perceptron", apart if rate == 32 else 1.0))
        rows.append((seed, np.inf, 0, "steps to zero error", steps[-1]))
        rows += [(seed, 32.0, step, "loss", np.log(2) * loss * (1 + 0.1 * seed)) for step, loss in enumerate(losses)]
    return pd.DataFrame(rows, columns=["seed", "learning rate", "step", "quantity", "value"])


AS_SAID = synthetic([300, 100, 50, 30, 20, 15], [1, 7, 5, 0.1], 1e-4)
CONTRARY = synthetic([15, 20, 30, 50, 100, 300], [9, 0.8, 0.5, 0.2], 0.1)
KNOWN = {
    "becomes-perceptron": Known(Answer(AS_SAID, [1e-4] * 3, SPEC), Answer(CONTRARY, [0.1] * 3, SPEC)),
    "large-steps-sooner": Known(Answer(AS_SAID, [0.05] * 3, SPEC), Answer(CONTRARY, [20] * 3, SPEC)),
    # the start is not among what it can rise to
    "loss-rises-first": Known(Answer(AS_SAID, [7, 7.7, 8.4], SPEC), Answer(CONTRARY, [0.8, 0.88, 0.96], SPEC)),
    "loss-misleads": Known(Answer(AS_SAID, [-1] * 3, SPEC), Answer(CONTRARY, [1] * 3, SPEC)),
}


def test_settings_come_out_as_they_must():
    for claim in STUDY.claims:
        control = STUDY.build("quick", STUDY.controls[claim.control])
        assert judge(claim, run(control, range(3), "cpu"), control).verdict == "fails", claim.id
