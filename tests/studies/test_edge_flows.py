"""Flows at the edge: derivatives against autograd, the complementarity problem, quadratic and quartic losses."""

import numpy as np
import pandas as pd
import pytest
import torch

from genbook.studies import get
from genbook.studies.steps.edge_flows.flows import central_substep, complementary, courses, rod_substep
from genbook.studies.steps.edge_flows.network import made
from genbook.studies.steps.edge_flows.run import COLUMNS, run
from genbook.studies.steps.edge_flows.spec import EdgeFlowsSpec
from tests.known import Answer, Known

STUDY = get("edge_flows")
SMALL = STUDY.build("smoke", {})


@pytest.fixture(scope="module")
def network():
    return made(SMALL, 3)


def torch_loss(network, w):
    points, labels = torch.from_numpy(network.points), torch.from_numpy(network.labels)
    size = points.shape[1] * network.hidden
    outputs = torch.tanh(points @ w[:size].reshape(network.hidden, -1).T) @ w[size:-1] + w[-1]
    return (outputs - labels).square().mean()


def test_derivatives_are_those_of_autograd(network):
    network, w = network
    w = w + np.random.default_rng(0).standard_normal(len(w)) / 3
    point = torch.from_numpy(w).requires_grad_()
    assert network.loss(w) == pytest.approx(float(torch_loss(network, point).detach()), rel=1e-12)
    (gradient,) = torch.autograd.grad(torch_loss(network, point), point)
    assert network.gradient(w) == pytest.approx(gradient.numpy(), rel=1e-9, abs=1e-12)
    dense = torch.autograd.functional.hessian(lambda x: torch_loss(network, x), point.detach())
    assert network.hessian(w) == pytest.approx(dense.numpy(), rel=1e-9, abs=1e-10)
    vectors = np.linalg.qr(np.random.default_rng(1).standard_normal((len(w), 2)))[0]
    for i, j in ((0, 0), (0, 1), (1, 1)):
        u, v = (torch.from_numpy(vectors[:, k].copy()) for k in (i, j))

        def curved(x, u=u, v=v):
            return u @ torch.func.hessian(lambda z: torch_loss(network, z))(x) @ v

        expected = torch.func.grad(curved)(point.detach()).numpy()
        assert network.turning(w, vectors)[i, j] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_complementary_solutions_are(seed):
    rng = np.random.default_rng(seed)
    k = 3
    slack = rng.standard_normal((k, k))
    slack = slack + slack.T - np.eye(k)
    factors = rng.standard_normal((k, k, 8))
    factors = factors + factors.transpose(1, 0, 2)
    effect = np.einsum("ijp,klp->ijkl", factors, factors)
    solution = complementary(slack, effect)
    held = slack + np.einsum("ijkl,kl->ij", effect, solution)
    assert np.linalg.eigvalsh(solution)[0] > -1e-8
    assert np.linalg.eigvalsh(held)[0] > -1e-5
    assert (solution * held).sum() == pytest.approx(0, abs=1e-5)


def test_of_one_direction_the_problem_is_a_division_and_with_slack_nothing_is_needed():
    effect = np.full((1, 1, 1, 1), 4.0)
    assert complementary(np.array([[-2.0]]), effect) == pytest.approx(0.5)
    assert complementary(np.array([[2.0]]), effect) == 0


class Quartic:
    """L = S/2 w² − Q/4 w⁴ of one parameter: the stretched rod's length is known."""

    def __init__(self, sharp, bent):
        self.sharp, self.bent = sharp, bent

    def gradient(self, w):
        return self.sharp * w - self.bent * w**3

    def hessian(self, w):
        return np.array([[self.sharp - 3 * self.bent * w[0] ** 2]])


