"""Losses of stacks of replicas, their gradients by the outputs written out; outputs are [R, C, B], the batch last.

The batch comes last because a softmax over a last axis of ten entries is many times slower than over the middle one.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from genbook.base.errors import TrainingError
from genbook.base.recipes import HUBER_TAU, EarlyLearning


@cache
def _minus_one(dtype: torch.dtype, device: torch.device) -> Tensor:
    """A launch less in each step."""
    return torch.full((1,), -1, dtype=dtype, device=device)


@dataclass(frozen=True)
class CrossEntropy:
    """Softmax cross-entropy; integer classes [R, B]."""

    def module(self) -> nn.Module:
        """The same loss as PyTorch's module."""
        return nn.CrossEntropyLoss()

    def targets(self, labels: Tensor, outputs: int, dtype: torch.dtype) -> Tensor:
        """Check integer classes against the number of outputs."""
        if labels.dtype.is_floating_point:
            raise TrainingError(f"labels are {labels.dtype}; cross-entropy needs integer classes")
        if labels.numel() and not (int(labels.min()) >= 0 and int(labels.max()) < outputs):
            raise TrainingError(
                f"labels run from {labels.min()} to {labels.max()}, but the network has {outputs} outputs"
            )
        return labels.long()

    def values(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The loss of each example, [R, B]."""
        return torch.logsumexp(outputs, 1) - outputs.gather(1, targets.unsqueeze(1)).squeeze(1)

    def gradient(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Of each replica's mean loss by its outputs: (softmax − one-hot) / B."""
        gradient = torch.softmax(outputs, 1)
        index = targets.unsqueeze(1)
        gradient.scatter_add_(1, index, _minus_one(gradient.dtype, gradient.device).expand_as(index))
        return gradient.div_(outputs.shape[-1])

    def correct(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Whether the target's output is above all others, [R, B]: a tie is no answer, and argmax is slow."""
        return (outputs >= outputs.gather(1, targets.unsqueeze(1))).sum(1) == 1


@dataclass(frozen=True)
class Squared:
    """Squared error, mean over outputs and examples; targets [R, C, B]."""

    def module(self) -> nn.Module:
        """The same loss as PyTorch's module."""
        return nn.MSELoss()

    def targets(self, labels: Tensor, outputs: int, dtype: torch.dtype) -> Tensor:
        """Real targets [n] or [n, C] to [n, C]; integer classes to one-hot rows where there are several outputs."""
        if labels.dim() == 1 and not labels.dtype.is_floating_point and outputs > 1:
            labels = functional.one_hot(CrossEntropy().targets(labels, outputs, dtype), outputs)
        labels = labels.to(dtype).reshape(len(labels), -1)
        if labels.shape[1] != outputs:
            raise TrainingError(f"targets have {labels.shape[1]} columns, but the network has {outputs} outputs")
        return labels

    def values(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The loss of each example, [R, B]."""
        return (outputs - targets).square().mean(1)

    def gradient(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Of each replica's mean loss by its outputs: 2 (f − y) / (C B)."""
        return (outputs - targets).mul_(2 / (outputs.shape[1] * outputs.shape[2]))

    def correct(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Whether the largest output is the largest target; the sign where there is one output."""
        if outputs.shape[1] == 1:
            return (outputs.sign() == targets.sign()).squeeze(1)
        return outputs.argmax(1) == targets.argmax(1)


@dataclass(frozen=True)
class Logistic:
    """log(1 + exp(−y f)) of one output, targets ±1 [R, 1, B]."""

    _name: ClassVar[str] = "logistic"

    def module(self) -> nn.Module:
        """The same loss as PyTorch's module."""
        return nn.SoftMarginLoss()

    def targets(self, labels: Tensor, outputs: int, dtype: torch.dtype) -> Tensor:
        """Check labels ±1; [n] to [n, 1]."""
        if outputs != 1:
            raise TrainingError(f"the {self._name} loss needs one output; the network has {outputs}")
        if not bool((labels.abs() == 1).all()):
            raise TrainingError(f"labels of the {self._name} loss must be -1 or 1")
        return labels.to(dtype).reshape(-1, 1)

    def values(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The loss of each example, [R, B]."""
        return functional.softplus(-targets * outputs).squeeze(1)

    def gradient(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Of each replica's mean loss by its output: −y σ(−y f) / B."""
        return (outputs * targets).neg_().sigmoid_().mul_(targets).div_(-outputs.shape[-1])

    def correct(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Whether the output has the target's sign."""
        return (outputs.sign() == targets.sign()).squeeze(1)


class HingeLoss(nn.Module):
    """max(0, 1 − y f) of one output f and a target y = ±1: zero once the margin is kept."""

    def __init__(self, reduction: str = "mean"):
        """`reduction`: "mean", "sum" or "none", as of PyTorch's losses."""
        super().__init__()
        self.reduction = reduction

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Of outputs and targets of one shape."""
        value = (1 - targets * outputs).relu()
        return value if self.reduction == "none" else getattr(value, self.reduction)()


@dataclass(frozen=True)
class Hinge(Logistic):
    """max(0, 1 − y f) of one output, targets ±1 [R, 1, B]; at the margin itself the gradient is 0."""

    _name: ClassVar[str] = "hinge"

    def module(self) -> nn.Module:
        """The same loss as a module."""
        return HingeLoss()

    def values(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The loss of each example, [R, B]."""
        return (1 - targets * outputs).relu_().squeeze(1)

    def gradient(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Of each replica's mean loss by its output: −y / B short of the margin, 0 beyond."""
        return torch.where(targets * outputs < 1, targets, 0).div_(-outputs.shape[-1])


def _huberised(value: Tensor) -> Tensor:
    """A cross-entropy where its probability is above 1/τ, below it the tangent there."""
    probability = (-value).exp()
    line = 1 + math.log(HUBER_TAU) - HUBER_TAU * probability
    return torch.where(probability * HUBER_TAU < 1, line, value)


class PartiallyHuberisedLoss(nn.Module):
    """−log p of the label's probability p, and below p = 1/τ its tangent in p, −τp + log τ + 1 (Menon et al., 2020)."""

    def __init__(self, reduction: str = "mean"):
        """`reduction`: "mean", "sum" or "none", as of PyTorch's losses."""
        super().__init__()
        self.reduction = reduction

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Of outputs [B, C, ...] and integer classes [B, ...]."""
        value = functional.cross_entropy(outputs, targets, reduction="none")
        value = _huberised(value)
        return value if self.reduction == "none" else getattr(value, self.reduction)()


@dataclass(frozen=True)
class PartiallyHuberised(CrossEntropy):
    """Cross-entropy that trusts a label less, the less probable it finds it; integer classes [R, B]."""

    def module(self) -> nn.Module:
        """The same loss as a module."""
        return PartiallyHuberisedLoss()

    def values(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The loss of each example, [R, B]."""
        return _huberised(super().values(outputs, targets))

    def gradient(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Of each replica's mean loss by its outputs: min(1, τp) times that of the cross-entropy."""
        weights = (-super().values(outputs, targets)).exp_().mul_(HUBER_TAU).clamp_(max=1)
        return super().gradient(outputs, targets).mul_(weights.unsqueeze(1))


Loss = CrossEntropy | Squared | Logistic
LOSSES: dict[str, Loss] = {
    "cross-entropy": CrossEntropy(),
    "squared": Squared(),
    "logistic": Logistic(),
    "hinge": Hinge(),
    "partially Huberised": PartiallyHuberised(),
}


#: So far the penalty keeps probabilities from 0 and 1, since its logarithm has no bound; the authors' program does so.
EARLY_MARGIN = 1e-4


class EarlyTargets:
    """Early-learning regularisation of a stack: what each network has answered so far for each of its examples."""

    def __init__(self, rule: EarlyLearning, replicas: int, examples: int, outputs: int, like: Tensor):
        """Nothing has been answered yet."""
        self.rule = rule
        self.targets = like.new_zeros(replicas, examples, outputs)

    def keep(self, keep: Sequence[int]) -> None:
        """Forget the replicas that are not in `keep`."""
        self.targets = self.targets[torch.tensor(keep, dtype=torch.long, device=self.targets.device)]

    def restore(self, targets: Tensor) -> None:
        """Go on from a copy of `targets`, in the same memory: a captured step reads it there."""
        self.targets.copy_(targets)

    def gradient(self, outputs: Tensor, rows: Tensor, part: slice = slice(None)) -> Tensor:
        """Remember the outputs [R, C, B] of examples `rows` [R, B]; returns the gradient of the mean penalty by them.

        `part`: the replicas' places in the stack.
        """
        probabilities = torch.softmax(outputs, 1)
        kept = probabilities.clamp(EARLY_MARGIN, 1 - EARLY_MARGIN)
        places = rows.unsqueeze(2).expand(-1, -1, outputs.shape[1])
        answered = (kept / kept.sum(1, keepdim=True)).transpose(1, 2)
        memory = self.targets[part]
        targets = memory.gather(1, places).mul_(self.rule.memory).add_(answered, alpha=1 - self.rule.memory)
        memory.scatter_(1, places, targets)
        targets = targets.transpose(1, 2)
        by_kept = -targets / (1 - (kept * targets).sum(1, keepdim=True))
        by_kept = torch.where(kept == probabilities, by_kept, 0)  # what was moved to the margin does not move with p
        mean = (probabilities * by_kept).sum(1, keepdim=True)
        return (by_kept - mean).mul_(probabilities).mul_(self.rule.weight / outputs.shape[2])
