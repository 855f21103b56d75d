"""Large steps on strong and weak features: the recursion's thresholds, the orbit against autograd, the identities."""

import numpy as np
import pandas as pd
import pytest
import torch

from genbook.base.claims import judge
from genbook.base.seeding import INITIALISATION, generator
from genbook.models import initialise, patch_network
from genbook.studies import get
from genbook.studies.steps.benign_oscillation import claims, theory
from genbook.studies.steps.benign_oscillation.orbit import descend
from genbook.studies.steps.benign_oscillation.run import (
    Condition,
    first_weights,
    run,
    training_set,
    visits,
    weak_test_set,
)
from genbook.studies.steps.benign_oscillation.spec import BenignOscillationSpec

STUDY = get("benign_oscillation")
SMALL = BenignOscillationSpec.build(
    examples=8, dimension=12, units=6, steps=400, batch_steps=100, rates=[0.2, 0.3, 0.36], batch_rates=[0.4, 0.7]
)


@pytest.fixture(scope="module")
def table():
    return run(SMALL, [0, 1], "cpu")


def orbits(c, steps, start):
    output = np.full_like(c, start)
    for _ in range(steps):
        output = theory.recursion(output, c)
    return output


@pytest.mark.parametrize("start", [1e-6, 0.3, 1.2])
def test_recursion_settles_below_its_threshold_and_not_above(start):
    c = np.array([0.5, 0.9, 0.99, 1.01, 1.1, 1.4])
    settled = orbits(c, 5000, start)
    off = np.max([np.abs(orbits(c, more, settled) - 1) for more in range(20)], axis=0)
    assert (off[:3] < 1e-6).all()
    assert (off[3:] > 0.05).all()


def test_orbits_of_the_recursion_escape_past_their_zero():
    zero = 1 + 1 / theory.ESCAPES
    outputs = np.linspace(0, zero, 200_001)
    assert theory.recursion(outputs, theory.ESCAPES).max() == pytest.approx(zero, rel=1e-9)
    below, above = (
        theory.recursion(outputs, theory.ESCAPES * k).max() - (1 + 1 / (theory.ESCAPES * k)) for k in (0.99, 1.01)
    )
    assert below < 0 < above
    assert theory.rate_of(theory.ESCAPES) == pytest.approx(0.3995, abs=1e-4)


@pytest.mark.parametrize("c", [1.05, 1.2, 1.5])
def test_bounded_orbits_have_a_positive_mean_residual(c):
    output, logs, residuals = 1e-3, [], []
    for step in range(60_000):
        if step >= 10_000:
            logs.append(np.log(abs(1 + c * (1 - output))))
            residuals.append(1 - output)
        output = theory.recursion(output, c)
    assert abs(np.mean(logs)) < 1e-3
    assert np.mean(residuals) > 0.01


@pytest.mark.parametrize("c", [1.2, 1.44, 1.56])
def test_two_features_settle_at_the_resting_share(c):
    """The recursion with a strong and a weak part: started unstable, it ends with the slope back at −1."""
    strong, weak, ratio = 0.99, 1e-4, 0.1
    for _ in range(200_000):
        residual = 1 - strong - weak
        strong *= (1 + c * residual) ** 2
        weak *= (1 + c * ratio**2 * residual) ** 2
    assert abs(1 - strong - weak) < 0.05
    assert weak == pytest.approx(float(theory.resting_share(c, ratio)), rel=0.06)


@pytest.mark.parametrize("batch", ["single", "full"])
def test_orbit_is_that_of_autograd_on_the_patch_network(batch):
    condition = Condition(batch, 1.0, 0.3, 25)
    patches, labels = training_set(SMALL, 1.0, 0)
    order, weights = visits(SMALL, condition, 0), first_weights(SMALL, 0)
    model = initialise(patch_network(SMALL.dimension, SMALL.units).double(), generator(0, INITIALISATION))
    step = 0.3 * SMALL.units
    optimiser = torch.optim.SGD(model.parameters(), lr=step)
    expected = []
    for chosen in order:
        outputs, targets = model(torch.from_numpy(patches[chosen])).squeeze(-1), torch.from_numpy(labels[chosen])
        expected.append((targets * outputs).detach().numpy())
        optimiser.zero_grad()
        (outputs - targets).square().mean().backward()
        optimiser.step()
    snapshots = np.zeros((25, *weights.shape))
    margins, taken = descend(weights, patches, labels, order, np.full(25, step), snapshots, 1)
    assert taken == 25
    assert margins == pytest.approx(np.array(expected), abs=1e-10)
    assert snapshots[-1] == pytest.approx(model[0].weight.detach().numpy(), abs=1e-10)


def test_an_escape_ends_the_run():
    patches, labels = training_set(SMALL, 1.0, 0)
    weights, order = first_weights(SMALL, 0), visits(SMALL, Condition("single", 1.0, 2.0, 500), 0)
    sizes, snapshots = np.full(500, 2.0 * SMALL.units), np.zeros((5, *weights.shape))
    margins, taken = descend(weights, patches, labels, order, sizes, snapshots, 100)
    assert taken < 500
    assert np.isfinite(margins[:taken]).all()
    assert np.isnan(margins[taken + 1 :]).all()


def test_noise_is_orthogonal_to_both_features_and_weak_examples_lack_the_strong_one():
    spec = BenignOscillationSpec.build(examples=8, weak_only=3)
    patches, labels = training_set(spec, 2.0, 5)
    assert (patches[:, 2, :2] == 0).all()
    assert ((patches[:, 1] == 0).all(1)).sum() == 3
    assert set(labels[(patches[:, 1] == 0).all(1)]) == {1.0, -1.0}
    tests, _ = weak_test_set(spec, 5)
    assert (tests[:, :, 0] == 0).all()
    assert len(tests) >= 200


def test_table_keeps_the_identity(table):
    identity = next(claim for claim in claims.CLAIMS if claim.id == "growth-identity")
    assert judge(identity, table, SMALL).verdict == "holds"
    shares = [claims.course(table, q) for q in ("weak share", "strong share")]
    assert ((shares[0] + shares[1]).dropna() < 3).all(axis=None)


def test_critical_rate_is_interpolated():
    found = [(0, "single", 1.0, rate, 10, "weak growth", value) for rate, value in ((0.2, 0.0), (0.3, 2 * np.log(2)))]
    found += [(0, "single", 1.0, rate, 10, "escaped", 0.0) for rate in (0.2, 0.3)]
    columns = ["seed", "batch", "strength", "rate", "step", "quantity", "value"]
    assert claims.critical_rate(pd.DataFrame(found, columns=columns)).tolist() == [pytest.approx(0.25)]


def test_threshold_in_the_network_and_in_its_null_world():
    spec = STUDY.build("quick", {"rates": [0.2, 0.24, 0.28, 0.36], "batch_steps": 100, "strengths": [], "steps": 4000})
    threshold = next(claim for claim in claims.CLAIMS if claim.id == "threshold")
    assert judge(threshold, run(spec, range(3), "cpu"), spec).verdict == "holds"
    null = STUDY.world(spec, {**STUDY.nulls["half the loss"], "batch_steps": 100, "rates": [0.4, 0.48, 0.56, 0.7]})
    assert judge(threshold, run(null, range(3), "cpu"), null).verdict == "fails"
