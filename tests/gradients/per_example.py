"""The reference: one backward pass for every example, in float64."""

import torch
from torch import Tensor, nn

from tests.cases import called, some


def gradients(model: nn.Module, loss, inputs, targets: Tensor) -> dict[str, Tensor]:
    """g_i of every trained parameter, [m, *shape]."""
    named = {name: p for name, p in model.named_parameters() if p.requires_grad}
    # PyTorch's backward pass through BatchNorm in evaluation mode is wrong for one example on CPUs: two equal ones.
    copies = 2 if any(isinstance(layer, nn.modules.batchnorm._BatchNorm) for layer in model.modules()) else 1
    rows = []
    for i in range(len(targets)):
        outputs = called(model, some(inputs, [i] * copies))
        value = loss(outputs[:1], targets[i : i + 1])
        rows.append(torch.autograd.grad(value, list(named.values()), allow_unused=True, materialize_grads=True))
    return {name: torch.stack(column) for name, column in zip(named, zip(*rows, strict=True), strict=True)}


def flat(per_example: dict[str, Tensor]) -> Tensor:
    """All parameters side by side, [m, n]."""
    return torch.cat([g.reshape(len(g), -1) for g in per_example.values()], 1)


class Unscaled(nn.Module):
    """A model whose gradients are its inputs: w·x with w in ℝ^d; with the loss `output`, g_i = x_i."""

    def __init__(self, d: int):
        super().__init__()
        self.dense = nn.Linear(d, 1, bias=False).double()

    def forward(self, inputs: Tensor) -> Tensor:
        return self.dense(inputs)


def output(outputs: Tensor, targets: Tensor) -> Tensor:
    """The model's output as the loss of each example."""
    return outputs[:, 0]
