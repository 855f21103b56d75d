"""Coherence of stacked MLPs by the written passes, batch last.

The ghost norms of a dense layer, ‖δ_i‖² (‖h_i‖² + 1), and the sums Σ δ_i h_iᵀ are those of `genbook.gradients`; written
out, the measurement costs what a training step on as many examples costs, and a step here has no graph either.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from genbook.gradients import Coherence
from genbook.models import written


@torch.no_grad()
def mlp_coherence(
    model: nn.Sequential, loss, inputs: Tensor, targets: Tensor, groups: Tensor | None, names: Sequence[str]
) -> Coherence:
    """What `genbook.gradients.coherence` returns, without alignments, for a stack that `written.is_mlp` accepts.

    Args:
        model: the stack of R replicas.
        loss: one of `genbook.training.LOSSES`.
        inputs: [R, m, d].
        targets: [R, m] or [R, m, C].
        groups: [R, m], integers from 0 on; `None` for one group.
        names: of the groups.
    """
    replicas, m, _ = inputs.shape
    parameters = dict(model.named_parameters())
    count = max(1, len(names))
    sums = {name: p.new_zeros(replicas, count, *p.shape[1:]) for name, p in parameters.items()}
    squared = {name: p.new_empty(replicas, m) for name, p in parameters.items()}
    losses = inputs.new_empty(replicas, m)
    buffers = written.Buffers()
    chunk = written.chunk_of(model)
    for start in range(0, m, chunk):
        part = slice(start, start + chunk)
        hidden, outputs = written.forward(model, inputs[:, part].transpose(1, 2), buffers)
        wanted = targets[:, part] if targets.dim() == 2 else targets[:, part].transpose(1, 2)
        losses[:, part] = loss.values(outputs, wanted)
        by_outputs = loss.gradient(outputs, wanted).mul_(outputs.shape[-1])
        masks = [None] if groups is None else [_mask(groups[:, part] == g, inputs.dtype) for g in range(count)]
        for place, h, delta in written.backward(model, hidden, by_outputs, buffers):
            of_bias = delta.square().sum(1)
            squared[f"{place}.weight"][:, part] = of_bias * h.square().sum(1)
            for g, mask in enumerate(masks):
                own = delta if mask is None else delta * mask
                sums[f"{place}.weight"][:, g] += torch.bmm(own, h.transpose(1, 2))
                if f"{place}.bias" in sums:
                    squared[f"{place}.bias"][:, part] = of_bias
                    sums[f"{place}.bias"][:, g] += own.sum(2)
    return _coherence(sums, squared, losses, groups, tuple(names))


def _mask(members: Tensor, dtype: torch.dtype) -> Tensor:
    return members.to(dtype).unsqueeze(1)


def _coherence(sums: dict, squared: dict, losses: Tensor, groups: Tensor | None, names: tuple[str, ...]) -> Coherence:
    flat = [s.flatten(2).double() for s in sums.values()]
    products = torch.stack([s @ s.mT for s in flat], 1)
    values = torch.stack(list(squared.values()), 1)
    if groups is None:
        squares = values.double().sum(2, keepdim=True)
        counts = torch.full((len(values), 1), values.shape[2], device=values.device)
    else:
        members = nn.functional.one_hot(groups, len(names))
        squares, counts = values.double() @ members.double(), members.sum(1)
    return Coherence(
        names=tuple(sums),
        totals=products.sum((2, 3)),
        products=products,
        squares=squares,
        counts=counts,
        group_names=names,
        stacked=True,
        losses_=losses,
        squared_=values,
        dots_=None,
        whole=squares.sum((1, 2)),
    )
