"""Losses whose values and gradients are written out, against their formula and autograd in float64."""

import math

import pytest
import torch

from genbook.base.recipes import HUBER_TAU
from genbook.training import LOSSES


def test_the_partially_huberised_loss_is_its_formula():
    """−log p from p = 1/τ on, and below it the tangent there: value and slope are continuous (Menon et al., 2020)."""
    for p in (0.01, 0.3, 1 / HUBER_TAU, 0.7, 0.99):
        outputs = torch.tensor([[math.log(p)], [math.log(1 - p)]], dtype=torch.float64).unsqueeze(0)
        expected = -math.log(p) if p * HUBER_TAU >= 1 else 1 + math.log(HUBER_TAU) - HUBER_TAU * p
        found = LOSSES["partially Huberised"].values(outputs, torch.zeros(1, 1, dtype=torch.long))
        assert found.item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("loss", LOSSES)
def test_gradients_and_values_are_those_of_the_module(loss):
    """Outputs [R, C, B], on either side of every threshold, against autograd of each replica's module."""
    draw = torch.Generator().manual_seed(1)
    classes = 1 if loss == "logistic" else 4
    outputs = 2 * torch.randn(3, classes, 20, generator=draw, dtype=torch.float64)
    labels = torch.randint(classes, (20,), generator=draw)
    labels = torch.where(outputs[0, 0] > 0, 1, -1) if loss == "logistic" else labels
    one = LOSSES[loss].targets(labels, classes, outputs.dtype)
    targets = one.expand(3, -1) if one.dim() == 1 else one.T.expand(3, -1, -1)
    found = LOSSES[loss].gradient(outputs, targets)
    for r in range(3):
        plain = outputs[r].T.clone().requires_grad_()
        value = LOSSES[loss].module()(plain, one)
        value.backward()
        torch.testing.assert_close(found[r].T, plain.grad, rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(LOSSES[loss].values(outputs, targets)[r].mean(), value.detach(), rtol=1e-10, atol=0)
