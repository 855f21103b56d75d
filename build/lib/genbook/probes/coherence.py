"""Coherence of per-example gradients while training (Chatterjee and Zielinski, 2022)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from genbook.gradients import coherence, gradient_norms
from genbook.gradients.measured import Coherence, Groups
from genbook.models import written
from genbook.probes.mlp import mlp_coherence
from genbook.probes.probe import Measurement, Probe

if TYPE_CHECKING:
    from genbook.training.view import View

ROWS = 1 << 16  # replicas x examples in one pass


def coherence_in(
    view: View, inputs: Tensor, targets: Tensor, groups: Tensor | None = None, names: Sequence[str] | None = None
) -> Coherence:
    """The coherence of examples [R, m, ...] in a view's networks and loss, by the shorter way where they are MLPs."""
    if written.is_mlp(view.model) and inputs.dim() == 3:
        return mlp_coherence(view.model, view.loss, inputs, targets, groups, names or ())
    return coherence(
        view.model,
        view.loss.module(),
        inputs,
        targets,
        groups=groups,
        group_names=names,
        chunk_size=max(1, ROWS // len(inputs)),
        alignments=False,
        allow_nonfinite=True,
    )


@dataclass(frozen=True)
class GradientCoherence(Probe):
    """m-coherence, its unbiased off-diagonal form and the gradient norm: in all, by layer, by group.

    Quantities, of the whole network and of each layer: "m-coherence", "off-diagonal coherence" (α without its 1/m bias)
    and "gradient norm"; of a layer also "norm fraction". With `groups`, of each group: "m-coherence",
    "m-coherence at equal size" (that of the smallest group), "off-diagonal coherence", "descent fraction"; of two
    groups, named "clean, corrupted": "gradient cosine" (of their summed gradients) and "off-diagonal coherence". NaN
    where all gradients are zero, and for groups of fewer than two examples.

    Attributes:
        on: the set of examples.
        labels: those "given" or "true".
        examples: how many of the set, the first ones; `None` is all. m-coherence grows with it: compare at equal size.
        groups: names of masks of the set that do not overlap; examples in none of them are a group called "rest".
        layers: whether to report each layer.
        sums: whether to report the summed gradients S_g of the groups too: "gradient length" ‖S_g‖ and "descent"
            ⟨S, S_g⟩ of each group and ⟨S, S⟩ of all; and, with `layers`, whatever is told of groups for each layer.
    """

    on: str = "train"
    labels: str = "given"
    examples: int | None = None
    groups: tuple[str, ...] = ()
    layers: bool = True
    sums: bool = False

    def measure(self, view: View) -> Iterable[Measurement]:
        """One forward and one backward pass over the examples."""
        inputs = view.sets.inputs(self.on)[:, : self.examples]
        targets = view.sets.targets(self.on, self.labels)[:, : self.examples]
        partition, names = self._partition(view, inputs.shape[:2])
        measured = coherence_in(view, inputs, targets, partition, names)
        parts = {"all": measured, **(measured.layers if self.layers else {})}
        for layer, part in parts.items():
            yield self._of("m-coherence", part.m_coherence, layer=layer)
            yield self._of("off-diagonal coherence", part.off_diagonal, layer=layer)
            yield self._of("gradient norm", part.gradient_norm, layer=layer)
            if layer != "all":
                yield self._of("norm fraction", part.fraction, layer=layer)
        for layer, part in parts.items():
            if names and (layer == "all" or self.sums):
                yield from self._by_group(part.groups, layer)

    def _of(self, quantity: str, values: Tensor, group: str = "all", layer: str = "all", **kwargs) -> Measurement:
        return Measurement(quantity, values, self.on, self.labels, group, layer, **kwargs)

    def _partition(self, view: View, shape: torch.Size) -> tuple[Tensor | None, list[str] | None]:
        if not self.groups:
            return None, None
        masks = view.sets.groups(self.on)
        for name in self.groups:
            if name not in masks:
                raise ValueError(f"groups has {name!r}; the examples {self.on!r} have {', '.join(masks) or 'none'}")
        chosen = torch.stack([masks[name][:, : shape[1]] for name in self.groups])
        if bool((chosen.sum(0) > 1).any()):
            raise ValueError(f"groups {', '.join(self.groups)} overlap; an example may be in one of them")
        rest = ~chosen.any(0)
        names = [*self.groups, "rest"] if bool(rest.any()) else list(self.groups)
        return torch.cat([chosen, rest.unsqueeze(0)]).int().argmax(0), names

    def _by_group(self, groups: Groups, layer: str) -> Iterable[Measurement]:
        present = groups.counts > 0
        quantities = {
            "m-coherence": groups.m_coherence,
            "m-coherence at equal size": groups.m_coherence_at(),
            "off-diagonal coherence": groups.off_diagonal,
            "descent fraction": groups.descent_fraction,
        }
        if self.sums:
            towards = groups.products.sum(-1)
            quantities |= {"gradient length": groups.products.diagonal(dim1=-2, dim2=-1).sqrt(), "descent": towards}
            yield self._of("descent", towards.sum(-1), layer=layer)
        for g, name in enumerate(groups.names):
            for quantity, values in quantities.items():
                yield self._of(quantity, values[:, g], name, layer, present=present[:, g])
        for g, first in enumerate(groups.names):
            for h in range(g + 1, len(groups.names)):
                both, pair = present[:, g] & present[:, h], f"{first}, {groups.names[h]}"
                yield self._of("gradient cosine", groups.cosines[:, g, h], pair, layer, present=both)
                yield self._of("off-diagonal coherence", groups.between[:, g, h], pair, layer, present=both)


@dataclass(frozen=True)
class LargestGradient(Probe):
    """The largest norm of an example's gradient, which a Lipschitz constant is at least; quantity "largest gradient".

    Of the first `examples` of the set `on`, or of all.
    """

    on: str = "train"
    labels: str = "given"
    examples: int | None = None

    def measure(self, view: View) -> Iterable[Measurement]:
        """Less than one forward and one backward pass over the examples."""
        inputs = view.sets.inputs(self.on)[:, : self.examples]
        targets = view.sets.targets(self.on, self.labels)[:, : self.examples]
        norms = gradient_norms(view.model, view.loss.module(), inputs, targets, allow_nonfinite=True)
        yield Measurement("largest gradient", norms.amax(-1), self.on, self.labels, "all", "all")
