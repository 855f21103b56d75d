"""What has no gradient per example, or none that can be told from the outside: refused by name."""

import numbers

import torch
from torch import Tensor, nn

from genbook import models
from genbook.base.errors import ForeseenError

BATCH_NORMS = (nn.modules.batchnorm._BatchNorm, models.StackedBatchNorm)


class Refused(ForeseenError, ValueError):
    """A model or a loss for which no exact answer is known; the message names it and what would be right."""


def called(name: str, layer: nn.Module) -> str:
    """A module as messages name it."""
    return f"{name or 'the model itself'} ({type(layer).__name__})"


def refuse_model(model: nn.Module) -> None:
    """Refuse modules that mix examples, draw at random, change themselves or hide their layers.

    Raises:
        Refused: with the module's name.
    """
    for name, layer in model.named_modules():
        reason = _reason(layer)
        if reason:
            raise Refused(f"model has {called(name, layer)} {reason}")
    for name, parameter in model.named_parameters():
        if nn.parameter.is_lazy(parameter):
            raise Refused(f"model has the parameter {name}, which has no shape yet; call the model once before")
        if parameter.requires_grad and parameter.is_complex():
            raise Refused(
                f"model has the complex parameter {name}, for which products of gradients are not defined here; hold "
                "its real and imaginary parts as two real parameters (torch.view_as_real)"
            )


def refuse_script(name: str, layer: nn.Module) -> None:
    """Refuse what takes no hooks."""
    if isinstance(layer, torch.jit._script.RecursiveScriptModule):
        raise Refused(
            f"model has {called(name, layer)} that is compiled by torch.jit, which lets no one look at its layers; "
            "measure the module it was made of"
        )


def _reason(layer: nn.Module) -> str | None:
    if _compiled(layer):
        return "that is compiled, which hides its layers; measure the module it was made of (model._orig_mod)"
    if isinstance(layer, BATCH_NORMS):
        return _of_batch_norm(layer)
    if isinstance(layer, nn.modules.instancenorm._InstanceNorm) and layer.training and layer.track_running_stats:
        return "in training mode, where it changes its running statistics in every pass; call model.eval() first"
    if isinstance(layer, nn.Embedding | nn.EmbeddingBag) and layer.max_norm is not None:
        return "with max_norm, which changes the weight in every pass; build it without"
    if layer.training and _draws(layer):
        return "in training mode, where it draws a new mask in every pass; call model.eval() first"
    return None


def _of_batch_norm(layer: nn.Module) -> str | None:
    if layer.training:
        return (
            "in training mode, where the statistics of the batch tie the examples together and a per-example gradient "
            "is not defined; call model.eval() first"
        )
    if layer.running_mean is None:
        return (
            "without running statistics: it uses those of the batch in evaluation mode too, and a per-example gradient "
            "is not defined; build it with track_running_stats=True"
        )
    return None


def _compiled(layer: nn.Module) -> bool:
    """Whether torch.compile has seen the module, or its forward."""
    if hasattr(layer, "_orig_mod") or layer._compiled_call_impl is not None:
        return True
    forward = vars(layer).get("forward", getattr(type(layer), "forward", None))
    return hasattr(forward, "_torchdynamo_orig_callable")


def _draws(layer: nn.Module) -> bool:
    """Whether a layer has a rate at which it drops; a rate of one leaves nothing to chance."""
    dropout = isinstance(layer, nn.modules.dropout._DropoutNd)
    rate = layer.p if dropout else getattr(layer, "dropout", 0)
    return isinstance(rate, numbers.Real) and float(rate) > 0 and not (dropout and rate == 1)


def refuse_integers(name: str):
    """A hook for a layer that needs floating-point numbers."""

    def hook(layer: nn.Module, arguments: tuple) -> None:
        for tensor in arguments:
            if isinstance(tensor, Tensor) and not (tensor.is_floating_point() or tensor.is_complex()):
                raise TypeError(
                    f"inputs reach the layer {name or 'at the top'} ({type(layer).__name__}) as {tensor.dtype}; "
                    f"it needs floating-point numbers, such as inputs.to({layer.weight.dtype})"
                )

    return hook
