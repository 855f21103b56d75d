"""The laws of coherence against brute force."""

import numpy as np
import pytest
import torch
from torch import nn

from genbook.base.claims import judge
from genbook.models import mlp
from genbook.studies import get
from genbook.studies.coherence.coherence_laws import claims, theory
from genbook.studies.coherence.coherence_laws.run import alpha, per_example_gradients

LAWS = get("coherence_laws")
SMALL = {"n_train": 50, "steps": 30, "batch_sizes": [1, 4, 16], "draws": 2000}


@pytest.fixture(scope="module")
def worlds():
    spec = LAWS.build("quick", SMALL)
    specs = {"main": spec, **{name: LAWS.world(spec, changes) for name, changes in LAWS.nulls.items()}}
    return {name: (LAWS.run(one, range(3), "cpu"), one) for name, one in specs.items()}


def test_gradients_written_out_are_those_of_one_backward_pass_each():
    torch.manual_seed(0)
    model, loss = mlp((5, 4, 3), activation="tanh").double(), nn.CrossEntropyLoss()
    inputs, targets = torch.randn(6, 5, dtype=torch.float64), torch.tensor([0, 1, 2, 0, 1, 2])
    written = per_example_gradients(model, loss, inputs, targets)
    for row, one, target in zip(written, inputs, targets, strict=True):
        parts = torch.autograd.grad(loss(model(one[None]), target[None]), list(model.parameters()))
        torch.testing.assert_close(row, torch.cat([part.flatten() for part in parts]))


def test_batch_law_by_enumeration_of_all_batches():
    gradients = torch.from_numpy(np.random.default_rng(0).normal(0.3, 1, (5, 3)))
    pairs = torch.stack([(a + b) / 2 for a in gradients for b in gradients])
    assert alpha(pairs) == pytest.approx(float(theory.of_batches(alpha(gradients), 2)), rel=1e-12)


def test_relatives_of_written_out_gradients():
    g = np.random.default_rng(1).normal(0.2, 1, (8, 4))
    coherence = np.square(g.sum(0)).sum() / np.square(g).sum()
    mean, variance = g.mean(0), g.var(0)
    assert theory.from_diversity(1 / coherence, 8) == pytest.approx(coherence)
    assert theory.from_noise_scale(variance.sum() / np.square(mean).sum(), 8) == pytest.approx(coherence)
    assert theory.from_signal_to_noise(np.square(mean).sum() / variance.sum(), 8) == pytest.approx(coherence)


def test_zeros_dilute_and_scale_does_not_matter(worlds):
    table, _ = worlds["main"]
    at = claims.law(table, "diluted alpha").pivot(index="seed", columns="at", values="value")
    np.testing.assert_allclose(at[0.5], at[1.0] / 2, rtol=1e-9)
    scaled = claims.law(table, "scaled alpha").pivot(index="seed", columns="at", values="value")
    np.testing.assert_allclose(scaled[0.1], at[1.0], rtol=1e-9)


@pytest.mark.parametrize("claim", LAWS.claims, ids=lambda claim: claim.id)
def test_claims_fail_in_their_null_worlds(worlds, claim):
    null = judge(claim, *worlds[claim.null])
    assert null.verdict == "fails"
    assert np.isfinite([null.estimate, null.low, null.high]).all()
