"""Hessians against closed forms, the dense matrix by brute force in float64, and curvlinops."""

import math

import curvlinops
import numpy as np
import pytest
import torch
from torch import nn
from torch.func import functional_call

from genbook.base.seeding import generator
from genbook.curvature import Hessian, batch_sharpness, hutchinson_trace, sharpness, spectrum, top_eigenpairs
from genbook.models import five_layer_cnn, freeze, initialise, mlp, random_features, small_cnn, stack, unstack


def network(build, seed=0, scale=1.5):
    return initialise(build().double(), generator(seed, "initialisation"), scale)


def examples(shape, n=12, classes=3, seed=0, replicas=None):
    rng = np.random.default_rng(seed)
    leading = (n,) if replicas is None else (replicas, n)
    inputs = torch.from_numpy(rng.standard_normal((*leading, *shape)))
    return inputs, torch.from_numpy(rng.integers(0, classes, leading))


def brute_force(model, loss, inputs, targets):
    """The dense Hessian [P, P] of a plain module, row by row from the gradient of the flat parameters."""
    trained = {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}
    flat = torch.cat([p.flatten() for p in trained.values()])

    def value(theta):
        pieces = theta.split([p.numel() for p in trained.values()])
        parameters = {name: piece.view_as(p) for (name, p), piece in zip(trained.items(), pieces, strict=True)}
        return loss(functional_call(model, parameters, (inputs,)), targets)

    return torch.autograd.functional.hessian(value, flat)


class Diagonal(nn.Module):
    """A model whose loss ½ Σ d_i w_i² has the Hessian diag(d), for inputs d and the loss `total`."""

    def __init__(self, size):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size, dtype=torch.float64))

    def forward(self, inputs):
        return (inputs * self.weight.square()).sum(1) / 2


def total(outputs, targets):
    return (outputs * targets).sum()


def diagonal(entries, dtype=torch.float64):
    entries = torch.as_tensor(entries, dtype=dtype)
    return Hessian(Diagonal(len(entries)).to(dtype), total, entries[None], torch.ones(1, dtype=dtype))


NETWORKS = {
    "tanh": (lambda: mlp((4, 6, 5, 3), "tanh"), (4,)),
    "relu": (lambda: mlp((4, 8, 3), "relu"), (4,)),
    "squared relu": (lambda: mlp((4, 8, 3), "squared-relu"), (4,)),
    "convolutions": (lambda: small_cnn(width=2, outputs=3, image=4), (1, 4, 4)),
    "random features": (lambda: random_features(4, 9, 3), (4,)),
    "frozen first layer": (lambda: freeze(mlp((4, 6, 3), "tanh"), ["0"]), (4,)),
    "group norm": (
        lambda: nn.Sequential(nn.Conv2d(1, 4, 3), nn.GroupNorm(2, 4), nn.Flatten(), nn.Linear(16, 3)),
        (1, 4, 4),
    ),
}


# --- products


