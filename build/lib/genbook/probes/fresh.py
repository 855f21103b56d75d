"""Coherence with fresh examples: what a step on the training set does to the loss on examples outside of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from genbook.gradients import alignments, gradient_norms
from genbook.gradients.measured import Coherence
from genbook.probes.coherence import ROWS, coherence_in
from genbook.probes.probe import Measurement, Probe
from genbook.probes.scores import auc

if TYPE_CHECKING:
    from genbook.training.view import View


@dataclass(frozen=True)
class FreshCoherence(Probe):
    """⟨ḡ', ḡ⟩ / ‖ḡ‖² of the mean gradients ḡ' of fresh examples and ḡ of the training set, and their cosine.

    Quantities "fresh coherence" and "fresh cosine", of the whole network and of each layer. The first is dL'/dL under
    gradient flow: by how much the loss on fresh examples falls for each unit of training loss. In expectation over
    both sets it is the one-step generalization ratio of Liu et al. (2020, "GSNR"); of two single examples, and without
    their lengths, it is stiffness (Fort et al., 2019). NaN where the training gradient is zero.

    Attributes:
        on: the training set.
        fresh: the set of examples outside of it.
        examples: how many of the training set, the first ones; `None` is all.
        layers: whether to report each layer: as if it alone was trained.
    """

    on: str = "train"
    fresh: str = "held-out"
    examples: int | None = None
    layers: bool = True

    def measure(self, view: View) -> Iterable[Measurement]:
        """One forward and one backward pass over both sets."""
        both = self._both(view)
        for layer, part in {"all": both, **(both.layers if self.layers else {})}.items():
            products, counts = part.groups.products, part.groups.counts.to(part.groups.products.device)
            means = products / (counts.unsqueeze(-1) * counts.unsqueeze(-2))  # ⟨ḡ_g, ḡ_h⟩
            own, across, theirs = means[:, 0, 0], means[:, 0, 1], means[:, 1, 1]
            values = {"fresh coherence": across / own, "fresh cosine": across / (own * theirs).sqrt()}
            for quantity, value in values.items():
                yield Measurement(quantity, value, self.on, "given", "all", layer)

    def _both(self, view: View) -> Coherence:
        """The coherence of both sets together, in two groups."""
        sets, m = view.sets, self.examples
        inputs = torch.cat([sets.inputs(self.on)[:, :m], sets.inputs(self.fresh)], 1)
        targets = torch.cat([sets.targets(self.on)[:, :m], sets.targets(self.fresh)], 1)
        groups = torch.ones(inputs.shape[:2], dtype=torch.long, device=inputs.device)
        groups[:, : sets.targets(self.on)[:, :m].shape[1]] = 0
        return coherence_in(view, inputs, targets, groups, (self.on, self.fresh))


@dataclass(frozen=True)
class FreshScores(Probe):
    """AUC of each training example's alignment for being in ``group``; quantities "AUC of ... alignment".

    "fresh alignment" is -g_i · ḡ' with the mean gradient of fresh examples: what a step on example i does to their
    loss, as TracIn adds it up over training (Pruthi et al., 2020). "training alignment" is -g_i · (S - g_i), with the
    other examples of its own set, which needs no fresh ones.
    """

    on: str = "train"
    fresh: str = "held-out"
    group: str = "corrupted"

    def measure(self, view: View) -> Iterable[Measurement]:
        """Three forward and backward passes."""
        model, loss, sets = view.model, view.loss.module(), view.sets
        own, fresh = ((sets.inputs(on), sets.targets(on)) for on in (self.on, self.fresh))
        chunk = max(1, ROWS // len(own[0]))

        def along(others: tuple[Tensor, Tensor]) -> Tensor:
            return alignments(model, loss, *own, others, chunk_size=chunk, allow_nonfinite=True)

        norms = gradient_norms(model, loss, *own, chunk_size=chunk, allow_nonfinite=True)
        scores = {
            "fresh alignment": along(fresh),
            "training alignment": along(own) * norms.shape[1] - norms.square(),
        }
        positive = sets.groups(self.on)[self.group].cpu().numpy()
        for name, values in scores.items():
            found = torch.from_numpy(auc(-values.detach().cpu().numpy(), positive))
            yield Measurement(f"AUC of {name}", found, self.on, "given", self.group)
