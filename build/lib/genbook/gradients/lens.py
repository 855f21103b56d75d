"""Coherence of per-example gradients: m·‖ḡ‖² over the mean ‖g_i‖², for a whole model and all of its parts.

Chatterjee and Zielinski (2022), "On the generalization mystery in deep learning": with S = Σ g_i and Q = Σ ‖g_i‖² over
m examples, α = ‖S‖² / (m Q) and m-coherence = m α = ‖S‖² / Q. Both need S and Q alone, and parts add up: the ‖S‖² of a
model is the sum over its parameters, and so is Q.
"""

import itertools
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from genbook.gradients.batch import Batch
from genbook.gradients.capture import Capture
from genbook.gradients.forms import Form, dot, squared
from genbook.gradients.loaded import Batches, Data
from genbook.gradients.losses import Loss
from genbook.gradients.measured import Coherence


def coherence(
    model: nn.Module,
    loss: Loss,
    inputs: Data,
    targets: Tensor | None = None,
    *,
    groups: Tensor | Sequence | None = None,
    group_names: Sequence[str] | None = None,
    chunk_size: int | None = None,
    alignments: bool = True,
    allow_nonfinite: bool = False,
    check: int | Literal["all"] = 3,
) -> Coherence:
    """Coherence of the gradients g_i of the examples' own losses with respect to the trained parameters.

    One forward and one backward pass, plus one product per layer for the alignments; exact, by ghost norms (Goodfellow
    2015; Li et al. 2022) or by writing gradients down, whichever is cheaper for the layer.

    Args:
        model: any module in which the batch is the first axis of inputs and outputs, or a stack of R replicas made by
            `genbook.models.stack`. BatchNorm and dropout must be in evaluation mode.
        loss: a loss function with its reduction, such as `nn.CrossEntropyLoss()`, or a function that returns one loss
            per example, or their mean or sum. g_i is the gradient of example i's own loss whatever the reduction; class
            weights multiply it.
        inputs: [m, ...]; for a stack [R, m, ...], where `x.expand(R, ...)` serves inputs that replicas share. A tuple
            holds several arguments of the model, a mapping keyword arguments, as Hugging Face's batches do; each tensor
            begins with the examples, but for `Shared(...)`. Without `targets` it is an iterable of batches, such as a
            DataLoader: pairs of inputs and targets, or mappings with the targets under "labels". With alignments it is
            gone through twice, in the same order.
        targets: [m, ...]; for a stack [R, m, ...].
        groups: a label for every example, [m], or [R, m] for a stack: booleans, integers from 0, or strings.
        group_names: names of the groups 0, 1, ... where the labels are integers or booleans.
        chunk_size: examples at a time; None takes all at once. Memory grows with it alone, not with m. With several
            chunks the alignments cost a second pass.
        alignments: False leaves out g_i · ḡ and the cosines; S, Q and the norms then cost less than one plain forward
            and backward pass.
        allow_nonfinite: True leaves NaN where a replica has diverged instead of raising.
        check: how many examples, drawn by a seed, the first call for a model and a loss compares with backward passes
            of their own; "all" compares all in every call.

    Returns:
        A `Coherence`; its values have a leading axis R for a stack.

    Raises:
        TypeError: for integer inputs to a dense layer, or a model, a loss or examples of the wrong kind.
        ValueError: for an empty batch, lengths that differ, or gradients that are not finite.
        Refused: a ValueError, for a model or loss of which no exact answer is known: a loss that is not a mean or sum
            over examples, layers in the wrong mode, examples that see each other, random draws, or a difference from
            a backward pass of an example's own.
    """
    with Capture(model, loss) as capture:
        batches = Batches(capture.replicas, inputs, targets, groups, group_names, chunk_size, capture.devices)
        sums = _Sums(capture, batches, alignments)
        if alignments:
            batches.refuse_once("alignments need them twice (alignments=False once)")
        for batch in batches:
            capture.prepare(batch, check)
            sums.add(batch)
        if alignments and not batches.alone:
            for batch in batches.again():
                capture.prepare(batch, 0)
                sums.align(batch)
        return sums.result(allow_nonfinite)


class _Values:
    """Values per example over the chunks of a batch, and over the batches in the order in which they were given."""

    def __init__(self) -> None:
        self._chunks: dict[str, list[Tensor]] = defaultdict(list)
        self.batches: list[Tensor] = []

    def append(self, name: str, values: Tensor) -> None:
        """Some values [R, m] of the next chunk."""
        self._chunks[name].append(values)

    def end(self, batch: Batch, names: Iterable[str] = ("",)) -> Tensor:
        """Those of a batch, [R, P, m]."""
        columns = [torch.cat(of, 1) if len(of) > 1 else of[0] for of in (self._chunks.pop(name) for name in names)]
        self.batches.append(batch.in_given_order(torch.stack(columns, 1)))
        return self.batches[-1]

    @property
    def all(self) -> Tensor:
        """[R, P, m]."""
        return torch.cat(self.batches, 2) if len(self.batches) > 1 else self.batches[0]