@pytest.mark.parametrize("name", NETWORKS)
def test_the_dense_hessian_is_the_one_by_brute_force(name):
    build, shape = NETWORKS[name]
    model, (inputs, targets) = network(build), examples(shape)
    hessian = Hessian(model, nn.CrossEntropyLoss(), inputs, targets)
    expected = brute_force(model, nn.CrossEntropyLoss(), inputs, targets)
    assert hessian.size == len(expected)
    torch.testing.assert_close(hessian.dense()[0], expected, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_stack_multiplies_each_replica_with_its_own_hessian(name):
    build, shape = NETWORKS[name]
    models, (inputs, targets) = [network(build, seed) for seed in range(3)], examples(shape, replicas=3)
    if name == "convolutions":
        targets[0] = 0  # replicas may differ in anything
    hessian = Hessian(stack(models), nn.CrossEntropyLoss(), inputs, targets)
    vectors = torch.randn(3, 2, hessian.size, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    products = hessian @ vectors
    for r, model in enumerate(models):
        expected = vectors[r] @ brute_force(model, nn.CrossEntropyLoss(), inputs[r], targets[r])
        torch.testing.assert_close(products[r], expected, rtol=1e-9, atol=1e-10)


def test_products_agree_with_curvlinops():
    model, (inputs, targets) = network(NETWORKS["tanh"][0]), examples((4,), n=30)
    oracle = curvlinops.HessianLinearOperator(
        model, nn.CrossEntropyLoss(), list(model.parameters()), [(inputs, targets)], check_deterministic=False
    )
    hessian = Hessian(model, nn.CrossEntropyLoss(), inputs, targets)
    vector = torch.randn(hessian.size, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close((hessian @ vector[None])[0], oracle @ vector, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("loss", [nn.MSELoss(), nn.MSELoss(reduction="sum"), nn.SoftMarginLoss()])
def test_other_losses(loss):
    models = [network(lambda: mlp((4, 6, 1), "tanh"), seed) for seed in range(2)]
    inputs, _ = examples((4,), replicas=2)
    targets = inputs[..., :1].sign()
    stacked = Hessian(stack(models), loss, inputs, targets).dense()
    for r, model in enumerate(models):
        torch.testing.assert_close(stacked[r], brute_force(model, loss, inputs[r], targets[r]), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("replicas", [None, 2])
def test_batches_add_up_to_the_whole(replicas):
    build, shape = NETWORKS["tanh"]
    model = network(build) if replicas is None else stack([network(build, seed) for seed in range(replicas)])
    inputs, targets = examples(shape, n=11, replicas=replicas)
    whole = Hessian(model, nn.CrossEntropyLoss(), inputs, targets)
    parts = Hessian(model, nn.CrossEntropyLoss(), inputs, targets, batch_size=4)
    vectors = torch.randn(whole.point.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(parts @ vectors, whole @ vectors, rtol=1e-9, atol=1e-12)


def test_linear_regression_has_the_second_moments_of_the_inputs():
    model, (inputs, _) = network(lambda: mlp((5, 1), bias=False)), examples((5,), n=40)
    hessian = Hessian(model, nn.MSELoss(), inputs, inputs[:, :1])
    torch.testing.assert_close(hessian.dense()[0], 2 * inputs.T @ inputs / 40)


def test_a_loss_that_is_linear_in_the_parameters_has_no_curvature():
    model, (inputs, _) = network(lambda: mlp((40, 1))), examples((40,))
    hessian = Hessian(model, lambda outputs, targets: outputs.mean(), inputs, inputs[:, :1])
    assert not hessian.dense().any()
    assert top_eigenpairs(hessian).values.abs().max() < 1e-12


def test_the_model_is_left_as_it_was():
    model, (inputs, targets) = network(lambda: five_layer_cnn(1, 3, norm="batch")).train(), examples((3, 32, 32), n=4)
    model[0].weight.grad = torch.ones_like(model[0].weight)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    first = sharpness(model, nn.CrossEntropyLoss(), inputs, targets, max_iterations=3)
    torch.testing.assert_close(dict(model.state_dict()), before, rtol=0, atol=0)
    assert bool((model[0].weight.grad == 1).all())
    assert model.training
    assert all(p.requires_grad for p in model.parameters())
    with torch.no_grad():
        torch.testing.assert_close(sharpness(model, nn.CrossEntropyLoss(), inputs, targets, max_iterations=3), first)


# --- eigenvalues


@pytest.mark.parametrize("name", ["tanh", "relu", "convolutions", "group norm"])
@pytest.mark.parametrize("k", [1, 4])
def test_top_eigenvalues_are_those_of_the_dense_matrix(name, k):
    build, shape = NETWORKS[name]
    models, (inputs, targets) = [network(build, seed) for seed in range(3)], examples(shape, replicas=3)
    hessian = Hessian(stack(models), nn.CrossEntropyLoss(), inputs, targets)
    pairs = top_eigenpairs(hessian, k, tolerance=1e-8)
    for r, model in enumerate(models):
        dense = brute_force(model, nn.CrossEntropyLoss(), inputs[r], targets[r])
        torch.testing.assert_close(pairs.values[r], torch.linalg.eigvalsh(dense).flip(0)[:k], rtol=1e-9, atol=1e-11)
    gram = pairs.vectors @ pairs.vectors.mT
    torch.testing.assert_close(gram, torch.eye(k, dtype=gram.dtype).expand_as(gram), rtol=0, atol=1e-7)


def test_the_residual_is_the_true_one_and_bounds_the_error():
    entries = np.linspace(-3, 2, 200)
    pairs = top_eigenpairs(diagonal(entries), 2, tolerance=0.05)
    remains = torch.from_numpy(entries) * pairs.vectors - pairs.values[..., None] * pairs.vectors
    torch.testing.assert_close(pairs.residuals, torch.linalg.vector_norm(remains, dim=2), rtol=1e-6, atol=1e-9)
    assert 0 < pairs.residuals.max() <= 0.05 * 3
    for value, residual in zip(pairs.values[0], pairs.residuals[0], strict=True):
        assert np.abs(entries - value.item()).min() <= residual


@pytest.mark.parametrize(
    ("entries", "k", "expected"),
    [
        (np.full(100, 3.0), 1, [3]),
        (np.full(100, 3.0), 4, [3, 3, 3, 3]),
        (np.r_[np.full(3, 5.0), np.zeros(97)], 4, [5, 5, 5, 0]),
        (np.zeros(100), 2, [0, 0]),
        (-np.arange(1.0, 101), 2, [-1, -2]),
        (np.r_[-50.0, np.linspace(0, 1, 98), 2], 1, [2]),
        (np.arange(40.0), 14, 39 - np.arange(14.0)),
        (np.arange(8.0), 3, [7, 6, 5]),
    ],
)
def test_spectra_known_beforehand(entries, k, expected):
    pairs = top_eigenpairs(diagonal(entries), k, tolerance=1e-6)
    np.testing.assert_allclose(pairs.values[0], expected, atol=1e-5)


def test_every_output_of_a_linear_model_has_the_same_eigenvalues():
    model, (inputs, _) = network(lambda: mlp((20, 4), bias=False)), examples((20,), n=60)
    hessian = Hessian(model, nn.MSELoss(), inputs, inputs[:, :4])
    largest = torch.linalg.eigvalsh(2 * inputs.T @ inputs / (60 * 4)).flip(0)[:2]
    expected = largest.repeat_interleave(4)[:5]
    torch.testing.assert_close(top_eigenpairs(hessian, 5, tolerance=1e-7).values[0], expected)


def test_single_precision_is_good_to_its_digits():
    build, shape = NETWORKS["tanh"]
    models, (inputs, targets) = [network(build, seed) for seed in range(3)], examples(shape, replicas=3)
    exact = spectrum(Hessian(stack(models), nn.CrossEntropyLoss(), inputs, targets))
    single = Hessian(stack([m.float() for m in models]), nn.CrossEntropyLoss(), inputs.float(), targets)
    values = top_eigenpairs(single, 3, tolerance=1e-4).values
    np.testing.assert_allclose(values, exact[:, :3], rtol=1e-4, atol=1e-5)


def test_a_warm_start_saves_products_and_finds_the_same():
    entries = np.r_[np.linspace(0, 1, 400), 1.6]
    hessian = diagonal(entries)
    cold = top_eigenpairs(hessian)
    moved = diagonal(entries * 1.01)
    warm = top_eigenpairs(moved, start=cold.vectors)
    assert warm.values.item() == pytest.approx(1.6 * 1.01, rel=1e-5)
    assert warm.iterations.item() < cold.iterations.item()


@pytest.mark.parametrize("gap", [0.02, 0.2, 1.0])
def test_a_warm_start_is_not_taken_in_when_another_eigenvalue_has_overtaken(gap):
    entries = np.r_[np.linspace(0, 1, 400), 2.0, 2.0 + gap]
    stale = torch.zeros(1, 1, 402, dtype=torch.float64)
    stale[..., 400] = 1
    pairs = top_eigenpairs(diagonal(entries), start=stale)
    assert pairs.values.item() == pytest.approx(2.0 + gap, rel=1e-4)


def test_a_replica_has_the_same_sharpness_alone_and_in_company():
    build, shape = NETWORKS["tanh"]
    models, (inputs, targets) = [network(build, seed, 1 + seed) for seed in range(4)], examples(shape, replicas=4)
    loss = nn.CrossEntropyLoss()
    together = top_eigenpairs(Hessian(stack(models), loss, inputs, targets))
    for r, model in enumerate(models):
        alone = top_eigenpairs(Hessian(model, loss, inputs[r], targets[r]))
        assert alone.iterations.item() == together.iterations[r].item()
        torch.testing.assert_close(alone.values[0], together.values[r], rtol=1e-10, atol=0)
        torch.testing.assert_close(alone.vectors[0], together.vectors[r], rtol=1e-6, atol=1e-7)


def test_a_diverged_replica_is_nan_and_its_neighbours_are_not_disturbed():
    build, shape = NETWORKS["tanh"]
    models, (inputs, targets) = [network(build, seed) for seed in range(3)], examples(shape, replicas=3)
    loss = nn.CrossEntropyLoss()
    expected = sharpness(stack(models), loss, inputs, targets)
    for value in (math.nan, math.inf):
        nn.init.constant_(models[1][0].weight, value)
        found = sharpness(stack(models), loss, inputs, targets)
        assert torch.isnan(found).tolist() == [False, True, False]
        torch.testing.assert_close(found[[0, 2]], expected[[0, 2]])
        everything = spectrum(Hessian(stack(models), loss, inputs, targets))
        assert torch.isnan(everything).all(1).tolist() == [False, True, False]


def test_stopped_early_the_value_is_a_lower_bound():
    entries = np.linspace(0, 1, 300)
    few = [top_eigenpairs(diagonal(entries), max_iterations=n, tolerance=1e-12).values.item() for n in (1, 3, 9, 27)]
    assert few == sorted(few)
    assert few[0] < few[-1] <= 1


# --- gradient descent on a quadratic


def test_sharpness_tells_the_step_at_which_gradient_descent_diverges():
    model, (inputs, _) = network(lambda: mlp((6, 1), bias=False)), examples((6,), n=30)
    targets = inputs[:, :1]
    edge = 2 / sharpness(model, nn.MSELoss(), inputs, targets).item()
    for step, diverges in ((0.98 * edge, False), (1.02 * edge, True)):
        trained = unstack(stack([model]), 0)
        optimiser = torch.optim.SGD(trained.parameters(), step)
        for _ in range(2000):
            optimiser.zero_grad()
            loss = nn.functional.mse_loss(trained(inputs), targets)
            loss.backward()
            optimiser.step()
        assert (loss.item() > 1) == diverges


# --- trace and spectrum


def test_the_spectrum_is_all_of_it():
    build, shape = NETWORKS["tanh"]
    models, (inputs, targets) = [network(build, seed) for seed in range(2)], examples(shape, replicas=2)
    values = spectrum(Hessian(stack(models), nn.CrossEntropyLoss(), inputs, targets))
    for r, model in enumerate(models):
        dense = brute_force(model, nn.CrossEntropyLoss(), inputs[r], targets[r])
        torch.testing.assert_close(values[r], torch.linalg.eigvalsh(dense).flip(0), rtol=1e-9, atol=1e-11)


def test_the_trace_lies_within_its_standard_error_which_is_the_one_of_theory():
    build, shape = NETWORKS["tanh"]
    models, (inputs, targets) = [network(build, seed) for seed in range(3)], examples(shape, replicas=3)
    hessian = Hessian(stack(models), nn.CrossEntropyLoss(), inputs, targets)
    dense = hessian.dense()
    samples = hessian.size - 1
    estimates = [hutchinson_trace(hessian, samples, seed=seed) for seed in range(8)]
    traces = dense.diagonal(dim1=1, dim2=2).sum(1)
    # For random signs the variance of v·Hv is 2 Σ_{i≠j} H_ij².
    off_diagonal = dense.square().sum((1, 2)) - dense.diagonal(dim1=1, dim2=2).square().sum(1)
    theory = (2 * off_diagonal / samples).sqrt()
    errors = torch.stack([(e.values - traces) / theory for e in estimates])
    assert errors.abs().max() < 4
    assert errors.square().mean().sqrt().item() == pytest.approx(1, abs=0.45)
    claimed = torch.stack([e.standard_errors for e in estimates]).mean(0)
    torch.testing.assert_close(claimed, theory, rtol=0.25, atol=0)


def test_with_enough_samples_the_trace_is_exact():
    hessian = diagonal(np.arange(30.0) - 3)
    estimate = hutchinson_trace(hessian, 30)
    assert estimate.values.item() == pytest.approx(np.sum(np.arange(30.0) - 3))
    assert estimate.standard_errors.item() == 0
    # A diagonal matrix is estimated without error by any signs.
    assert hutchinson_trace(hessian, 2).values.item() == pytest.approx(estimate.values.item())


# --- what is refused


def test_requests_that_make_no_sense_are_refused():
    model, (inputs, targets) = network(NETWORKS["tanh"][0]), examples((4,))
    hessian = Hessian(model, nn.CrossEntropyLoss(), inputs, targets)
    for k in (0, hessian.size + 1):
        with pytest.raises(ValueError, match=f"k is {k}; a Hessian of {hessian.size} parameters has 1 to"):
            top_eigenpairs(hessian, k)
    with pytest.raises(ValueError, match="have to be positive"):
        top_eigenpairs(hessian, max_iterations=0)
    with pytest.raises(ValueError, match="start has shape"):
        top_eigenpairs(hessian, start=torch.ones(1, 2, hessian.size))
    with pytest.raises(ValueError, match="needs at least 2"):
        hutchinson_trace(hessian, 1)
    with pytest.raises(ValueError, match="vectors have shape"):
        hessian @ torch.ones(hessian.size)
    with pytest.raises(ValueError, match="at most 5000 parameters, the model has 7070"):
        spectrum(Hessian(mlp((100, 70, 1)).double()[:1], nn.MSELoss(), torch.ones(1, 100).double(), torch.ones(1, 70)))
    with pytest.raises(ValueError, match="no trained parameter"):
        Hessian(freeze(mlp((4, 3)), ["0"]), nn.MSELoss(), inputs, targets)
    with pytest.raises(ValueError, match="has to be a scalar"):
        Hessian(model, nn.CrossEntropyLoss(reduction="none"), inputs, targets)
    with pytest.raises(ValueError, match="batch_size is 0"):
        Hessian(model, nn.CrossEntropyLoss(), inputs, targets, batch_size=0)


def test_examples_that_do_not_fit_the_stack_are_refused():
    stacked, (inputs, targets) = stack([network(NETWORKS["tanh"][0])] * 2), examples((4,), replicas=3)
    with pytest.raises(ValueError, match=r"both need to be \[2, B, \.\.\.\]"):
        Hessian(stacked, nn.CrossEntropyLoss(), inputs, targets)
    with pytest.raises(ValueError, match=r"do not fit the model"):
        Hessian(stacked, nn.CrossEntropyLoss(), inputs[:2], targets[0])
    with pytest.raises(ValueError, match="has to be a scalar"):
        Hessian(stacked, nn.CrossEntropyLoss(reduction="none"), inputs[:2], targets[:2])


def batch_by_batch(model, loss, inputs, targets, batches):
    """The mean of gᵀHg / gᵀg with each batch's dense Hessian and gradient, of a plain module."""
    found = []
    for batch in batches:
        matrix = brute_force(model, loss, inputs[batch], targets[batch])
        value = loss(model(inputs[batch]), targets[batch])
        gradient = torch.cat([g.flatten() for g in torch.autograd.grad(value, list(model.parameters()))])
        found.append(float(gradient @ matrix @ gradient / (gradient @ gradient)))
    return sum(found) / len(found)


@pytest.mark.parametrize("batches", [[[0], [3], [7]], [[0, 1, 2, 3], [4, 5, 6, 7]], [list(range(12))]])
def test_batch_sharpness_is_that_of_dense_hessians(batches):
    loss, model = nn.CrossEntropyLoss(), network(lambda: mlp([4, 5, 3], "tanh"))
    inputs, targets = examples((4,))
    found = batch_sharpness(model, loss, inputs, targets, torch.tensor(batches))
    assert found.item() == pytest.approx(batch_by_batch(model, loss, inputs, targets, batches), rel=1e-10)


def test_batch_sharpness_of_a_stack_is_that_of_its_members():
    loss, members = nn.CrossEntropyLoss(), [network(lambda: mlp([4, 5, 3], "tanh"), seed) for seed in (0, 1)]
    stacked = stack([members[0], members[1]])
    with torch.no_grad():
        for place, member in enumerate(members):
            for own, theirs in zip(stacked.parameters(), member.parameters(), strict=True):
                own[place] = theirs.reshape(own[place].shape)
    inputs, targets = examples((4,), replicas=2)
    batches = torch.tensor([[[0, 1], [2, 3], [4, 5]], [[6, 7], [0, 8], [9, 11]]])
    found = batch_sharpness(stacked, loss, inputs, targets, batches)
    for place, member in enumerate(members):
        expected = batch_by_batch(member, loss, inputs[place], targets[place], batches[place])
        assert found[place].item() == pytest.approx(expected, rel=1e-10)


def test_curvature_along_the_gradient_of_a_quadratic_loss():
    entries = torch.tensor([1.0, 2.0, 5.0], dtype=torch.float64)  # at w = 1 the gradient is d itself
    assert diagonal(entries).along_gradient().item() == pytest.approx(float((entries**3).sum() / (entries**2).sum()))


def test_a_hessian_in_batches_keeps_no_gradient():
    inputs, targets = examples((4,))
    hessian = Hessian(network(lambda: mlp([4, 5, 3])), nn.CrossEntropyLoss(), inputs, targets, batch_size=5)
    with pytest.raises(ValueError, match="keeps no gradient"):
        hessian.along_gradient()
