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

import torch
from torch import Tensor, nn

Loss = Callable[[Tensor, Tensor], Tensor]

_REDUCTIONS = ("mean", "sum", "batchmean", "none")


def per_example(loss: Loss) -> Loss:
    """A function from outputs [m, ...] and targets [m, ...] to the losses of the examples, [m].

    Args:
        loss: a module with a `reduction` such as `nn.CrossEntropyLoss()`, a function with a `reduction` argument such
            as `functional.mse_loss`, or any function that returns one loss for each example, or their mean or sum.

    Raises:
        TypeError: if `loss` cannot be called.
        ValueError: if its reduction is unknown; when called, if it returns neither [m] nor a mean or sum over examples.
    """
    if not callable(loss):
        raise TypeError(f"loss is {loss!r}; it must be a loss function such as torch.nn.CrossEntropyLoss()")
    reduction = _reduction(loss)
    if reduction is None:
        return partial(_of_function, loss)
    if reduction not in _REDUCTIONS:
        raise ValueError(f"loss has the reduction {reduction!r}; it must be one of {', '.join(_REDUCTIONS)}")
    if isinstance(loss, nn.Module):
        entries = copy.copy(loss)
        entries.reduction = "none"
    else:
        entries = partial(loss, reduction="none")
    return partial(_of_entries, entries, reduction, getattr(loss, "ignore_index", None))


def _reduction(loss: Loss) -> str | None:
    if isinstance(getattr(loss, "reduction", None), str):
        return loss.reduction
    if isinstance(loss, partial) and "reduction" in loss.keywords:
        return loss.keywords["reduction"]
    try:
        parameter = inspect.signature(loss).parameters.get("reduction")
    except (TypeError, ValueError):
        return None
    return parameter.default if parameter is not None and isinstance(parameter.default, str) else None


def _of_entries(entries: Loss, reduction: str, ignore_index: int | None, outputs: Tensor, targets: Tensor) -> Tensor:
    losses = entries(outputs, targets)
    if losses.dim() == 0 or len(losses) != len(outputs):
        raise ValueError(
            f"loss gives a tensor of shape {tuple(losses.shape)} for {len(outputs)} examples even without a reduction; "
            "it must be a mean or a sum over examples"
        )
    if losses.dim() == 1:
        return losses
    if reduction != "mean":
        return losses.flatten(1).sum(1)
    if ignore_index is None or targets.is_floating_point():
        return losses.flatten(1).mean(1)
    counted = (targets != ignore_index).flatten(1).sum(1)
    return losses.flatten(1).sum(1) / counted.clamp(min=1)


def _of_function(loss: Loss, outputs: Tensor, targets: Tensor) -> Tensor:
    """A function of unknown reduction: one loss for each example, or a scalar that must be their mean or sum."""
    value = loss(outputs, targets)
    if value.shape == outputs.shape[:1]:
        return value
    if value.dim() > 0:
        raise ValueError(
            f"loss returned a tensor of shape {tuple(value.shape)}; it must return one loss for each of the "
            f"{len(outputs)} examples, or their mean or sum"
        )
    losses = torch.stack([loss(outputs[i : i + 1], targets[i : i + 1]) for i in range(len(outputs))])
    whole, parts = value.detach(), losses.detach()
    tolerance = 1e3 * torch.finfo(value.dtype).eps * parts.abs().sum()
    if not any((whole - reduced).abs() <= tolerance for reduced in (parts.mean(), parts.sum())):
        raise ValueError(
            f"loss is neither a mean nor a sum over examples: {whole:g} for the batch, {parts.mean():g} and "
            f"{parts.sum():g} from its examples one by one; its gradients per example are not defined"
        )
    return losses
