"""Forward and backward pass of stacked MLPs written out, batch last: hidden layers are [R, width, B].

A training step of small networks is bound by what surrounds the products: written out, there is no graph to build, the
products go where they are wanted, and softmax and sums run along the batch.
"""

from collections.abc import Iterator
from typing import Any, TypeGuard

import torch
from torch import Tensor, nn

from genbook.models.networks import SquaredReLU
from genbook.models.stacked import StackedLinear

_ENTRIES = 1 << 20  # of one layer at once
_ACTIVATIONS = (nn.ReLU, nn.Tanh, SquaredReLU, nn.Identity)


def is_mlp(model: nn.Module) -> TypeGuard[nn.Sequential]:
    """Whether `model`, plain or a stack, is dense layers with one activation between any two, all of it trained."""
    if not (isinstance(model, nn.Sequential) and len(model) % 2 and all(p.requires_grad for p in model.parameters())):
        return False
    layers = list(model)
    dense = all(type(layer) in (nn.Linear, StackedLinear) for layer in layers[::2])
    return dense and all(isinstance(activation, _ACTIVATIONS) for activation in layers[1::2])


def chunk_of(model: nn.Sequential) -> int:
    """Examples at a time for a pass over many: all that a layer of the stack holds stays in the processor's cache."""
    dense: list[Any] = list(model)[::2]
    widest = max(max(layer.in_features, layer.out_features) for layer in dense)
    return max(16, _ENTRIES // (len(dense[0].weight) * widest))


class Buffers:
    """Memory that one step hands to the next: fresh memory of this size costs more than what is computed into it."""

    def __init__(self):
        """None yet."""
        self._held: dict[object, Tensor] = {}

    def empty(self, key: object, like: Tensor, *shape: int) -> Tensor:
        """A tensor of `shape` with the type of `like`; what the last one of this `key` held is overwritten."""
        held = self._held.get(key)
        if held is None or held.shape != shape or held.dtype != like.dtype or held.device != like.device:
            held = self._held[key] = like.new_empty(shape)
        return held


def forward(
    model: nn.Sequential, inputs: Tensor, buffers: Buffers, shared: bool = False
) -> tuple[list[Tensor], Tensor]:
    """What goes into each dense layer of a stack, and the outputs [R, C, B], in `buffers`.

    Inputs are [R, d, B], or with `shared` [1, d, B] for all replicas: their first layers are then one product.
    """
    layer: Any = model[0]
    replicas, hidden = len(layer.weight), [inputs]
    for place in range(0, len(model), 2):
        layer = model[place]
        z = buffers.empty(("forward", place), inputs, replicas, layer.out_features, inputs.shape[2])
        if shared and place == 0:
            torch.mm(layer.weight.flatten(0, 1), inputs[0], out=z.flatten(0, 1))
            if layer.bias is not None:
                z.add_(layer.bias.unsqueeze(2))
        elif layer.bias is None:
            torch.bmm(layer.weight, hidden[-1], out=z)
        else:
            torch.baddbmm(layer.bias.unsqueeze(2), layer.weight, hidden[-1], out=z)
        if place + 1 < len(model):
            hidden.append(activate(model[place + 1], z))
    return hidden, z


def activate(activation: nn.Module, z: Tensor) -> Tensor:
    """The activation in place: a step touches memory more than it computes."""
    if isinstance(activation, nn.ReLU):
        return z.relu_()
    if isinstance(activation, nn.Tanh):
        return z.tanh_()
    if isinstance(activation, SquaredReLU):
        return z.relu_().square_()
    return z


def backward(
    model: nn.Sequential, hidden: list[Tensor], gradient: Tensor, buffers: Buffers
) -> Iterator[tuple[int, Tensor, Tensor]]:
    """Down from the outputs: each dense layer's place, its inputs [R, p, B] and the gradient by its outputs [R, q, B].

    `hidden` are `forward`'s, `gradient` that by the outputs; what is yielded stays until the next pass.
    """
    for place in reversed(range(0, len(model), 2)):
        inputs = hidden[place // 2]
        yield place, inputs, gradient
        if place:
            gradient = before_layer(model, place, gradient, inputs, buffers)


def before_layer(model: nn.Sequential, place: int, gradient: Tensor, hidden: Tensor, buffers: Buffers) -> Tensor:
    """The gradient by the output of the dense layer before the one at `place`, from that by the latter's output."""
    before = buffers.empty(("backward", place), hidden, *hidden.shape)
    layer: Any = model[place]
    torch.bmm(layer.weight.transpose(1, 2), gradient, out=before)
    return before_activation(model[place - 1], before, hidden)


def before_activation(activation: nn.Module, gradient: Tensor, hidden: Tensor) -> Tensor:
    """The gradient before an activation, in the place of the one after it; `hidden` is what the activation returned."""
    if isinstance(activation, nn.ReLU):
        return torch.ops.aten.threshold_backward.grad_input(gradient, hidden, 0, grad_input=gradient)
    if isinstance(activation, nn.Tanh):
        return torch.ops.aten.tanh_backward.grad_input(gradient, hidden, grad_input=gradient)
    if isinstance(activation, SquaredReLU):
        return gradient.mul_(hidden.sqrt().mul_(2))
    return gradient
