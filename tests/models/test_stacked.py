"""Stacks against the plain networks that they are made of, in float64."""

import numpy as np
import pytest
import torch
from torch import nn

from genbook import models
from genbook.models import initialise, replicas_of, stack, unstack

REPLICAS, BATCH = 3, 4


def sequence_network():
    return nn.Sequential(
        nn.Embedding(7, 6), nn.LayerNorm(6), nn.Linear(6, 5), nn.Tanh(), nn.Flatten(), nn.Linear(15, 2)
    )


def conv1d_network():
    convolution = nn.Conv1d(2, 4, 3, stride=2, padding=1, dilation=2, groups=2)
    return nn.Sequential(convolution, models.SquaredReLU(), nn.AdaptiveAvgPool1d(2), nn.Flatten(), nn.Linear(8, 3))


NETWORKS = {
    "mlp": (lambda: models.mlp((5, 7, 6, 3)), (5,)),
    "tanh": (lambda: models.mlp((5, 7, 3), "tanh", bias=False), (5,)),
    "squared-relu": (lambda: models.mlp((5, 7, 3), "squared-relu"), (5,)),
    "linear": (lambda: models.linear(5, 3), (5,)),
    "random-features": (lambda: models.random_features(5, 9, 2), (5,)),
    "patches": (lambda: models.patch_network(6, 4), (3, 6)),
    "small-cnn": (lambda: models.small_cnn(1, 2, 3, image=8), (1, 8, 8)),
    "five-layer-cnn": (lambda: models.five_layer_cnn(2), (3, 32, 32)),
    "five-layer-cnn-batch-norm": (lambda: models.five_layer_cnn(2, norm="batch"), (3, 32, 32)),
    "resnet18": (lambda: models.resnet18(2), (3, 32, 32)),
    "cnn1d": (lambda: models.cnn1d(2, 4, 3, length=17), (2, 17)),
    "transformer": (lambda: models.transformer(7, 3, 8, 2, 4), None),
    "conv1d": (conv1d_network, (2, 11)),
    "embedding": (sequence_network, None),
}


