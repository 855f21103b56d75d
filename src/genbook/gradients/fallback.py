"""Per-example gradients of a layer without a rule, by `torch.func`: exact, and written down."""

import torch
from torch import Tensor, nn

from genbook.gradients.forms import Explicit, Form


def of_layer(layer: nn.Module, x: Tensor, b: Tensor) -> dict[str, Form]:
    """The gradients of a layer's own parameters from its inputs x [1, m, ...] and output gradients b [1, m, ...].

    Its submodules count as constants: they have calls of their own. The layer must treat its examples independently.
    """
    own = {name: p.detach() for name, p in layer.named_parameters(recurse=False)}

    def gradients(x: Tensor, b: Tensor) -> dict[str, Tensor]:
        def output(parameters: dict[str, Tensor]) -> Tensor:
            return torch.func.functional_call(layer, parameters, (x.unsqueeze(0),)).squeeze(0)

        return torch.func.vjp(output, own)[1](b)[0]

    with torch.enable_grad():
        rows = torch.func.vmap(gradients)(x[0], b[0])
    return {name: written(g.detach().unsqueeze(0), own[name].shape) for name, g in rows.items()}


def written(gradients: Tensor, shape: torch.Size) -> Explicit:
    """Gradients [R, m, *shape] as a form, in single precision at least."""
    full = torch.promote_types(gradients.dtype, torch.float32)
    return Explicit(gradients.reshape(*gradients.shape[:2], -1).to(full), shape)