def test_the_rod_rests_at_the_two_cycle_of_descent():
    """Descent jumps between ±w where S − Qw² = 2/η, so that Σ = (S − 2/η) / Q."""
    sharp, bent, rate = 1.1, 0.5, 2.0
    middle, square = np.zeros(1), np.array([[0.01]])
    for _ in range(4000):
        middle, square = rod_substep(Quartic(sharp, bent), middle, square, rate, 0.05)
    assert square[0, 0] == pytest.approx((sharp - 2 / rate) / bent, rel=1e-3)
    assert middle[0] == pytest.approx(0, abs=1e-9)
    flat = np.array([[0.01]])
    for _ in range(200):
        _, flat = rod_substep(Quartic(0.9, bent), np.zeros(1), flat, rate, 0.05)
    assert flat[0, 0] < 0.01


class Valley:
    """L = −a + ½(1 + a) b²: along its floor b = 0 the sharpness is 1 + a, and the loss pulls towards larger a."""

    def gradient(self, w):
        return np.array([-1 + w[1] ** 2 / 2, (1 + w[0]) * w[1]])

    def hessian(self, w):
        return np.array([[0, w[1]], [w[1], 1 + w[0]]])

    def turning(self, w, directions):
        assert abs(directions[:, 0]) == pytest.approx([0, 1])
        return np.array([[[1.0, 0.0]]])


def test_the_central_flow_is_held_where_the_sharpness_is_the_edge():
    w = np.zeros(2)
    for _ in range(200):
        w = central_substep(Valley(), w, 0.5, 0.25, 1.95)
    assert w == pytest.approx([3.0, 0.0])  # 1 + a = 2 / 0.5
    free = np.zeros(2)
    for _ in range(200):
        free = central_substep(Valley(), free, 0.5, 0.25, 1000.0)
    assert free == pytest.approx([25.0, 0.0])


def test_far_from_the_edge_the_central_flow_is_gradient_flow(network):
    network, w = network
    paths = courses(network, w, 0.01, 10, 4, 1.95)
    assert paths["central flow"] == pytest.approx(paths["gradient flow"])
    for name in ("gradient flow", "rod flow"):
        assert paths[name] == pytest.approx(paths["descent"], abs=2e-3)


SPEC = EdgeFlowsSpec.build(steps=100)


def synthetic(sharp, apart):
    """Sharpnesses of descent (1) and the three flows, and the flows' distances; twice as much before the late half."""
    names = ("gradient flow", "central flow", "rod flow")
    rows = []
    for seed in (0, 1, 2):
        own = 1 + 0.01 * seed
        for step, times in ((0, 2), (40, 2), (60, 0.9), (90, 1.1)):
            rows += [(seed, "descent", step, "sharpness", times), (seed, "descent", step, "distance", 0.0)]
            for name, curved, far in zip(names, sharp, apart, strict=True):
                rows.append((seed, name, step, "sharpness", curved * times * own))
                rows.append((seed, name, step, "distance", far * times * (own if name == "central flow" else 1)))
    return pd.DataFrame(rows, columns=COLUMNS)


AS_SAID = synthetic((1.8, 1.0, 1.1), (0.8, 0.2, 0.2))
CONTRARY = synthetic((1.0, 1.6, 1.1), (0.4, 0.5, 1.2))
GROWN = np.array([1, 1.01, 1.02])
KNOWN = {
    "gradient-flow-leaves": Known(Answer(AS_SAID, 1.8 * GROWN, SPEC), Answer(CONTRARY, GROWN, SPEC)),
    "central-flow-follows": Known(Answer(AS_SAID, 0.25 * GROWN, SPEC), Answer(CONTRARY, 1.25 * GROWN, SPEC)),
    "central-flow-as-sharp": Known(Answer(AS_SAID, GROWN, SPEC), Answer(CONTRARY, 1.6 * GROWN, SPEC)),
    "rod-flow-as-close": Known(Answer(AS_SAID, 1 / GROWN, SPEC), Answer(CONTRARY, 2.4 / GROWN, SPEC)),
}


def test_all_paths_begin_at_one_place():
    table = run(SMALL, [0], "cpu")
    begun = table[(table["step"] == 0) & (table["quantity"] == "distance")]
    assert begun["value"].tolist() == pytest.approx([0] * 4)
    assert len(begun) == 4
