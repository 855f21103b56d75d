"""One rule for each kind of layer: from its inputs and the gradients of its outputs to the form of its gradients.

A rule sees a leading replica axis, inputs x [R, m, ...] and output gradients b [R, m, ...]; it serves the plain layer
(R = 1) and its stacked twin alike.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional

from genbook import models
from genbook.gradients.convolved import Convolved
from genbook.gradients.fallback import written
from genbook.gradients.forms import Explicit, Form, Outer, OuterSum, Rows, squared


@dataclass(frozen=True)
class Rule:
    """How the gradients of a kind of layer are formed."""

    function: Callable[[nn.Module, Tensor, Tensor], dict[str, Form]]
    parameters: tuple[str, ...] = ("weight", "bias")
    """Those whose gradients it gives."""
    anywhere: bool = False
    """Whether any axes may lie between that of the examples and those of the features."""

    def __call__(self, layer: nn.Module, x: Tensor, b: Tensor) -> dict[str, Form]:
        """The forms by the layer's own names, from inputs x [R, m, ...] and gradients b [R, m, ...] of outputs."""
        return self.function(layer, x, b)


@dataclass(frozen=True, eq=False)
class Layer:
    """A module with a rule and trained parameters of its own."""

    name: str
    module: nn.Module
    own: Mapping[str, str]
    """Local to full names of these parameters."""
    rule: Rule

    @property
    def parameters(self) -> dict[str, Tensor]:
        """By their full names."""
        return {name: self.module._parameters[local] for local, name in self.own.items()}


def _dense(layer: nn.Module, x: Tensor, b: Tensor) -> dict[str, Form]:
    """Linear: g_i = b_i x_iᵀ, summed over whatever axes lie between the batch and the features."""
    if x.dim() == 3:
        bias = Explicit(b, b.shape[2:])
        shared = squared(x[:1]).expand(x.shape[:2]) if _same_inputs(x) else None
        return {"weight": Outer(x, b, a_squared=shared, b_squared=bias.squared_norms), "bias": bias}
    a, b = x.flatten(2, -2), b.flatten(2, -2)
    weight = OuterSum(a.unsqueeze(2), b.unsqueeze(2), (b.shape[-1], a.shape[-1]))
    return {"weight": weight, "bias": Explicit(b.sum(2), b.shape[3:])}


def _same_inputs(x: Tensor) -> bool:
    return len(x) > 1 and x.stride(0) == 0


def _convolution(layer: nn.Module, x: Tensor, b: Tensor) -> dict[str, Form]:
    """Conv1d and Conv2d: a dense layer on the patches, one position for each output pixel."""
    return {"weight": Convolved(layer, x, b), "bias": Explicit(b.flatten(3).sum(3), b.shape[2:3])}


def _embedding(layer: nn.Module, x: Tensor, b: Tensor) -> dict[str, Form]:
    """Embedding: b_it goes to the row that was looked up; the padding row gets nothing."""
    indices, b = x.flatten(2) if x.dim() > 2 else x.unsqueeze(2), b.flatten(2, -2) if x.dim() > 2 else b.unsqueeze(2)
    if layer.padding_idx is not None:
        b = b * (indices != layer.padding_idx).unsqueeze(-1)
    return {"weight": Rows(indices, b, layer.num_embeddings)}


def _affine(normalised: Tensor, b: Tensor, axes: tuple[int, ...], shape: tuple[int, ...]) -> dict[str, Form]:
    """Scale and shift after a normalisation: Σ_t b x̂ and Σ_t b over the axes that share the parameter."""
    products = {"weight": b * normalised, "bias": b}
    summed = {name: value.sum(axes) if axes else value for name, value in products.items()}
    return {name: Explicit(value.flatten(2), shape) for name, value in summed.items()}


def _layer_norm(layer: nn.Module, x: Tensor, b: Tensor) -> dict[str, Form]:
    """LayerNorm: normalises and is shared over the axes between batch and features."""
    shape = tuple(layer.normalized_shape)
    normalised = functional.layer_norm(x, shape, eps=layer.eps)
    return _affine(normalised, b, tuple(range(2, x.dim() - len(shape))), shape)


def _group_norm(layer: nn.Module, x: Tensor, b: Tensor) -> dict[str, Form]:
    """GroupNorm: one scale a channel, shared over the pixels."""
    normalised = functional.group_norm(x.flatten(0, 1), layer.num_groups, eps=layer.eps).view_as(x)
    return _affine(normalised, b, tuple(range(3, x.dim())), (layer.num_channels,))


def _batch_norm(layer: nn.Module, x: Tensor, b: Tensor) -> dict[str, Form]:
    """BatchNorm in evaluation mode: an affine map with constants."""
    shape = (-1, 1, layer.num_features, *[1] * (x.dim() - 3))
    mean, variance = (s.reshape(shape) for s in (layer.running_mean, layer.running_var))
    return _affine((x - mean) / (variance + layer.eps).sqrt(), b, tuple(range(3, x.dim())), (layer.num_features,))


