"""The loss of each example by itself, for every reduction."""

import functools

import pytest
import torch
from per_example import flat, gradients
from torch import nn
from torch.nn import functional

from genbook.gradients import coherence

M = 8
EXACT = {"rtol": 1e-10, "atol": 1e-12}


def network(outputs=3):
    torch.manual_seed(2)
    return nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, outputs)).double()


def inputs(*shape):
    return torch.randn(M, *shape, 5, dtype=torch.float64)


def classes(*shape):
    return torch.randint(0, 3, (M, *shape))


def reals(*shape):
    return torch.randn(M, *shape, dtype=torch.float64)


WEIGHTS = torch.tensor([0.3, 1.0, 2.5], dtype=torch.float64)

# loss, targets, the same loss of one example as it stands in the batch
LOSSES = {
    "mean": (nn.CrossEntropyLoss(), classes(), nn.CrossEntropyLoss()),
    "sum": (nn.CrossEntropyLoss(reduction="sum"), classes(), nn.CrossEntropyLoss()),
    "none": (nn.CrossEntropyLoss(reduction="none"), classes(), nn.CrossEntropyLoss()),
    "class weights": (nn.CrossEntropyLoss(WEIGHTS), classes(), nn.CrossEntropyLoss(WEIGHTS, reduction="sum")),
    "class weights, sum": (
        nn.CrossEntropyLoss(WEIGHTS, reduction="sum"),
        classes(),
        nn.CrossEntropyLoss(WEIGHTS, reduction="sum"),
    ),
    "smoothed labels": (nn.CrossEntropyLoss(label_smoothing=0.1), classes(), nn.CrossEntropyLoss(label_smoothing=0.1)),
    "class probabilities": (nn.CrossEntropyLoss(), reals(3).softmax(1), nn.CrossEntropyLoss()),
    "squared": (nn.MSELoss(), reals(3), nn.MSELoss()),
    "squared, sum": (nn.MSELoss(reduction="sum"), reals(3), nn.MSELoss(reduction="sum")),
    "binary": (nn.BCEWithLogitsLoss(), reals(3).sigmoid(), nn.BCEWithLogitsLoss()),
    "by batch": (
        nn.KLDivLoss(reduction="batchmean"),
        reals(3).softmax(1),
        nn.KLDivLoss(reduction="batchmean"),
    ),
    "function": (functional.cross_entropy, classes(), nn.CrossEntropyLoss()),
    "function, sum": (functools.partial(functional.mse_loss, reduction="sum"), reals(3), nn.MSELoss(reduction="sum")),
    "own function by example": (lambda o, t: (o - t).pow(4).sum(1), reals(3), lambda o, t: (o - t).pow(4).sum()),
    "own function, mean": (lambda o, t: (o - t).pow(4).sum(1).mean(), reals(3), lambda o, t: (o - t).pow(4).sum()),
    "own function, sum": (lambda o, t: (o - t).pow(4).sum(), reals(3), lambda o, t: (o - t).pow(4).sum()),
}


@pytest.mark.parametrize("case", LOSSES)
def test_gradient_of_the_examples_own_loss(case):
    loss, targets, alone = LOSSES[case]
    model, x = network(), inputs()
    g = flat(gradients(model, alone, x, targets))
    for chunk_size in (None, 3):
        c = coherence(model, loss, x, targets, chunk_size=chunk_size)
        torch.testing.assert_close(c.norms, g.norm(dim=1), **EXACT)
        torch.testing.assert_close(c.alignments, g @ g.mean(0), **EXACT)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_losses_of_a_sequence_are_reduced_over_the_example(reduction):
    class LastAxisClasses(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = network()

        def forward(self, x):
            return self.net(x).mT  # cross-entropy wants classes second

    x, y = inputs(4), classes(4)
    y[0] = -100  # an example of which nothing counts
    y[1, :2] = -100
    model = LastAxisClasses()
    # Summed, then divided by the positions that count.
    g = flat(gradients(model, nn.CrossEntropyLoss(reduction="sum"), x, y))
    if reduction == "mean":
        g /= (y != -100).sum(1, keepdim=True).clamp(min=1)
    c = coherence(model, nn.CrossEntropyLoss(reduction=reduction), x, y)
    torch.testing.assert_close(c.norms, g.norm(dim=1), **EXACT)
    torch.testing.assert_close(c.m_coherence, g.sum(0).square().sum() / g.square().sum(), **EXACT)
    assert c.norms[0] == 0
    assert c.cosines[0].isnan()


def test_losses_are_returned():
    model, x, y = network(), inputs(), classes()
    c = coherence(model, nn.CrossEntropyLoss(), x, y, chunk_size=3)
    torch.testing.assert_close(c.losses, functional.cross_entropy(model(x), y, reduction="none"), **EXACT)


def test_the_given_loss_is_left_as_it_is():
    loss = nn.CrossEntropyLoss()
    coherence(network(), loss, inputs(), classes())
    assert loss.reduction == "mean"


def contrastive(outputs, targets):
    return (outputs @ outputs.T).logsumexp(1).mean()


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (contrastive, "loss is neither a mean nor a sum over examples"),
        (lambda o, t: o.max(), "loss is neither a mean nor a sum over examples"),
        (lambda o, t: o, r"loss returned a tensor of shape \(8, 3\)"),
    ],
)
def test_a_loss_that_is_no_mean_or_sum_is_refused(loss, message):
    with pytest.raises(ValueError, match=message):
        coherence(network(), loss, inputs(), classes())


def test_an_unknown_reduction_is_refused():
    class Median(nn.Module):
        reduction = "median"

        def forward(self, outputs, targets):
            return (outputs - targets).abs().median()

    with pytest.raises(ValueError, match="loss has the reduction 'median'"):
        coherence(network(), Median(), inputs(), reals(3))


def test_a_loss_that_cannot_be_called_is_refused():
    with pytest.raises(TypeError, match="loss is 'cross-entropy'; it must be a loss function"):
        coherence(network(), "cross-entropy", inputs(), classes())
