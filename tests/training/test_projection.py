"""The projected update, against its definition row by row and against what it is for."""

import dataclasses
import math

import pytest
import torch
from torch import nn

from genbook.training import SGD, Examples, Recipe, Replica, train
from genbook.training.projection import project


def by_definition(weight, gradient, update, delta):
    """Heo et al. (2021) for one network's weight, in plain loops: (update, whether it was projected)."""
    rows = [(w.flatten(), g.flatten(), u.flatten()) for w, g, u in zip(weight, gradient, update, strict=True)]
    for parts in (rows, [(weight.flatten(), gradient.flatten(), update.flatten())]):
        cosines = [abs(float(w @ g / (w.norm() * g.norm()))) for w, g, _ in parts]
        if max(cosines) < delta / math.sqrt(len(parts[0][0])):
            return torch.stack([u - (w @ u) / (w @ w) * w for w, _, u in parts]).view_as(update), True
    return update, False


def orthogonal(gradient, weight, dims):
    """The gradient without its part along the weight, over the axes `dims`."""
    return gradient - weight * (weight * gradient).sum(dims, keepdim=True) / weight.square().sum(dims, keepdim=True)


@pytest.mark.parametrize("shape", [(4, 6), (3, 2, 3, 3), (5, 2)])
def test_the_projection_is_its_definition_for_each_network(shape):
    """Networks whose gradients are orthogonal to each row, to the whole weight alone, and to neither."""
    draw = torch.Generator().manual_seed(0)
    weights, gradients, updates = (torch.randn(3, *shape, generator=draw, dtype=torch.float64) for _ in range(3))
    inner = tuple(range(1, len(shape)))
    gradients[0] = orthogonal(gradients[0], weights[0], inner)
    gradients[1] = orthogonal(weights[1] * torch.arange(shape[0]).view(-1, *[1] * len(inner)), weights[1], (0, *inner))
    gradients[2] = weights[2] + 0.1 * gradients[2]
    found = updates.clone()
    projected = project(weights, gradients, found, 0.1)
    expected = [by_definition(*parts, 0.1) for parts in zip(weights, gradients, updates, strict=True)]
    assert projected.tolist() == [was for _, was in expected] == [True, True, False]
    torch.testing.assert_close(found, torch.stack([update for update, _ in expected]), rtol=1e-12, atol=1e-12)
    radial = (found * weights).flatten(2).sum(2)
    assert radial[0].abs().max() < 1e-12
    assert radial[1].abs().max() > 0.01  # not by rows, but as a whole
    assert abs(float((found[1] * weights[1]).sum())) < 1e-12
    torch.testing.assert_close(found[2], updates[2], rtol=0, atol=0)


#: Layer normalisation without an offset: what comes out does not feel the scale of the first weight as a whole.
NETWORK = nn.Sequential(
    nn.Linear(6, 8, bias=False), nn.LayerNorm(8, eps=0, elementwise_affine=False), nn.Tanh(), nn.Linear(8, 2)
)


def norms(optimiser, steps=60):
    """Row lengths of a normalised layer before and after training in full batch, in float64."""
    draw = torch.Generator().manual_seed(1)
    inputs = torch.randn(40, 6, generator=draw, dtype=torch.float64)
    data = {"train": Examples(inputs, (inputs[:, 0] > 0).long())}
    ends = [
        train([Replica(0, NETWORK, Recipe(count, of), data)]).states[0]["0.weight"]
        for count, of in ((1, SGD(0.0)), (steps, optimiser))
    ]
    return [weight.norm(dim=1) for weight in ends]


@pytest.mark.parametrize("plain", [SGD(0.05, momentum=0.9), SGD(0.05, momentum=0.9, nesterov=True)], ids=str)
def test_without_the_radial_part_a_scale_invariant_weight_grows_as_descent_alone_makes_it(plain):
    """‖w + u‖² = ‖w‖² + ‖u‖² where u is orthogonal to w; with momentum it is not, and w grows faster."""
    start, momentum = norms(plain)
    _, projected = norms(dataclasses.replace(plain, projected=0.1))
    grown = [float(end.square().sum() / start.square().sum()) - 1 for end in (momentum, projected)]
    assert 0 < grown[1] < 0.8 * grown[0]


def test_each_projected_step_lengthens_a_weight_by_pythagoras():
    """One step at a time, by hand in float64: the square of the length grows by that of the update."""
    draw = torch.Generator().manual_seed(2)
    weight, gradient, momentum = (torch.randn(1, 4, 6, generator=draw, dtype=torch.float64) for _ in range(3))
    gradient = orthogonal(gradient, weight, (2,))
    update = momentum + gradient
    assert project(weight, gradient, update, 0.1).all()
    after = weight - 0.1 * update
    squares = [t.square().sum(2) for t in (after, weight, update)]
    torch.testing.assert_close(squares[0], squares[1] + 0.01 * squares[2], rtol=1e-12, atol=0)
