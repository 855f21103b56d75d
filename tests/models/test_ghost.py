"""Normalisation by batch and by ghost batch, alone and in MLPs, in float64."""

import numpy as np
import pytest
import torch
from torch import nn

from genbook import models
from genbook.base.seeding import generator
from genbook.models import GhostBatchNorm1d, initialise, stack, written
from genbook.training.wide import WideProgram

NORMS = {"batch": {"norm": "batch"}, "ghost batches": {"norm": "batch", "ghost": 4}}


def drawn(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape))


def warmed(ghost, features=3, steps=4, size=8):
    layer = GhostBatchNorm1d(features, ghost).double()
    with torch.no_grad():
        layer.norm.weight.copy_(drawn(features, seed=1))
        layer.norm.bias.copy_(drawn(features, seed=2))
    for step in range(steps):
        layer(2 + 3 * drawn(size, features, seed=10 + step))
    return layer


def test_each_ghost_batch_is_normalised_by_its_own_statistics():
    inputs, layer = drawn(12, 3), warmed(4)
    outputs = layer(inputs)
    for start in range(0, 12, 4):
        part = inputs[start : start + 4]
        normalised = (part - part.mean(0)) / (part.var(0, unbiased=False) + 1e-5).sqrt()
        expected = layer.norm.weight * normalised + layer.norm.bias
        torch.testing.assert_close(outputs[start : start + 4], expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("eta", [0.1, 0.4])
def test_running_statistics_have_their_closed_form(eta):
    """After k ghost batches: (1 − η)^k of the start, and η (1 − η)^(k−i) of the i-th, variances unbiased."""
    layer, inputs, k = GhostBatchNorm1d(3, 4, momentum=eta).double(), drawn(20, 3), 5
    layer(inputs)
    parts = inputs.view(k, 4, 3)
    weights = torch.tensor([eta * (1 - eta) ** (k - i) for i in range(1, k + 1)], dtype=torch.float64)
    means = torch.einsum("k,kf->f", weights, parts.mean(1))
    variances = (1 - eta) ** k + torch.einsum("k,kf->f", weights, parts.var(1))
    torch.testing.assert_close(layer.norm.running_mean, means, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(layer.norm.running_var, variances, rtol=1e-12, atol=1e-12)
    assert layer.norm.num_batches_tracked == k


def test_one_ghost_batch_is_batch_normalisation_and_evaluation_an_affine_map():
    layer, inputs = warmed(8), drawn(8, 3)
    plain = nn.BatchNorm1d(3).double()
    plain.load_state_dict(layer.norm.state_dict())
    torch.testing.assert_close(layer(inputs), plain(inputs), rtol=0, atol=0)
    assert all(torch.equal(value, plain.state_dict()[name]) for name, value in layer.norm.state_dict().items())
    layer.eval()
    slope = layer.norm.weight / (layer.norm.running_var + 1e-5).sqrt()
    expected = slope * (inputs - layer.norm.running_mean) + layer.norm.bias
    torch.testing.assert_close(layer(inputs), expected, rtol=1e-12, atol=1e-12)
    # An incomplete ghost batch is one in training alone.
    torch.testing.assert_close(layer(inputs[:5]), expected[:5], rtol=1e-12, atol=1e-12)


def test_gradients_of_a_ghost_batch_are_those_of_the_closed_form():
    layer, inputs = warmed(4), drawn(8, 3).requires_grad_()
    assert torch.autograd.gradcheck(layer, inputs)
    layer.zero_grad()
    by_outputs = drawn(8, 3, seed=5)
    layer(inputs).backward(by_outputs)
    parts = inputs.detach().view(2, 4, 3)
    normalised = (parts - parts.mean(1, keepdim=True)) / (parts.var(1, unbiased=False, keepdim=True) + 1e-5).sqrt()
    torch.testing.assert_close(layer.norm.weight.grad, (by_outputs.view(2, 4, 3) * normalised).sum((0, 1)))
    torch.testing.assert_close(layer.norm.bias.grad, by_outputs.sum(0))


@pytest.mark.parametrize("ghost", [None, 4])
def test_a_normalised_mlp_does_not_see_the_scale_of_a_hidden_unit(ghost):
    """Its output stays, so that the gradient is orthogonal to the unit's weights and falls as they grow."""
    model = initialise(models.mlp((5, 6, 3), norm="batch", ghost=ghost).double(), generator(0, "initialisation"))
    (model[1] if ghost is None else model[1].norm).eps = 1e-300
    inputs, found = drawn(8, 5), []
    for factor in (1.0, 3.0):
        model.zero_grad()
        with torch.no_grad():
            model[0].weight[2] *= factor
        outputs = model(inputs)
        outputs.square().sum().backward()
        found.append((outputs.detach(), model[0].weight.grad[2].clone()))
    (before, gradient), (after, smaller) = found
    torch.testing.assert_close(after, before, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(3 * smaller, gradient, rtol=1e-9, atol=1e-10)
    weight = model[0].weight.detach()[2]
    assert abs(float(smaller @ weight)) < 1e-9 * float(smaller.norm() * weight.norm())


def test_the_layers_of_a_normalised_mlp_and_its_programs():
    plain, norm, ghost = (models.mlp((5, 7, 6, 3), **how) for how in ({}, {"norm": "batch"}, NORMS["ghost batches"]))
    assert [type(layer).__name__ for layer in ghost] == 2 * ["Linear", "GhostBatchNorm1d", "ReLU"] + ["Linear"]
    assert [layer.bias is None for layer in norm if isinstance(layer, nn.Linear)] == [True, True, False]
    assert written.is_mlp(plain)
    assert written.is_mlp(stack([plain]))
    for model in (norm, ghost, models.mlp((5, 7, 3), **NORMS["ghost batches"])):
        assert not written.is_mlp(model)
        assert not written.is_mlp(stack([model]))
        assert not WideProgram.fits(model)


@pytest.mark.parametrize("how", NORMS)
def test_a_stack_normalises_each_replica_by_its_own_ghost_batches(how):
    plain = [initialise(models.mlp((5, 7, 3), **NORMS[how]).double(), np.random.default_rng(r)) for r in range(3)]
    stacked, inputs = stack(plain), drawn(3, 12, 5)
    for _ in range(2):
        outputs = stacked(inputs)
        for r, network in enumerate(plain):
            torch.testing.assert_close(outputs[r], network(inputs[r]), rtol=1e-12, atol=1e-12)
    for name, values in stacked.state_dict().items():
        for r, network in enumerate(plain):
            torch.testing.assert_close(values[r], network.state_dict()[name], rtol=1e-12, atol=1e-12)


def test_stacks_of_other_ghost_batches_are_refused():
    with pytest.raises(ValueError, match="differ in layers"):
        stack([models.mlp((5, 7, 3), norm="batch", ghost=ghost) for ghost in (2, 4)])


def test_what_cannot_be_normalised_says_so():
    layer = GhostBatchNorm1d(3, 4)
    with pytest.raises(ValueError, match="10 examples is no whole number of ghost batches of 4"):
        layer(torch.ones(10, 3))
    with pytest.raises(ValueError, match="2 examples is no whole number of ghost batches of 4"):
        layer(torch.ones(2, 3))
    for ghost in (1, 0, -2, 2.5):
        with pytest.raises(ValueError, match="from two examples on"):
            GhostBatchNorm1d(3, ghost)
    with pytest.raises(ValueError, match="norm is 'layer'"):
        models.mlp((5, 7, 3), norm="layer")
    with pytest.raises(ValueError, match="without normalisation there are no ghost batches"):
        models.mlp((5, 7, 3), ghost=4)
