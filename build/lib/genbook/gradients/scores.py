"""Scores that rank examples by how hard or how suspect they are, and the signal-to-noise ratio by coordinate."""

import itertools
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from genbook.gradients.capture import Capture, replicas_of
from genbook.gradients.forms import Form
from genbook.gradients.lens import refuse_nonfinite
from genbook.gradients.loaded import Batches, Data
from genbook.gradients.losses import Loss


def gradient_norms(
    model: nn.Module,
    loss: Loss,
    inputs: Data,
    targets: Tensor | None = None,
    *,
    chunk_size: int | None = None,
    allow_nonfinite: bool = False,
    check: int | Literal["all"] = 3,
) -> Tensor:
    """‖g_i‖ of every example, [m] ([R, m] for a stack): ghost norms alone, less than one forward and backward pass.

    Arguments and errors as for `coherence`.
    """
    with Capture(model, loss) as capture:
        batches = Batches(capture.replicas, inputs, targets, chunk_size=chunk_size, devices=capture.devices)
        chunks, before = [], 0
        for batch in batches:
            capture.prepare(batch, check)
            for chunk in batch:
                parts: list[Tensor] = []
                losses = capture.run(chunk, lambda _, form: parts.append(form.squared_norms))  # noqa: B023
                if not allow_nonfinite:
                    refuse_nonfinite(losses, torch.stack(parts, 1), capture.replicas, before)
                chunks.append(sum(parts[1:], parts[0]).sqrt())
                before += losses.shape[1]
    norms = torch.cat(chunks, 1)
    return norms if capture.replicas else norms[0]


def alignments(
    model: nn.Module,
    loss: Loss,
    inputs: Data,
    targets: Tensor | None,
    others: tuple[Data, Tensor | None],
    *,
    chunk_size: int | None = None,
    allow_nonfinite: bool = False,
    check: int | Literal["all"] = 3,
) -> Tensor:
    """g_i · ḡ' of every example with the mean gradient ḡ' of ``others``, [m] ([R, m] for a stack).

    By so much a small step on example i lowers the mean loss of the others, for each unit of learning rate: the term
    that Pruthi et al. (2020), "Estimating training data influence by tracing gradient descent", sum over training. One
    forward and one backward pass over either set; with the examples themselves as others it is
    `Coherence.alignments`.

    Args:
        model, loss, inputs, targets: as for `coherence`.
        others: inputs and targets of the other examples.
        chunk_size, allow_nonfinite, check: as for `coherence`.

    Raises:
        as `coherence`.
    """
    with Capture(model, loss) as capture:
        fresh = Batches(capture.replicas, *others, chunk_size=chunk_size, devices=capture.devices)
        sums: dict[str, Tensor] = {}

        def add(name: str, form: Form) -> None:
            total = form.total()
            sums[name] = sums[name] + total if name in sums else total

        for batch in fresh:
            capture.prepare(batch, check)
            for chunk in batch:
                capture.run(chunk, add)
        chunks, before = [], 0
        for batch in Batches(capture.replicas, inputs, targets, chunk_size=chunk_size, devices=capture.devices):
            capture.prepare(batch, check)
            for chunk in batch:
                parts: list[Tensor] = []
                losses = capture.run(chunk, lambda name, form: parts.append(form.dots(sums[name])))  # noqa: B023
                if not allow_nonfinite:
                    refuse_nonfinite(losses, torch.stack(parts, 1), capture.replicas, before)
                chunks.append(sum(parts[1:], parts[0]))
                before += losses.shape[1]
    products = torch.cat(chunks, 1) / fresh.m
    return products if capture.replicas else products[0]


