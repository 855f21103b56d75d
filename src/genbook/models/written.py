"""Forward and backward pass of stacked MLPs written out, batch last: hidden layers are [R, width, B].

A training step of small networks is bound by what surrounds the products: written out, there is no graph to build, the
products go where they are wanted, and softmax and sums run along the batch.
"""

import torch
from torch import Tensor, nn

from genbook.models.networks import SquaredReLU
from genbook.models.stacked import StackedLinear

_ACTIVATIONS = (nn.ReLU, nn.Tanh, SquaredReLU, nn.Identity)


def is_mlp(model: nn.Module) -> bool:
    """Whether `model`, plain or a stack, is dense layers with one activation between any two, all of it trained."""
    if not (isinstance(model, nn.Sequential) and len(model) % 2 and all(p.requires_grad for p in model.parameters())):
        return False
    dense = all(type(layer) in (nn.Linear, StackedLinear) for layer in model[::2])
    return dense and all(isinstance(activation, _ACTIVATIONS) for activation in model[1::2])


def forward(model: nn.Sequential, inputs: Tensor) -> tuple[list[Tensor], Tensor]:
    """What goes into each dense layer of a stack, and the outputs [R, C, B], from inputs [R, d, B]."""
    hidden = [inputs]
    for place in range(0, len(model), 2):
        z = _affine(model[place], hidden[-1])
        if place + 1 == len(model):
            return hidden, z
        hidden.append(model[place + 1](z))
    raise AssertionError("a sequence of odd length ends in a dense layer")


def _affine(layer: StackedLinear, hidden: Tensor) -> Tensor:
    if layer.bias is None:
        return torch.bmm(layer.weight, hidden)
    return torch.baddbmm(layer.bias.unsqueeze(2), layer.weight, hidden)


def before_layer(model: nn.Sequential, place: int, gradient: Tensor, hidden: Tensor) -> Tensor:
    """The gradient by the dense layer before the one at `place`, from that by the output of the one at `place`."""
    return before_activation(model[place - 1], torch.bmm(model[place].weight.transpose(1, 2), gradient), hidden)


def before_activation(activation: nn.Module, gradient: Tensor, hidden: Tensor) -> Tensor:
    """The gradient before an activation from the one after it, `hidden` being what the activation returned."""
    if isinstance(activation, nn.ReLU):
        return torch.ops.aten.threshold_backward(gradient, hidden, 0)
    if isinstance(activation, nn.Tanh):
        return torch.ops.aten.tanh_backward(gradient, hidden)
    if isinstance(activation, SquaredReLU):
        return gradient.mul_(hidden.sqrt().mul_(2))
    return gradient
