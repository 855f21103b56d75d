"""Batch normalisation by the statistics of a part of the batch."""

import torch
from torch import Tensor, nn


class GhostBatchNorm1d(nn.Module):
    """Batch normalisation in ghost batches of so many consecutive examples; inputs [..., B, features].

    In training every ghost batch is normalised by its own mean and variance, and the running statistics follow one
    after another: μ ← (1 − η) μ + η μ_i, so that with k ghost batches the old value keeps the weight (1 − η)^k
    (Hoffer, Hubara and Soudry, 2017, algorithm 1). In evaluation they normalise all examples, as in `nn.BatchNorm1d`,
    which does the arithmetic here.
    """

    def __init__(self, features: int, ghost: int, eps: float = 1e-5, momentum: float = 0.1):
        """`ghost` examples make a ghost batch; `momentum` is η. Raises ValueError where one has no variance."""
        super().__init__()
        if int(ghost) != ghost or ghost < 2:
            raise ValueError(f"ghost is {ghost}; a ghost batch has a variance from two examples on")
        self.ghost = int(ghost)
        self.norm = nn.BatchNorm1d(features, eps=eps, momentum=momentum)

    def forward(self, inputs: Tensor) -> Tensor:
        """Normalise, scale and shift; raises ValueError in training where the last ghost batch would be incomplete."""
        if not self.training:
            return self.norm(inputs)
        examples = inputs.shape[-2]
        if examples % self.ghost:
            raise ValueError(
                f"a batch of {examples} examples is no whole number of ghost batches of {self.ghost}; "
                "choose a batch size that the ghost batches divide"
            )
        return torch.cat([self.norm(part) for part in inputs.split(self.ghost, dim=-2)], dim=-2)

    def extra_repr(self) -> str:
        """How many examples a ghost batch has."""
        return f"ghost={self.ghost}"