class _Sums:
    """S by group, Q, and the values per example, over the chunks of all batches."""

    def __init__(self, capture: Capture, batches: Batches, alignments: bool):
        self.capture, self.batches, self.alone = capture, batches, batches.alone
        self.alignments = alignments
        self.losses, self.again = _Values(), _Values()
        self.squared, self.dots = _Values(), _Values()
        self.squares: list[Tensor] = []
        self.counts: list[Tensor] = []
        self.sums: dict[str, Tensor] = {}
        self.totals: dict[str, Tensor] = {}
        self.products: dict[str, Tensor] = {}

    def add(self, batch: Batch) -> None:
        """First pass over a batch: norms and sums; the alignments too where one chunk is all there is."""

        def sink(name: str, form: Form) -> None:
            self.squared.append(name, form.squared_norms)
            sums = _group_sums(form, bounds)
            if not self.alone:
                self.sums[name] = self.sums[name].add_(sums) if name in self.sums else sums
                return
            total = self._close(name, sums)
            if self.alignments:
                self.dots.append(name, form.dots(total))

        for chunk in batch:
            bounds = chunk.bounds
            self.losses.append("", self.capture.run(chunk, sink))
        self.losses.end(batch)
        self.squares.append(_by_group(self.squared.end(batch, self.capture.shapes), batch))
        self.counts.append(batch.counts)
        if self.alone and self.alignments:
            self.dots.end(batch, self.capture.shapes)

    def align(self, batch: Batch) -> None:
        """Second pass: g_i · S."""
        if not self.again.batches:
            self.sums = {name: self._close(name, sums) for name, sums in self.sums.items()}

        def sink(name: str, form: Form) -> None:
            self.dots.append(name, form.dots(self.sums[name]))

        for chunk in batch:
            self.again.append("", self.capture.run(chunk, sink))
        self.again.end(batch)
        self.dots.end(batch, self.capture.shapes)

    def _close(self, name: str, sums: Tensor) -> Tensor:
        """Keep the products of the groups' sums [R, K, ...]; returns S."""
        total = sums[:, 0] if sums.shape[1] == 1 else sums.sum(1)
        self.totals[name] = squared(total.reshape(len(total), -1))
        if sums.shape[1] > 1:
            flat = sums.reshape(*sums.shape[:2], -1)
            self.products[name] = torch.stack([dot(flat[:, g : g + 1], flat) for g in range(flat.shape[1])], 1)
        return total

    def result(self, allow_nonfinite: bool) -> Coherence:
        """The values, in the order in which the examples were given."""
        batches, values, losses = self.batches, self.squared.all, self.losses.all.squeeze(1)
        squares = sum(self.squares[1:], self.squares[0])
        if not (allow_nonfinite or math.isfinite(squares.sum() + losses.sum())):
            refuse_nonfinite(losses, values, self.capture.replicas)
        if self.again.batches:
            batches.refuse_other(losses, self.again.all.squeeze(1))
        for name in self.sums.keys() - self.totals.keys():
            self._close(name, self.sums[name])
        totals = torch.stack([self.totals[name] for name in self.capture.shapes], 1).double()
        products = totals[..., None, None]
        if len(batches.names) > 1:
            products = torch.stack([self.products[name] for name in self.capture.shapes], 1).double()
        return Coherence(
            names=tuple(self.capture.shapes),
            totals=totals,
            products=products,
            squares=squares,
            counts=sum(self.counts[1:], self.counts[0]).to(squares.device),
            group_names=batches.names,
            stacked=self.capture.replicas is not None,
            losses_=losses,
            squared_=values,
            dots_=self.dots.all.div_(batches.m) if self.alignments else None,
            whole=squares.sum((1, 2)),
        )


def _group_sums(form: Form, bounds: list[list[int]]) -> Tensor:
    """Σ g_i over the examples of each group, [R, K, *shape]."""
    if len(bounds[0]) == 2:
        return form.total().unsqueeze(1)
    if len(bounds) == 1:
        return torch.stack([form[:, i:j].total() for i, j in itertools.pairwise(bounds[0])], 1)
    return torch.stack(
        [torch.cat([form[r : r + 1, i:j].total() for i, j in itertools.pairwise(row)]) for r, row in enumerate(bounds)]
    )


def _by_group(squared: Tensor, batch: Batch) -> Tensor:
    """Q of every group from ‖g_i‖² [R, P, m], in float64, [R, P, K]."""
    if batch.labels is None:
        return squared.sum(2, keepdim=True, dtype=torch.float64)
    members = functional.one_hot(batch.labels.to(squared.device), len(batch.names)).double()  # [R, m, K]
    return squared.double() @ members


def refuse_nonfinite(losses: Tensor, squared: Tensor, replicas: int | None, before: int = 0) -> None:
    """Raise ValueError that names the first example with a loss [R, m] or a gradient [R, P, m] that is not finite.

    `before` is the number of examples that came before these.
    """
    for what, values in {"loss": losses, "gradient": squared.sum(1)}.items():
        bad = (~values.isfinite()).nonzero()
        if len(bad):
            r, i = bad[0].tolist()
            i += before
            where = f"replica {r}, example {i}" if replicas else f"example {i}"
            raise ValueError(
                f"the {what} of {where} is not finite ({len(bad)} of {values.numel()} are not): look at the inputs and "
                "at the model's parameters; allow_nonfinite=True leaves NaN in their place"
            )
