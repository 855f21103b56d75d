"""Replicas of unequal widths that share their batches, as one wide network: all hidden units side by side.

For MLPs with one hidden layer the first layer of all replicas on one batch is one product, activations, loss and
optimiser work on one tensor each, and only the output layer goes by segments of equal width. Nothing is padded. The
bias of the hidden layer is the weight of one more input that is always 1, and the batch comes last.
"""

from collections.abc import Sequence
from itertools import groupby
from typing import Any, TypeGuard

import torch
from torch import Tensor, nn

from genbook.models import stack, written
from genbook.training.batches import Batches
from genbook.training.layout import Layout
from genbook.training.losses import LOSSES
from genbook.training.programs import initial_model
from genbook.training.replica import Replica


class WideProgram:
    """One-hidden-layer MLPs on shared batches, backward pass written out."""

    capturable = True
    """Each step launches the same kernels on the same memory."""

    @staticmethod
    def fits(model: nn.Module) -> TypeGuard[nn.Sequential]:
        """Whether `model` is an MLP with one hidden layer, biases, and nothing frozen."""
        return written.is_mlp(model) and len(model) == 3 and all(layer.bias is not None for layer in list(model)[::2])

    @staticmethod
    def width(replica: Replica) -> int:
        """The number of hidden units of a replica's network."""
        hidden: Any = replica.model.get_submodule("0")
        return hidden.out_features

    @staticmethod
    def segment(replica: Replica) -> tuple:
        """Equal for replicas that are one segment, of one batch and one width; they must come side by side."""
        return *replica.batch_key, WideProgram.width(replica)

    def __init__(self, replicas: Sequence[Replica], device: torch.device):
        """Draw the initial weights of `replicas` (on one batch side by side, by width among them) and lay them out."""
        self.loss = LOSSES[replicas[0].recipe.loss]
        plain: list[Any] = [initial_model(replica).to(device) for replica in replicas]
        keys = [WideProgram.segment(replica) for replica in replicas]
        members = [[place for place, _ in group] for _, group in groupby(enumerate(keys), key=lambda pair: pair[1])]
        # On which batch each segment is: replicas of one batch have one number.
        batches = list(dict.fromkeys(key[:-1] for key in keys))
        self._batch = [batches.index(keys[places[0]][:-1]) for places in members]
        self._modules: list[Any] = [stack([plain[place] for place in places]) for places in members]
        inputs, outputs = plain[0][0].in_features, plain[0][2].out_features
        widths = [plain[places[0]][0].out_features for places in members]
        first = [(places, (width, inputs + 1)) for places, width in zip(members, widths, strict=True)]
        second = [(places, (outputs, width)) for places, width in zip(members, widths, strict=True)]
        self.layout = Layout([*first, *second, (range(len(replicas)), (outputs,))])
        pieces = [torch.cat([m[0].weight, m[0].bias.unsqueeze(2)], dim=2) for m in self._modules]
        pieces += [module[2].weight for module in self._modules]
        pieces += [module[2].bias for module in self._modules]
        self.parameters = torch.cat([piece.detach().flatten() for piece in pieces])
        self.gradient = torch.zeros_like(self.parameters)
        self._inputs: Tensor | None = None
        self._buffers = written.Buffers()
        self._alias()

    @property
    def modules(self) -> list[tuple[list[int], nn.Module]]:
        """Stacked modules, one of each width and batch, with the places of their replicas."""
        return [(list(b.replicas), m) for b, m in zip(self._first, self._modules, strict=True)]

    def trained(self, flat: Tensor) -> list[list[Tensor]]:
        """The parts of a flat vector that belong to each module's trained parameters, in their order."""
        views = []
        for first, second in zip(self._first, self._second, strict=True):
            augmented = first.view(flat)
            bias = self._bias.view(flat)[first.replicas[0] : first.replicas[-1] + 1]
            views.append([augmented[:, :, :-1], augmented[:, :, -1], second.view(flat), bias])
        return views

    def _alias(self) -> None:
        segments = len(self._modules)
        blocks = self.layout.blocks
        self._first, self._second, self._bias = blocks[:segments], blocks[segments:-1], blocks[-1]
        for module, values in zip(self._modules, self.trained(self.parameters), strict=True):
            for parameter, value in zip(module.parameters(), values, strict=True):
                parameter.data = value
        rows = [len(b.replicas) * b.shape[0] for b in self._first]
        starts = [sum(rows[:s]) for s in range(segments)]
        # Per segment: its rows of the hidden layer, its replicas, and its parts of the parameters and the gradient.
        self._segments = [
            (
                slice(start, start + count),
                slice(first.replicas[0], first.replicas[-1] + 1),
                second.view(self.parameters),
                second.view(self.gradient),
                self._bias.view(self.parameters)[first.replicas[0] : first.replicas[-1] + 1].unsqueeze(2),
            )
            for start, count, first, second in zip(starts, rows, self._first, self._second, strict=True)
        ]
        self._shared = [self._batch_part(b, starts, rows) for b in dict.fromkeys(self._batch)]
        self._hidden = sum(rows)

    def _batch_part(self, batch: int, starts: list[int], rows: list[int]) -> tuple[int, slice, Tensor, Tensor]:
        """A replica of the batch, its rows of the hidden layer, the first layer's weights and their gradient."""
        inside = [s for s, b in enumerate(self._batch) if b == batch]
        hidden = slice(starts[inside[0]], starts[inside[-1]] + rows[inside[-1]])
        whole = slice(self._first[inside[0]].start, self._first[inside[-1]].stop)
        width = self._first[inside[0]].shape[1]
        weights, gradients = (flat[whole].view(-1, width) for flat in (self.parameters, self.gradient))
        return self._first[inside[0]].replicas[0], hidden, weights, gradients

    def keep(self, keep: Sequence[int]) -> Tensor:
        """Forget the replicas that are not in `keep`; returns where the entries kept lay in the flat vector."""
        kept = set(keep)
        staying = [[row for row, r in enumerate(b.replicas) if r in kept] for b in self._first]
        self.layout, entries = self.layout.kept(keep, self.parameters.device)
        self.parameters, self.gradient = self.parameters[entries], self.gradient[entries]
        self._batch = [b for b, rows in zip(self._batch, staying, strict=True) if rows]
        self._modules = [m for m, rows in zip(self._modules, staying, strict=True) if rows]
        self._alias()
        return entries

    @torch.no_grad()
    def compute_gradient(self, batches: Batches, step: int) -> None:
        """Fill `gradient` with that of each replica's mean loss on its batch."""
        if self._inputs is None:
            self._inputs = torch.cat([batches.inputs, torch.ones_like(batches.inputs[..., :1])], dim=-1)
        targets = batches.targets_at(step)
        size, replicas, outputs = batches.size, len(self._bias.replicas), self._bias.shape[0]
        hidden = self._buffers.empty("hidden", self.parameters, self._hidden, size)
        examples = [batches.shared(self._inputs, replica, step) for replica, *_ in self._shared]
        for x, (_, rows, weight, _) in zip(examples, self._shared, strict=True):
            torch.mm(weight, x.T, out=hidden[rows])
        activation = self._modules[0][1]
        hidden = written.activate(activation, hidden)
        logits = self._buffers.empty("logits", self.parameters, replicas, outputs, size)
        segments = [hidden[rows].view(len(weight), -1, size) for rows, _, weight, *_ in self._segments]
        for h, (_, places, weight, _, bias) in zip(segments, self._segments, strict=True):
            torch.baddbmm(bias, weight, h, out=logits[places])
        by_logits = self.loss.gradient(logits, targets)
        torch.sum(by_logits, 2, out=self._bias.view(self.gradient))
        by_hidden = self._buffers.empty("by hidden", hidden, *hidden.shape)
        for h, (rows, places, weight, gradient, _) in zip(segments, self._segments, strict=True):
            torch.bmm(by_logits[places], h.transpose(1, 2), out=gradient)
            torch.bmm(weight.transpose(1, 2), by_logits[places], out=by_hidden[rows].view_as(h))
        by_hidden = written.before_activation(activation, by_hidden, hidden)
        for x, (_, rows, _, gradient) in zip(examples, self._shared, strict=True):
            torch.mm(by_hidden[rows], x, out=gradient)

    def extra_state(self) -> dict[str, Tensor]:
        """Nothing besides the parameters."""
        return {}

    def restore_extra_state(self, state: dict[str, Tensor]) -> None:
        """Nothing to restore."""
