"""One rule for each kind of layer: from its inputs and the gradients of its outputs to the form of its gradients.

A rule sees a leading replica axis, inputs x [R, m, ...] and output gradients b [R, m, ...]; it serves the plain layer
(R = 1) and its stacked twin alike.
"""

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional

from genbook import models
from genbook.gradients.convolved import Convolved
from genbook.gradients.forms import Explicit, Form, Outer, OuterSum, Rows, squared

Rule = Callable[[nn.Module, Tensor, Tensor], dict[str, Form]]


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


RULES: dict[type[nn.Module], Rule] = {
    nn.Linear: _dense,
    models.StackedLinear: _dense,
    nn.Conv1d: _convolution,
    nn.Conv2d: _convolution,
    models.StackedConv1d: _convolution,
    models.StackedConv2d: _convolution,
    nn.Embedding: _embedding,
    models.StackedEmbedding: _embedding,
    nn.LayerNorm: _layer_norm,
    models.StackedLayerNorm: _layer_norm,
    nn.GroupNorm: _group_norm,
    models.StackedGroupNorm: _group_norm,
    nn.BatchNorm1d: _batch_norm,
    nn.BatchNorm2d: _batch_norm,
    nn.BatchNorm3d: _batch_norm,
    models.StackedBatchNorm: _batch_norm,
}
"""Layers whose gradients are known in a form."""

ACCOUNTED = ("weight", "bias")
"""The parameters whose gradients a rule gives."""

# Options under which the gradient of one example depends on the others, or the weight changes in the forward pass.
_UNRULY = ("scale_grad_by_freq", "max_norm")


def rule_for(layer: nn.Module) -> Rule | None:
    """The rule of a layer, or None where its forward pass or its parameters are not the ones that the rule knows."""
    for kind, rule in RULES.items():
        if isinstance(layer, kind):
            own = {name for name, p in layer._parameters.items() if p is not None}
            missing = {name for name in ACCOUNTED if getattr(layer, name, None) is not None} - own
            unruly = any(getattr(layer, option, None) for option in _UNRULY)
            return rule if not missing and not unruly and not _replaced(layer, kind) else None
    return None


def _replaced(layer: nn.Module, kind: type[nn.Module]) -> bool:
    """Whether a subclass, or somebody on the instance, has put another forward pass in the place of the known one."""
    return any(
        name in vars(layer) or getattr(type(layer), name, None) is not getattr(kind, name, None)
        for name in ("forward", "_conv_forward")
    )
