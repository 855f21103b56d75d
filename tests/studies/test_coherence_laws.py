"""The laws of coherence against brute force."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from genbook.base.claims import judge
from genbook.models import mlp
from genbook.studies import get
from genbook.studies.coherence.coherence_laws import claims, theory
from genbook.studies.coherence.coherence_laws.run import _counts, alpha, per_example_gradients
from tests.known import Answer, Known

LAWS = get("coherence_laws")
SMALL = {"n_train": 50, "steps": 30, "batch_sizes": [1, 4, 16], "draws": 2000}


@pytest.fixture(scope="module")
def settings():
    spec = LAWS.build("quick", SMALL)
    specs = {"discovery": spec, **{name: LAWS.changed(spec, changes) for name, changes in LAWS.controls.items()}}
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


def test_zeros_dilute_and_scale_does_not_matter(settings):
    table, _ = settings["discovery"]
    at = claims.varied(table, "diluted alpha").unstack("at")
    np.testing.assert_allclose(at[0.5], at[1.0] / 2, rtol=1e-9)
    scaled = claims.varied(table, "scaled alpha").unstack("at")
    np.testing.assert_allclose(scaled[0.1], at[1.0], rtol=1e-9)


ALPHAS = {0: 0.2, 1: 0.22}


def _measured(off=(1.05, 1.051), combined=1.0, diversity=1.0, grows=1.0):
    """Two seeds, one step, with α = .2 and .22; averages of four have the law's α times ``off``.

    m-coherence is 40, the layers' ``combined`` times and that of gradient diversity ``diversity`` times as much; of n
    examples it is 1 + ``grows`` (n - 1) α.
    """
    found = []
    for seed, alpha_ in ALPHAS.items():
        law = 4 * alpha_ / (1 + 3 * alpha_)
        mine = [("alpha", 1, alpha_), ("batch alpha", 1, alpha_), ("batch alpha", 4, off[seed] * law)]
        mine += [("subset m-coherence", n, 1 + grows * (n - 1) * alpha_) for n in (2, 11)]
        rows = [(seed, 5, quantity, "all", at, value) for quantity, at, value in mine]
        implied = {"gradient diversity": 1 / 40 / diversity, "noise scale": 1.5, "signal-to-noise": 2 / 3}
        for quantity, value in {"m-coherence": 40.0, "layers combined": 40.0 * combined, **implied}.items():
            rows.append((seed, 5, quantity, "all", np.nan, value))
        for layer, part in (("b", 0.7 + 0.2 * seed), ("a", 0.3 - 0.2 * seed)):
            rows += [(seed, 5, "norm fraction", layer, np.nan, part), (seed, 5, "m-coherence", layer, np.nan, 1.0)]
        found += rows
    return pd.DataFrame(found, columns=["seed", "step", "quantity", "layer", "at", "value"])


def _answer(*values, **changes):
    return Answer(_measured(**changes), values, LAWS.build("quick", {"n_train": 100, "batch_sizes": [1, 4]}))


KNOWN = {
    "relatives-agree": Known(_answer(*[1.0] * 6), _answer(2.0, 2.0, *[1.0] * 4, diversity=2.0)),
    "layers-average": Known(_answer(1.0, 1.0), _answer(1.05, 1.05, combined=1.05)),
    "batches-law": Known(_answer(1.05, 1.051), _answer(0.5, 0.51, off=(0.5, 0.51))),
    "grows-with-m": Known(_answer(3 / 1.2, 3.2 / 1.22), _answer(1.02 / 1.002, 1.022 / 1.0022, grows=0.01)),
}


def test_norm_fractions_are_means_in_the_order_of_the_layers():
    fractions = claims.norm_fractions(_measured())
    assert fractions.index.tolist() == ["b", "a"]
    assert fractions.tolist() == pytest.approx([0.8, 0.2])


def test_draws_are_counted_where_the_products_lie():
    """An accelerator refuses to be mixed with the CPU; 'meta' is a device that every machine has."""
    assert _counts(np.array([[0, 0, 3]]), 5, torch.device("meta")).device.type == "meta"
    assert _counts(np.array([[0, 0, 3], [4, 1, 4]]), 5, "cpu").tolist() == [[2, 0, 0, 1, 0], [0, 1, 0, 0, 2]]


@pytest.mark.parametrize("claim", LAWS.claims, ids=lambda claim: claim.id)
def test_claims_fail_in_their_controls(settings, claim):
    control = judge(claim, *settings[claim.control])
    assert control.verdict == "fails"
    assert np.isfinite([control.estimate, control.low, control.high]).all()
