"""Losses whose values and gradients are written out, against their formula and autograd in float64."""

import math

import pytest
import torch

from genbook.base.errors import TrainingError
from genbook.base.recipes import HUBER_TAU
from genbook.training import LOSSES, EarlyLearning
from genbook.training.losses import EARLY_MARGIN, EarlyTargets


def test_the_partially_huberised_loss_is_its_formula():
    """−log p from p = 1/τ on, and below it the tangent there: value and slope are continuous (Menon et al., 2020)."""
    for p in (0.01, 0.3, 1 / HUBER_TAU, 0.7, 0.99):
        outputs = torch.tensor([[math.log(p)], [math.log(1 - p)]], dtype=torch.float64).unsqueeze(0)
        expected = -math.log(p) if p * HUBER_TAU >= 1 else 1 + math.log(HUBER_TAU) - HUBER_TAU * p
        found = LOSSES["partially Huberised"].values(outputs, torch.zeros(1, 1, dtype=torch.long))
        assert found.item() == pytest.approx(expected, rel=1e-12)


def test_the_hinge_loss_is_its_formula():
    """max(0, 1 − y f): at the margin, y f = 1, and beyond it nothing pulls any more."""
    outputs = torch.tensor([-2.0, -1.0, 0.0, 0.5, 1.0, 3.0], dtype=torch.float64).view(1, 1, -1)
    targets = torch.ones_like(outputs)
    for sign in (1, -1):
        values = LOSSES["hinge"].values(sign * outputs, sign * targets)
        assert values.tolist() == [[3.0, 2.0, 1.0, 0.5, 0.0, 0.0]]
        gradient = LOSSES["hinge"].gradient(sign * outputs, sign * targets)
        assert (6 * gradient).flatten().tolist() == pytest.approx([-sign] * 4 + [0, 0])


@pytest.mark.parametrize("loss", ["logistic", "hinge"])
def test_losses_of_signs_say_what_they_need(loss):
    with pytest.raises(TrainingError, match=f"the {loss} loss needs one output; the network has 3"):
        LOSSES[loss].targets(torch.ones(4), 3, torch.float32)
    with pytest.raises(TrainingError, match=f"labels of the {loss} loss must be -1 or 1"):
        LOSSES[loss].targets(torch.arange(4), 1, torch.float32)


@pytest.mark.parametrize("loss", LOSSES)
def test_gradients_and_values_are_those_of_the_module(loss):
    """Outputs [R, C, B], on either side of every threshold, against autograd of each replica's module."""
    draw = torch.Generator().manual_seed(1)
    binary = loss in ("logistic", "hinge")
    classes = 1 if binary else 4
    outputs = 2 * torch.randn(3, classes, 20, generator=draw, dtype=torch.float64)
    labels = torch.randint(classes, (20,), generator=draw)
    labels = torch.where(outputs[0, 0] > 0, 1, -1) if binary else labels
    one = LOSSES[loss].targets(labels, classes, outputs.dtype)
    targets = one.expand(3, -1) if one.dim() == 1 else one.T.expand(3, -1, -1)
    found = LOSSES[loss].gradient(outputs, targets)
    for r in range(3):
        plain = outputs[r].T.clone().requires_grad_()
        value = LOSSES[loss].module()(plain, one)
        value.backward()
        torch.testing.assert_close(found[r].T, plain.grad, rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(LOSSES[loss].values(outputs, targets)[r].mean(), value.detach(), rtol=1e-10, atol=0)


def penalty(outputs, targets, weight):
    """weight · log(1 − ⟨p, t⟩) of one example's outputs [C], written from the paper."""
    p = outputs.softmax(0).clamp(EARLY_MARGIN, 1 - EARLY_MARGIN)
    return weight * torch.log(1 - (p * targets).sum())


def test_early_learning_is_brute_force_example_by_example():
    """Outputs [R, C, B] of visits in unequal orders, some of them sure of a class, against autograd of the penalty."""
    draw = torch.Generator().manual_seed(2)
    rule, examples, classes = EarlyLearning(weight=2.0, memory=0.6), 6, 4
    found = EarlyTargets(rule, 3, examples, classes, torch.zeros((), dtype=torch.float64))
    targets = torch.zeros(3, examples, classes, dtype=torch.float64)
    for visit in range(4):
        rows = torch.stack([torch.randperm(examples, generator=draw)[:4] for _ in range(3)])
        outputs = 6 * torch.randn(3, classes, 4, generator=draw, dtype=torch.float64)
        outputs[0, 1, 0] = 30.0  # as sure as the margin lets it be
        gradient = found.gradient(outputs, rows)
        for r in range(3):
            for place, row in enumerate(rows[r].tolist()):
                one = outputs[r, :, place].clone().requires_grad_()
                p = one.detach().softmax(0).clamp(EARLY_MARGIN, 1 - EARLY_MARGIN)
                targets[r, row] = 0.6 * targets[r, row] + 0.4 * p / p.sum()
                (penalty(one, targets[r, row], 2.0) / 4).backward()
                torch.testing.assert_close(gradient[r, :, place], one.grad, rtol=1e-10, atol=1e-13)
        assert gradient.abs().max() > 0.01, visit
    torch.testing.assert_close(found.targets, targets, rtol=1e-12, atol=1e-15)


def test_the_penalty_of_inner_probabilities_is_the_papers_gradient():
    """λ p_c / (1 − ⟨p, t⟩) Σ_k (t_k − t_c) p_k, by Lemma 2 of Liu et al. (2020), for one example, B = 1."""
    rule = EarlyLearning(weight=3.0, memory=0.7)
    found = EarlyTargets(rule, 1, 1, 3, torch.zeros((), dtype=torch.float64))
    first, second = (torch.tensor(values, dtype=torch.float64) for values in ([2.0, 0.0, -1.0], [0.5, 1.0, 0.0]))
    found.gradient(first.view(1, 3, 1), torch.zeros(1, 1, dtype=torch.long))
    gradient = found.gradient(second.view(1, 3, 1), torch.zeros(1, 1, dtype=torch.long))
    p, t = second.softmax(0), 0.7 * 0.3 * first.softmax(0) + 0.3 * second.softmax(0)
    expected = [3 * p[c] / (1 - p @ t) * ((t - t[c]) * p).sum() for c in range(3)]
    torch.testing.assert_close(gradient.flatten(), torch.stack(expected), rtol=1e-12, atol=0)
