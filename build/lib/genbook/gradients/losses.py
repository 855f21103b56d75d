"""The loss of every example by itself, whatever the reduction of the loss function.

Example i's own loss ℓ_i does not depend on the batch it is in: for the reduction "mean" it is the mean over the
example's own entries (all positions of a sequence, all outputs of a regression), for "sum" and "batchmean" their sum,
for "none" their sum too. A class weight multiplies it, ℓ_i = w_{y_i} ℓ(f(x_i), y_i), and is not divided out again.
Positions that `ignore_index` names count in no mean; an example with no other position has ℓ_i = 0.
"""

import copy
import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from genbook.gradients.refusals import Refused

Loss = Callable[[Tensor, Tensor], Tensor]

_REDUCTIONS = ("mean", "sum", "batchmean", "none")
_BY_INDEX = {
    nn.CrossEntropyLoss,
    nn.NLLLoss,
    nn.MultiMarginLoss,
    functional.cross_entropy,
    functional.nll_loss,
    functional.multi_margin_loss,
}
"""PyTorch's losses whose targets are not of the shape of the outputs."""


def per_example(loss: Loss) -> Loss:
    """A function from outputs [m, ...] and targets [m, ...] to the losses of the examples, [m].

    Args:
        loss: a module with a `reduction` such as `nn.CrossEntropyLoss()`, a function with a `reduction` argument such
            as `functional.mse_loss`, or any function that returns one loss for each example, or their mean or sum.

    Raises:
        TypeError: if `loss` cannot be called.
        Refused: if its reduction is unknown; when called, if it returns neither [m] nor a mean or sum over examples,
            or meets the targets of other examples.
    """
    if not callable(loss):
        raise TypeError(f"loss is {loss!r}; it must be a loss function such as torch.nn.CrossEntropyLoss()")
    reduction = option(loss, "reduction")
    if not isinstance(reduction, str):
        return partial(_of_function, loss)
    if reduction not in _REDUCTIONS:
        raise Refused(f"loss has the reduction {reduction!r}; it must be one of {', '.join(_REDUCTIONS)}")
    entries: Any = loss
    if isinstance(loss, nn.Module):
        entries = copy.copy(loss)
        entries.reduction = "none"
    else:
        entries = partial(entries, reduction="none")
    return partial(_of_entries, loss, entries, reduction)


def option(loss: Loss, name: str) -> object:
    """A setting of a loss: an attribute, a keyword that was given, or a default; None where it has none."""
    if hasattr(loss, name):
        return getattr(loss, name)
    if isinstance(loss, partial):
        return loss.keywords[name] if name in loss.keywords else option(loss.func, name)
    try:
        parameter = inspect.signature(loss).parameters.get(name)
    except (TypeError, ValueError):
        return None
    return None if parameter is None or parameter.default is parameter.empty else parameter.default


def _of_entries(loss: Loss, entries: Loss, reduction: str, outputs: Tensor, targets: Tensor) -> Tensor:
    _refuse_broadcast(loss, outputs, targets)
    losses = entries(outputs, targets)
    if losses.dim() == 0 or len(losses) != len(outputs):
        raise Refused(
            f"loss gives a tensor of shape {tuple(losses.shape)} for {len(outputs)} examples even without a reduction; "
            "it must be a mean or a sum over examples"
        )
    if losses.dim() == 1:
        return losses
    if reduction != "mean":
        return losses.flatten(1).sum(1)
    ignored: Any = option(loss, "ignore_index")
    if ignored is None or targets.is_floating_point():
        return losses.flatten(1).mean(1)
    counted = torch.ne(targets, ignored).flatten(1).sum(1)
    return losses.flatten(1).sum(1) / counted.clamp(min=1)


def _refuse_broadcast(loss: Loss, outputs: Tensor, targets: Tensor) -> None:
    """Refuse what PyTorch's losses would stretch over the batch: targets, or a weight for each of its examples."""
    kind = loss.func if isinstance(loss, partial) else loss if inspect.isfunction(loss) else type(loss)
    if not str(getattr(kind, "__module__", "")).startswith("torch.nn") or kind in _BY_INDEX:
        return
    if outputs.dim() != targets.dim():
        raise Refused(
            f"loss compares outputs {tuple(outputs.shape)} with targets {tuple(targets.shape)} by stretching them over "
            "each other, so that examples meet the targets of others; give targets such as targets.view_as(outputs)"
        )
    weight = option(loss, "weight")
    if isinstance(weight, Tensor) and weight.dim() == outputs.dim() and len(weight) > 1:
        raise Refused(
            f"loss has a weight of shape {tuple(weight.shape)}, a row for each example of one batch; put the weights "
            "of examples into the targets, with a loss of your own that returns one value for each example"
        )


def _of_function(loss: Loss, outputs: Tensor, targets: Tensor) -> Tensor:
    """A function of unknown reduction: one loss for each example, or a scalar that must be their mean or sum."""
    value = loss(outputs, targets)
    if value.shape == outputs.shape[:1]:
        return value
    if value.dim() > 0:
        raise Refused(
            f"loss returned a tensor of shape {tuple(value.shape)}; it must return one loss for each of the "
            f"{len(outputs)} examples, or their mean or sum"
        )
    losses = torch.stack([loss(outputs[i : i + 1], targets[i : i + 1]) for i in range(len(outputs))])
    whole, parts, eps = value.detach(), losses.detach(), torch.finfo(value.dtype).eps
    # Half of the digits of the losses, and the digits that they lose where outputs are large and losses small.
    allowed = eps**0.5 * parts.abs().mean() + 100 * eps * outputs.detach().abs().amax()
    if whole.isfinite() and not (
        (whole - parts.mean()).abs() <= allowed or (whole - parts.sum()).abs() <= allowed * len(parts)
    ):
        raise Refused(
            f"loss is neither a mean nor a sum over examples: {whole:g} for the batch, {parts.mean():g} and "
            f"{parts.sum():g} from its examples one by one; its gradients per example are not defined"
        )
    return losses
