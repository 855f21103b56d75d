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


def test_ordering_on_a_synthetic_table():
    def rows(steps):
        found = [(0, size, 0, "highest loss", size) for size in (1.0, 2.0, 3.0)]
        found += [(0, size, 0, "steps to zero error", n) for size, n in zip((1.0, 2.0, 3.0), steps, strict=True)]
        return pd.DataFrame(found, columns=["seed", "learning rate", "step", "quantity", "value"])

    misled = next(claim for claim in claims.CLAIMS if claim.id == "loss-misleads").statistic
    assert misled(rows([30, 20, 10]), SMALL).tolist() == [-1]
    assert misled(rows([10, 20, 30]), SMALL).tolist() == [1]


def test_settings_come_out_as_they_must():
    for claim in STUDY.claims:
        control = STUDY.build("quick", STUDY.controls[claim.control])
        assert judge(claim, run(control, range(3), "cpu"), control).verdict == "fails", claim.id
