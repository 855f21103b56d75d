"""Per-example gradients of a function without a rule, by `torch.func`: exact, and written down."""

from collections.abc import Callable

import torch
from torch import Tensor

from genbook.gradients.forms import Explicit
from genbook.gradients.places import Place


def of_function(
    function: Callable[[dict, dict], Tensor], weights: dict, examples: dict, b: Tensor, place: Place
) -> dict[object, Tensor]:
    """Gradients [m, *shape] of weights that a function of (weights, one example) uses, all tensors by some key.

    `examples` [m, ...] and the gradients b [m, ...] of the outputs; `place` is that of the examples in the output. The
    function must treat its examples independently.
    """

    def gradients(example: dict, b: Tensor) -> dict:
        return torch.func.vjp(lambda w: function(w, example), weights)[1](place.back(b))[0]

    with torch.enable_grad():
        return {key: g.detach() for key, g in torch.func.vmap(gradients)(examples, b).items()}


def written(gradients: Tensor, shape: torch.Size) -> Explicit:
    """Gradients [R, m, *shape] as a form, in single precision at least."""
    full = torch.promote_types(gradients.dtype, torch.float32)
    return Explicit(gradients.reshape(*gradients.shape[:2], -1).to(full), shape)
