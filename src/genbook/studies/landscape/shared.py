"""What the studies of the landscape share: the layers of an MLP as matrices, and the losses of networks in a stack."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor, nn

#: An MLP as the list of its layers, each a matrix [out, 1 + in] of a bias and weights in float64.
Layers = Sequence[np.ndarray]


def layers_of(model: nn.Module) -> list[np.ndarray]:
    """The layers of an MLP, [out, 1 + in] each."""
    found = [module for module in model.modules() if isinstance(module, nn.Linear)]
    return [
        np.column_stack([layer.bias.detach().double().numpy(), layer.weight.detach().double().numpy()])
        for layer in found
    ]


def losses(outputs: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy of each network, [R], of outputs [R, B, k] and labels [R, B]."""
    each = nn.functional.cross_entropy(outputs.flatten(0, 1), labels.flatten(), reduction="none")
    return each.reshape(labels.shape).mean(1)
