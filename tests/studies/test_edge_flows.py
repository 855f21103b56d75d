"""Flows at the edge: derivatives against autograd, the complementarity problem, quadratic and quartic losses."""

import numpy as np
import pandas as pd
import pytest
import torch

from genbook.studies import get
from genbook.studies.steps.edge_flows.flows import (
    Counted,
    central_substep,
    complementary,
    courses,
    edge_substep,
    rod_substep,
)
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
        middle, square = rod_substep(Counted(Quartic(sharp, bent)), middle, square, rate, 0.05)
    assert square[0, 0] == pytest.approx((sharp - 2 / rate) / bent, rel=1e-3)
    assert middle[0] == pytest.approx(0, abs=1e-9)
    flat = np.array([[0.01]])
    for _ in range(200):
        _, flat = rod_substep(Counted(Quartic(0.9, bent)), np.zeros(1), flat, rate, 0.05)
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
        w = central_substep(Counted(Valley()), w, 0.5, 0.25, 1.95)
    assert w == pytest.approx([3.0, 0.0])  # 1 + a = 2 / 0.5
    free = np.zeros(2)
    for _ in range(200):
        free = central_substep(Counted(Valley()), free, 0.5, 0.25, 1000.0)
    assert free == pytest.approx([25.0, 0.0])


def test_edge_flow_turns_around_the_edge_in_the_valley():
    """With s = 1 + a along the floor, ds/dt = η(1 - ρ²/2) and dρ/dt = (ηs - 2)ρ: orbits around s = 2/η, ρ² = 2.

    Over a whole orbit log ρ comes back and s comes back, so the means of s and of ρ² are those of its centre.
    """
    rate, dt = 0.5, 1e-3
    net, centre, direction, magnitude = Counted(Valley()), np.array([2.5, 0.0]), np.array([0.0, 1.0]), np.sqrt(2)
    sharp, squares, crossings = [], [], []
    for step in range(60_000):
        before = magnitude
        centre, direction, magnitude = edge_substep(net, centre, direction, magnitude, rate, dt, 1.0)
        sharp.append(1 + centre[0])
        squares.append(magnitude**2)
        if before**2 < 2 <= magnitude**2:
            crossings.append(step)
    assert len(crossings) > 3
    orbits = slice(crossings[0], crossings[-1])
    assert np.mean(sharp[orbits]) == pytest.approx(2 / rate, rel=2e-3)
    assert np.mean(squares[orbits]) == pytest.approx(2, rel=2e-2)
    assert max(sharp[orbits]) > 4.3


def test_edge_flows_direction_turns_to_the_sharpest():
    net, direction = Counted(Valley()), np.array([np.cos(0.3), np.sin(0.3)])
    centre = np.array([1.0, 0.0])
    for _ in range(200):
        _, direction, _ = edge_substep(net, centre, direction, 0.0, 0.5, 0.1, 1.0)
    assert abs(direction) == pytest.approx([0, 1], abs=1e-6)
    _, fixed, _ = edge_substep(net, centre, np.array([0.6, 0.8]), 0.0, 0.5, 0.1, 0.0)
    assert fixed == pytest.approx([0.6, 0.8])


def test_far_from_the_edge_all_flows_are_gradient_flow(network):
    network, w = network
    found = courses(network, w, 0.01, SMALL)
    assert found["central flow"].path == pytest.approx(found["gradient flow"].path)
    for name in ("gradient flow", "rod flow", "edge flow"):
        assert found[name].path == pytest.approx(found["descent"].path, abs=4e-3)


def test_a_path_costs_what_its_equations_ask_for(network):
    network, w = network
    found = courses(network, w, 0.01, SMALL)
    parts = np.arange(SMALL.steps) * SMALL.substeps
    assert found["descent"].gradients.tolist() == list(range(1, SMALL.steps + 1))
    # Far from the edge the central flow asks for a gradient and a Hessian; rod flow for two gradients and two products
    # of a Hessian with a vector; edge flow for two gradients and one product.
    each = {"gradient flow": 1, "central flow": 1 + 2 * len(w), "rod flow": 6, "edge flow": 4}
    for name, cost in each.items():
        assert found[name].gradients.tolist() == (cost * parts).tolist()


SPEC = EdgeFlowsSpec.build(steps=100)


def synthetic(sharp, apart):
    """Sharpnesses of descent (1) and the four flows, and the flows' distances; twice as much before the late half."""
    names = ("gradient flow", "central flow", "rod flow", "edge flow")
    rows = []
    for seed in (0, 1, 2):
        own = 1 + 0.01 * seed
        for step, times in ((0, 2), (40, 2), (60, 0.9), (90, 1.1)):
            rows += [(seed, "descent", step, "sharpness", times), (seed, "descent", step, "distance", 0.0)]
            for name, curved, far in zip(names, sharp, apart, strict=True):
                rows.append((seed, name, step, "sharpness", curved * times * own))
                rows.append((seed, name, step, "distance", far * times * (own if name == "central flow" else 1)))
    return pd.DataFrame(rows, columns=COLUMNS)


AS_SAID = synthetic((1.8, 1.0, 1.1, 1.0), (0.8, 0.2, 0.2, 0.2))
CONTRARY = synthetic((1.0, 1.6, 1.1, 1.4), (0.4, 0.5, 1.2, 1.0))
GROWN = np.array([1, 1.01, 1.02])
KNOWN = {
    "gradient-flow-leaves": Known(Answer(AS_SAID, 1.8 * GROWN, SPEC), Answer(CONTRARY, GROWN, SPEC)),
    "central-flow-follows": Known(Answer(AS_SAID, 0.25 * GROWN, SPEC), Answer(CONTRARY, 1.25 * GROWN, SPEC)),
    "central-flow-as-sharp": Known(Answer(AS_SAID, GROWN, SPEC), Answer(CONTRARY, 1.6 * GROWN, SPEC)),
    "rod-flow-as-close": Known(Answer(AS_SAID, 1 / GROWN, SPEC), Answer(CONTRARY, 2.4 / GROWN, SPEC)),
    "edge-flow-as-close": Known(Answer(AS_SAID, 1 / GROWN, SPEC), Answer(CONTRARY, 2 / GROWN, SPEC)),
    "edge-flow-as-sharp": Known(Answer(AS_SAID, GROWN, SPEC), Answer(CONTRARY, 1.4 * GROWN, SPEC)),
}


def test_all_paths_begin_at_one_place():
    table = run(SMALL, [0], "cpu")
    begun = table[(table["step"] == 0) & (table["quantity"] == "distance")]
    assert begun["value"].tolist() == pytest.approx([0] * 5)
    assert len(begun) == 5