def grand(
    model: nn.Module,
    loss: Loss,
    inputs: Data,
    targets: Tensor | None = None,
    *,
    chunk_size: int | None = None,
    check: int | Literal["all"] = 3,
) -> Tensor:
    """GraNd score E‖g_i‖ of every example, [m]: the mean over the replicas of a stack, early in training.

    Paul, Ganguli and Dziugaite (2021), "Deep learning on a data diet", definition 2.1; the expectation is over
    initialisations, so a plain module gives one draw of it. Arguments and errors as for `coherence`.
    """
    norms = gradient_norms(model, loss, inputs, targets, chunk_size=chunk_size, check=check)
    return norms.mean(0) if norms.dim() == 2 else norms


def error_norms(logits: Tensor, targets: Tensor) -> Tensor:
    """‖softmax(logits) − onehot(targets)‖₂, [...]: EL2N of one network by its outputs [..., C] and classes [...]."""
    return torch.linalg.vector_norm(logits.softmax(-1) - functional.one_hot(targets, logits.shape[-1]), dim=-1)


@torch.no_grad()
def el2n(model: nn.Module, inputs: Data, targets: Tensor | None = None, *, chunk_size: int | None = None) -> Tensor:
    """EL2N score E‖softmax(f(x_i)) − onehot(y_i)‖₂ of every example, [m]: the mean over the replicas of a stack.

    Paul, Ganguli and Dziugaite (2021), definition 2.2. One forward pass; between 0 and √2.

    Args:
        model: outputs logits [m, C], [R, m, C] for a stack, in evaluation mode.
        inputs: [m, ...], or [R, m, ...]; several arguments, or batches, as for `coherence`.
        targets: class indices [m], or [R, m].
        chunk_size: examples at a time.

    Raises:
        ValueError: for lengths that differ, an empty batch, or outputs that are not one row of logits per example.
        TypeError: if targets are not integers.
    """
    replicas = replicas_of(model)
    devices = list(dict.fromkeys(p.device for p in model.parameters()))
    scores = []
    for chunk in itertools.chain.from_iterable(
        Batches(replicas, inputs, targets, chunk_size=chunk_size, devices=devices)
    ):
        if chunk.targets.is_floating_point():
            raise TypeError(f"targets are {chunk.targets.dtype}; EL2N needs class indices")
        logits = chunk.inputs(model)
        if logits.shape[:-1] != chunk.targets.shape:
            raise ValueError(
                f"model returned {tuple(logits.shape)} for targets {tuple(chunk.targets.shape)}; EL2N needs one row of "
                "logits per example"
            )
        scores.append(error_norms(logits, chunk.targets))
    norms = torch.cat(scores, -1)
    return norms.mean(0) if replicas else norms


def signal_to_noise(
    model: nn.Module,
    loss: Loss,
    inputs: Data,
    targets: Tensor | None = None,
    *,
    chunk_size: int | None = None,
    check: int | Literal["all"] = 3,
) -> dict[str, Tensor]:
    """ḡ² / Var(g_i) of every coordinate, by parameter name and in its shape (Liu et al. 2020, GSNR, equation 2).

    The variance is over the m examples, divided by m; zero gradients give NaN. Coordinates add up to the parts of
    `coherence`: Σ ḡ² = ‖ḡ‖² and Σ Var = tr Cov. Arguments and errors as for `coherence`.
    """
    with Capture(model, loss) as capture:
        batches = Batches(capture.replicas, inputs, targets, chunk_size=chunk_size, devices=capture.devices)
        sums: dict[str, Tensor] = {}
        squares: dict[str, Tensor] = {}

        def sink(name: str, form: Form) -> None:
            total, moment = form.total(), form.second_moment()
            sums[name] = sums[name] + total if name in sums else total
            squares[name] = squares[name] + moment if name in squares else moment

        for batch in batches:
            capture.prepare(batch, check)
            for chunk in batch:
                capture.run(chunk, sink)
    ratios = {}
    for name, total in sums.items():
        mean_square = (total / batches.m).square()
        ratio = mean_square / (squares[name] / batches.m - mean_square)
        ratios[name] = ratio if capture.replicas else ratio[0]
    return ratios