def replicas_and_inputs(name):
    build, shape = NETWORKS[name]
    plain = [initialise(build().double(), np.random.default_rng(seed)) for seed in range(REPLICAS)]
    generator = torch.Generator().manual_seed(0)
    if shape is None:
        return plain, torch.randint(7, (REPLICAS, BATCH, 3), generator=generator)
    return plain, torch.randn(REPLICAS, BATCH, *shape, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("name", NETWORKS)
def test_outputs_gradients_and_state_are_those_of_the_plain_networks(name):
    plain, inputs = replicas_and_inputs(name)
    stacked = stack(plain)
    assert replicas_of(stacked) == REPLICAS
    assert list(stacked.state_dict()) == list(plain[0].state_dict())
    outputs = stacked(inputs)
    outputs.square().sum().backward()
    for r, network in enumerate(plain):
        expected = network(inputs[r])
        torch.testing.assert_close(outputs[r], expected, rtol=1e-12, atol=1e-12)
        expected.square().sum().backward()
        gradients = dict(stacked.named_parameters())
        for key, parameter in network.named_parameters():
            if parameter.requires_grad:
                torch.testing.assert_close(gradients[key].grad[r], parameter.grad, rtol=1e-10, atol=1e-10)
            else:
                assert gradients[key].grad is None
        for key, value in network.state_dict().items():  # running statistics included
            torch.testing.assert_close(stacked.state_dict()[key][r], value, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", NETWORKS)
def test_unstack_gives_back_each_network(name):
    plain, inputs = replicas_and_inputs(name)
    stacked = stack(plain)
    for r, network in enumerate(plain):
        again = unstack(stacked, r)
        assert repr(again) == repr(network)
        torch.testing.assert_close(again(inputs[r]), network(inputs[r]), rtol=0, atol=0)
        assert [p.requires_grad for p in again.parameters()] == [p.requires_grad for p in network.parameters()]


@pytest.mark.parametrize("name", ["small-cnn", "five-layer-cnn-batch-norm", "cnn1d"])
def test_a_stack_of_one_is_the_plain_network(name):
    (network, *_), inputs = replicas_and_inputs(name)
    stacked = stack([network])
    outputs, expected = stacked(inputs[:1])[0], network(inputs[0])
    torch.testing.assert_close(outputs, expected, rtol=1e-12, atol=1e-12)
    outputs.square().sum().backward()
    expected.square().sum().backward()
    for found, parameter in zip(stacked.parameters(), network.parameters(), strict=True):
        torch.testing.assert_close(found.grad[0], parameter.grad, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("layer", [nn.Conv1d(2, 3, 3, 2, 1), nn.Conv1d(2, 3, 4, bias=False)], ids=["strided", "plain"])
def test_second_derivatives_of_a_stacked_convolution_are_those_of_the_plain_one(layer):
    inputs = torch.randn(4, 2, 9, dtype=torch.float64)

    def curved(network, inputs):
        parameters = list(network.parameters())
        value = network(inputs).pow(3).sum()
        slopes = torch.autograd.grad(value, parameters, create_graph=True)
        return torch.autograd.grad(sum(slope.square().sum() for slope in slopes), parameters)

    layer = layer.double()
    for found, expected in zip(
        curved(stack([layer] * 2), inputs.expand(2, 4, 2, 9)), curved(layer, inputs), strict=True
    ):
        torch.testing.assert_close(found, expected.expand(2, *expected.shape), rtol=1e-10, atol=1e-10)


def test_a_stack_shares_nothing_with_what_it_was_made_of():
    plain = models.mlp((3, 4, 2))
    stacked = stack([plain] * 2)
    with torch.no_grad():
        next(stacked.parameters()).zero_()
    assert next(plain.parameters()).abs().sum() > 0


def test_evaluation_mode_uses_each_replicas_running_statistics():
    plain, inputs = replicas_and_inputs("five-layer-cnn-batch-norm")
    stacked = stack(plain)
    stacked(inputs)
    stacked.eval()
    for r, network in enumerate(plain):
        network(inputs[r])
        network.eval()
        torch.testing.assert_close(stacked(inputs)[r], network(inputs[r]), rtol=1e-12, atol=1e-12)


def test_bad_stacks_say_what_is_wrong():
    with pytest.raises(ValueError, match="no model"):
        stack([])
    with pytest.raises(ValueError, match="models 0 and 1 differ"):
        stack([models.mlp((3, 4, 2)), models.mlp((3, 5, 2))])
    with pytest.raises(ValueError, match="models 0 and 2 differ"):
        stack([models.linear(3, 2), models.linear(3, 2), models.freeze(models.linear(3, 2), ["0"])])
    with pytest.raises(TypeError, match="no stacked form of LSTM"):
        stack([nn.LSTM(2, 2)])
    with pytest.raises(TypeError, match="Dropout draws"):
        stack([nn.Sequential(nn.Linear(2, 2), nn.Dropout())])
    with pytest.raises(ValueError, match="not a stack"):
        replicas_of(models.linear(3, 2))


def test_bad_networks_say_what_is_wrong():
    with pytest.raises(ValueError, match=r"sizes\[1\] is 0"):
        models.mlp((3, 0, 2))
    with pytest.raises(ValueError, match="at least the inputs and the outputs"):
        models.mlp((3,))
    with pytest.raises(ValueError, match="activation is 'gelu'"):
        models.mlp((3, 4, 2), "gelu")
    with pytest.raises(ValueError, match="norm is 'layer'"):
        models.resnet18(2, norm="layer")


@pytest.mark.parametrize("name", [name for name in NETWORKS if name not in ("conv1d", "embedding")])
def test_making_a_network_leaves_the_global_generator_alone(name):
    before = torch.random.get_rng_state()
    NETWORKS[name][0]()
    assert torch.equal(torch.random.get_rng_state(), before)


def test_initial_weights_have_the_default_distribution_times_the_scale():
    build = lambda: models.mlp((400, 300, 10))  # noqa: E731
    weight = initialise(build(), np.random.default_rng(0), scale=0.5)[0].weight
    bound = 0.5 / 400**0.5
    assert weight.abs().max() <= bound
    # The mean of n uniform draws on ±b has standard deviation b/√(3n), their variance is b²/3.
    assert abs(weight.mean()) < 4 * bound / (3 * weight.numel()) ** 0.5
    assert weight.var().item() == pytest.approx(bound**2 / 3, rel=0.02)
    # PyTorch's own default has the same support and variance.
    assert nn.Linear(400, 300).weight.var().item() == pytest.approx(4 * weight.var().item(), rel=0.04)


def test_initial_weights_depend_on_the_generator_alone():
    draw = lambda seed, dtype: initialise(models.small_cnn(1, 2, 3).to(dtype), np.random.default_rng(seed))  # noqa: E731
    first, again, other = draw(0, torch.float32), draw(0, torch.float64), draw(1, torch.float32)
    for a, b, c in zip(first.parameters(), again.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b.float())
        assert not torch.equal(a, c)
    with pytest.raises(ValueError, match="scale is nan"):
        initialise(models.linear(2, 2), np.random.default_rng(0), scale=float("nan"))


def test_the_padding_row_of_a_stacked_embedding_has_no_gradient():
    layers = [nn.Embedding(5, 3, padding_idx=1).double() for _ in range(2)]
    tokens = torch.tensor([[[0, 1, 4], [1, 1, 2]], [[3, 1, 1], [0, 0, 4]]])
    stacked = stack([nn.Sequential(layer) for layer in layers])
    (gradient,) = torch.autograd.grad(stacked(tokens).sin().sum(), list(stacked.parameters()))
    for r, layer in enumerate(layers):
        (alone,) = torch.autograd.grad(layer(tokens[r]).sin().sum(), list(layer.parameters()))
        assert gradient[r].equal(alone)
        assert gradient[r, 1].eq(0).all()
