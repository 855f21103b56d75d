"""XOR clusters: descent in the span of the inputs against autograd, the one-step formula, statistics, null worlds."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from genbook.base.claims import judge
from genbook.gradients import coherence, gram
from genbook.models import freeze, mlp
from genbook.studies import get
from genbook.studies.xor.shared import (
    Problem,
    State,
    descend,
    gradient_gram,
    one_step,
    parts,
    shown_steps,
)
from genbook.studies.xor.xor_clusters import claims
from genbook.studies.xor.xor_clusters.clusters import cosines, draw, share_out, task, training_clusters, unit_means
from genbook.studies.xor.xor_clusters.run import changes, gradients, run
from genbook.studies.xor.xor_clusters.spec import XorClustersSpec

STUDY = get("xor_clusters")
SMALL = STUDY.build("smoke", {})


@pytest.fixture(scope="module")
def table():
    return run(SMALL, [0, 1], "cpu")


def problem(n=12, fresh=7, p=30, m=10, scale=0.3, seed=0):
    """Inputs, first weights and the problem that descent is given, in float64; cluster-like by a common direction."""
    draw_ = np.random.default_rng(seed)
    inputs = draw_.standard_normal((n + fresh, p)) + draw_.choice([-2.0, 2.0], (n + fresh, 1))
    weights = scale * draw_.standard_normal((m, p))
    labels = draw_.choice([-1.0, 1.0], n)
    return inputs, weights, Problem(inputs @ inputs[:n].T, inputs @ weights.T, labels)


def network(weights, head):
    """The same network as a plain module with a frozen second layer."""
    model = freeze(mlp((weights.shape[1], len(weights), 1), bias=False).double(), ["2"])
    with torch.no_grad():
        model[0].weight.copy_(torch.from_numpy(weights))
        model[2].weight.copy_(torch.from_numpy(head)[None])
    return model


@pytest.mark.parametrize("steps", [1, 2, 9])
def test_descent_in_the_span_of_the_inputs_is_gradient_descent_on_the_weights(steps):
    inputs, weights, given = problem()
    model, n = network(weights, given.head), len(given.labels)
    optimiser = torch.optim.SGD([model[0].weight], lr=0.7)
    train, labels = torch.from_numpy(inputs[:n]), torch.from_numpy(given.labels)
    for _ in range(steps):
        optimiser.zero_grad()
        nn.SoftMarginLoss()(model(train)[:, 0], labels).backward()
        optimiser.step()
    (state,) = descend(given, 0.7, [steps])
    reached = weights + state.coefficients @ inputs[:n]
    assert reached == pytest.approx(model[0].weight.detach().numpy(), abs=1e-12)
    outputs = model(torch.from_numpy(inputs))[:, 0].detach().numpy()
    assert sum(parts(state.hidden, given.head)) == pytest.approx(outputs, abs=1e-12)


def test_the_parts_are_the_odd_and_the_even_half_of_the_output():
    inputs, weights, given = problem()
    model = network(weights, given.head)
    at, opposite = (model(torch.from_numpy(sign * inputs))[:, 0].detach().numpy() for sign in (1, -1))
    linear, even = parts(inputs @ weights.T, given.head)
    assert linear == pytest.approx((at - opposite) / 2, abs=1e-12)
    assert even == pytest.approx((at + opposite) / 2, abs=1e-12)
    assert linear == pytest.approx(inputs @ (given.head @ weights) / 2, abs=1e-12)


def test_first_step_moves_each_unit_along_the_examples_that_it_sees():
    inputs, weights, given = problem(scale=1e-9)
    n = len(given.labels)
    (state,) = descend(given, 0.7, [1])
    seen = (inputs[:n] @ weights.T > 0).T
    expected = 0.7 / (2 * n) * given.head[:, None] * seen * given.labels
    assert state.coefficients == pytest.approx(expected, abs=1e-8)


def test_one_step_comes_near_its_formula_as_units_become_many():
    errors = {}
    for m in (200, 20_000):
        _, _, given = problem(p=400, m=m, scale=1e-9, seed=1)
        (state,) = descend(given, 0.7, [1])
        outputs, formula = sum(parts(state.hidden, given.head))[12:], one_step(given, 0.7)[12:]
        errors[m] = np.abs(outputs - formula).mean() / np.abs(formula).mean()
    assert errors[20_000] < 0.05
    assert errors[20_000] < errors[200] / 4


def test_gradient_gram_is_that_of_the_lens():
    inputs, weights, given = problem()
    n = len(given.labels)
    model = network(weights, given.head)
    data = torch.from_numpy(inputs[:n]), torch.from_numpy(given.labels)[:, None]
    state = State(0, np.zeros((len(weights), n)), inputs @ weights.T)
    found = gradient_gram(given, state)
    assert found == pytest.approx(gram(model, nn.SoftMarginLoss(), *data).matrix.numpy(), abs=1e-10)
    lens = coherence(model, nn.SoftMarginLoss(), *data)
    assert found.sum() / np.trace(found) == pytest.approx(float(lens.m_coherence), rel=1e-9)


def test_clusters_inner_products_are_those_of_the_inputs():
    spec = changes(SMALL, strength=7.0)
    bare, one = draw(spec, 200, 3), task(spec, draw(spec, 200, 3), 3)
    n = spec.examples
    noise_free = one.problem.products - bare.products
    crossed = 7 * (bare.along @ one.places[:n].T + one.places @ bare.along[:n].T)
    assert noise_free == pytest.approx(crossed + 49 * one.places @ one.places[:n].T, abs=1e-2)
    means = unit_means(200)
    assert means @ means.T == pytest.approx(np.eye(2), abs=1e-12)
    assert set(np.abs(one.places).sum(1)) == {1.0}
    xor = np.where(np.abs(one.places[:, 0]) == 1, 1.0, -1.0)
    assert (one.truth == xor).all()
    assert (one.problem.labels[one.flipped] == -xor[:n][one.flipped]).all()
    assert one.flipped.sum() == round(spec.flips * n)


def test_cosines_follow_the_weights():
    spec = changes(SMALL, start=3.0)
    drawn = draw(spec, 200, 0)
    one = task(spec, drawn, 0)
    start = cosines(one, np.zeros((spec.units, spec.examples)))
    assert start == pytest.approx(drawn.weights_along / np.sqrt(drawn.weights_square)[:, None], abs=1e-6)
    alike = np.zeros((spec.units, spec.examples))
    alike[:, np.flatnonzero(one.places[: spec.examples, 0] == 1)] = 1e6
    assert (cosines(one, alike)[:, 0] > 0.5).all()


def test_counts_are_equal_unless_tilted():
    spec = XorClustersSpec.build(examples=80, flips=0.15)
    places = training_clusters(spec, np.random.default_rng(0))
    for group in (places[:12], places[12:]):
        assert {tuple(place): 0 for place in group}.keys() == {(1, 0), (-1, 0), (0, 1), (0, -1)}
        assert group.sum(0).tolist() == [0, 0]
    tilted = share_out(changes(spec, tilt=0.4), 80)
    assert tilted.sum(0).tolist() == [16, 16]


def test_margin_of_the_first_step_is_what_was_asked_for():
    spec = XorClustersSpec.build(examples=20, dimension=4000, strength=0, margin=0.3, units=2000)
    one = task(spec, draw(spec, 4000, 0), 0)
    (state,) = descend(one.problem, one.step_size, [1])
    margins = sum(parts(state.hidden[:20], one.problem.head)) * one.problem.labels
    assert margins.mean() == pytest.approx(0.3, rel=0.05)


def test_shown_steps_begin_one_by_one_and_end_at_the_end():
    for steps in (3, 50, 1000):
        found = shown_steps(steps)
        assert found[: min(6, steps + 1)] == list(range(min(6, steps + 1)))
        assert found[-1] == steps
        assert found == sorted(set(found))


def rows(run_name, quantity, values, **fixed):
    """Rows of one seed with ``values`` by step."""
    named = {"seed": 0, "run": run_name, "dimension": 8, "strength": 1.0, "margin": 1.0, "start": 1.0, "tilt": 0.0}
    return [{**named, **fixed, "step": s, "item": -1, "quantity": quantity, "value": v} for s, v in values.items()]


def test_turns_are_interpolated_and_censored():
    found = rows("start", "test accuracy", {0: 0.5, 1: 0.5, 2: 1.0})
    found += rows("start", "test accuracy", {0: 0.5, 1: 0.6, 2: 0.7}, start=9.0)
    turns = claims.turns(pd.DataFrame(found), "start", "start")
    assert turns.loc[0, 1.0] == pytest.approx(1.5)
    assert np.isnan(turns.loc[0, 9.0])


@pytest.mark.parametrize("power", [0.25, 0.5])
def test_exponent_is_found(power):
    found = []
    for dimension in (100, 400, 1600):
        for strength in np.geomspace(1, 40, 30):
            value = 0.75 + 0.2 * np.log(strength / (0.8 * dimension**power))
            found += rows("diagram", "test accuracy", {1: 0.5, 9: value}, dimension=dimension, strength=strength)
    assert claims.exponent(pd.DataFrame(found)).tolist() == [pytest.approx(power, abs=1e-6)]


def test_coherence_is_in_units_of_a_clusters_cosine():
    """Two clean examples of one cluster, both seen by all units: their gradients' cosine is that of the inputs."""
    spec = changes(SMALL, strength=20.0, examples=8, flips=0.25, dimension=600)
    one = task(spec, draw(spec, 600, 0), 0)
    state = State(0, np.zeros((spec.units, 8)), np.ones_like(one.problem.first))
    found = gradients(one, state)
    products, signs = one.problem.products[:8], one.problem.labels
    clean = ~one.flipped
    pairs = (products * np.outer(signs, signs))[np.ix_(clean, clean)]
    off = (pairs.sum() - np.trace(pairs)) / (clean.sum() - 1) / np.trace(pairs)
    unit = spec.strength**2 / products.diagonal().mean()
    assert found["coherence, clean"] == pytest.approx(off / unit, rel=1e-3)


NULLS = ["chance-after-one-step", "turns-later", "even-part-knows", "large-step-freezes", "unequal-counts-harm"]


def test_claims_hold_and_fail_where_they_must():
    """At half the size: quick tables are for the book."""
    half = {"examples": 80, "dimension": 4000, "units": 150, "strengths": [], "starts": [0.001], "steps": 20}
    spec = STUDY.build("quick", half)
    null = STUDY.world(spec, {**STUDY.nulls["separable"], "starts": [0.001]})
    tables = [(run(own, range(3), "cpu"), own) for own in (spec, null)]
    chosen = {claim.id: claim for claim in claims.CLAIMS}
    for name in NULLS:
        verdicts = [judge(chosen[name], found, own).verdict for found, own in tables]
        assert verdicts[1] == "fails", name
        assert verdicts[0] in ("holds", "undecided"), name
    assert judge(chosen["turns-later"], *tables[0]).verdict == "holds"