def _rms_norm(layer: nn.Module, x: Tensor, b: Tensor) -> dict[str, Form]:
    """RMSNorm: a scale without a shift, shared over the axes between batch and features."""
    shape = tuple(layer.normalized_shape)
    products = b * functional.rms_norm(x, shape, eps=layer.eps)
    axes = tuple(range(2, x.dim() - len(shape)))
    return {"weight": Explicit((products.sum(axes) if axes else products).flatten(2), shape)}


def _instance_norm(layer: nn.Module, x: Tensor, b: Tensor) -> dict[str, Form]:
    """InstanceNorm: by the example's own statistics, or by running ones as BatchNorm."""
    if layer.track_running_stats:
        return _batch_norm(layer, x, b)
    normalised = functional.instance_norm(x.flatten(0, 1), eps=layer.eps).view_as(x)
    return _affine(normalised, b, tuple(range(3, x.dim())), (layer.num_features,))


def _prelu(layer: nn.Module, x: Tensor, b: Tensor) -> dict[str, Form]:
    """PReLU: a slope below zero for each channel, or one for all."""
    products = (b * x.clamp(max=0)).flatten(3) if x.dim() > 3 else b * x.clamp(max=0)
    by_channel = products.sum(3) if products.dim() > 3 else products
    shape = (layer.num_parameters,)
    return {"weight": Explicit(by_channel if shape[0] > 1 else by_channel.flatten(2).sum(2, keepdim=True), shape)}


def _transposed(layer: nn.Module, x: Tensor, b: Tensor) -> dict[str, Form]:
    """A transposed convolution: the convolution whose inputs are its outputs."""
    return {"weight": Convolved(layer, b, x), "bias": Explicit(b.flatten(3).sum(3), b.shape[2:3])}


RULES: dict[type[nn.Module], Rule] = {
    **dict.fromkeys((nn.Linear, models.StackedLinear), Rule(_dense, anywhere=True)),
    **dict.fromkeys((nn.Conv1d, nn.Conv2d, nn.Conv3d, models.StackedConv1d, models.StackedConv2d), Rule(_convolution)),
    **dict.fromkeys((nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d), Rule(_transposed)),
    **dict.fromkeys((nn.Embedding, models.StackedEmbedding), Rule(_embedding, anywhere=True)),
    **dict.fromkeys((nn.LayerNorm, models.StackedLayerNorm), Rule(_layer_norm, anywhere=True)),
    nn.RMSNorm: Rule(_rms_norm, anywhere=True),
    **dict.fromkeys((nn.GroupNorm, models.StackedGroupNorm), Rule(_group_norm)),
    **dict.fromkeys((nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d), Rule(_instance_norm)),
    **dict.fromkeys((nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, models.StackedBatchNorm), Rule(_batch_norm)),
    nn.PReLU: Rule(_prelu),
}
"""Layers whose gradients are known in a form."""


def rule(kind: type[nn.Module], *parameters: str) -> Callable[[Callable], Callable]:
    """Register a rule for layers of one's own kind, called on one tensor with the examples first.

    The function below it gets the layer, its inputs [m, ...] and the gradients [m, ...] of its outputs; it returns the
    gradients [m, *shape] of the layer's `parameters` by name. A wrong one is noticed as any other difference is.
    """
    if not (isinstance(kind, type) and issubclass(kind, nn.Module)):
        raise TypeError(f"kind is {kind!r}; it must be a class of torch.nn.Module")
    if not parameters:
        raise ValueError("no parameters are named; a rule names those whose gradients it gives, such as 'weight'")

    def register(function: Callable[[nn.Module, Tensor, Tensor], Mapping[str, Tensor]]) -> Callable:
        def formed(layer: nn.Module, x: Tensor, b: Tensor) -> dict[str, Form]:
            given = function(layer, x[0], b[0])
            return {name: written(given[name].unsqueeze(0), layer._parameters[name].shape) for name in given}

        RULES[kind] = Rule(formed, parameters)
        return function

    return register


# Options under which the gradient of one example depends on the others, or the weight changes in the forward pass.
_UNRULY = ("scale_grad_by_freq", "max_norm")


def rule_for(layer: nn.Module) -> Rule | None:
    """The rule of a layer, or None where its forward pass or its parameters are not the ones that the rule knows."""
    kind = next((kind for kind in type(layer).__mro__ if kind in RULES), None)
    if kind is None:
        return None
    own = {name for name, p in layer._parameters.items() if p is not None}
    missing = {name for name in RULES[kind].parameters if getattr(layer, name, None) is not None} - own
    unruly = any(getattr(layer, option, None) for option in _UNRULY)
    return RULES[kind] if not missing and not unruly and not _replaced(layer, kind) else None


def _replaced(layer: nn.Module, kind: type[nn.Module]) -> bool:
    """Whether a subclass, or somebody on the instance, has put another forward pass in the place of the known one."""
    return any(
        name in vars(layer) or getattr(type(layer), name, None) is not getattr(kind, name, None)
        for name in ("forward", "_conv_forward")
    )
