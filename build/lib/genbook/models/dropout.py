"""Dropout from a stream that is told, so that a replica's path does not depend on its company."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn


class Dropout(nn.Module):
    """Sets each entry to zero with probability `p` in training and divides the others by 1 − p, as `nn.Dropout`.

    `nn.Dropout` draws from the global generator; this one from NumPy streams, one for each replica of a stack, on the
    CPU. The training engine tells it a new stream for every seed and step.
    """

    def __init__(self, p: float = 0.5):
        """`p` lies in [0, 1)."""
        super().__init__()
        if not 0 <= p < 1:
            raise ValueError(f"p is {p}; want a probability in [0, 1)")
        self.p = p
        self._streams: Sequence[np.random.Generator] | np.random.Generator | None = None

    def draw_from(self, streams: Sequence[np.random.Generator] | np.random.Generator) -> None:
        """The stream of a network alone, whose inputs are [B, ...], or R of a stack, [R, B, ...]."""
        self._streams = streams

    def forward(self, inputs: Tensor) -> Tensor:
        """Inputs as they are in evaluation; raises ValueError in training before a stream is told."""
        if not self.training or not self.p:
            return inputs
        if self._streams is None:
            raise ValueError("this Dropout has no stream: call draw_from(generator(seed, purpose)), or eval()")
        if isinstance(self._streams, np.random.Generator):
            kept = self._kept(self._streams, inputs.shape)
        else:
            kept = np.stack([self._kept(stream, inputs.shape[1:]) for stream in self._streams])
        return inputs * torch.from_numpy(kept).to(inputs.device, inputs.dtype).div_(1 - self.p)

    def _kept(self, stream: np.random.Generator, shape: Sequence[int]) -> np.ndarray:
        return stream.random(tuple(shape), dtype=np.float32) >= self.p

    def extra_repr(self) -> str:
        """The probability."""
        return f"p={self.p}"


def dropout_at(step: int) -> str:
    """The purpose of the stream from which dropout draws at a step: one for each, so that none must be remembered."""
    return f"dropout, step {step}"


def tell_streams(model: nn.Module, streams: Sequence[np.random.Generator] | np.random.Generator) -> None:
    """Tell every dropout layer of a network alone, or of a stack, from which streams to draw, one after another."""
    for layer in model.modules():
        if isinstance(layer, Dropout):
            layer.draw_from(streams)


def has_dropout(model: nn.Module) -> bool:
    """Whether some layer draws from a stream."""
    return any(isinstance(layer, Dropout) for layer in model.modules())
