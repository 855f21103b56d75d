"""The m×m matrix of products of per-example gradients, from the factors of the layers."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor, nn

from genbook.gradients.capture import Capture
from genbook.gradients.forms import Explicit, Form, Outer
from genbook.gradients.lens import refuse_nonfinite
from genbook.gradients.loaded import Batches, Data
from genbook.gradients.losses import Loss

# Examples on a side of a block of the matrix: large enough for a fast product, small enough that the half that
# symmetry saves is not filled up again by the blocks on the diagonal.
_SIDE = 256


@dataclass(frozen=True, eq=False)
class Gram:
    """K_ij = g_i · g_j; for a stack with a leading axis R."""

    matrix: Tensor
    """[..., m, m], symmetric to the last bit."""
    by_layer: dict[str, Tensor]
    """The layers' own matrices, symmetric too, which sum to `matrix`; empty unless asked for."""

    @cached_property
    def eigenvalues(self) -> Tensor:
        """[..., m], ascending: those of Σ g_i g_iᵀ that may differ from zero; computed in float64."""
        return torch.linalg.eigvalsh(self.matrix.double())

    @property
    def m_coherence(self) -> Tensor:
        """1ᵀ K 1 / tr K, the m-coherence of the same examples."""
        matrix = self.matrix.double()
        return matrix.sum((-2, -1)) / matrix.diagonal(dim1=-2, dim2=-1).sum(-1)

    @property
    def cosines(self) -> Tensor:
        """Cosines of the angles between gradients, [..., m, m]; NaN where one is zero."""
        lengths = self.matrix.diagonal(dim1=-2, dim2=-1).clamp(min=0).sqrt()
        return self.matrix / (lengths.unsqueeze(-1) * lengths.unsqueeze(-2))


def gram(
    model: nn.Module,
    loss: Loss,
    inputs: Data,
    targets: Tensor | None = None,
    *,
    layers: bool = False,
    check: int | Literal["all"] = 3,
) -> Gram:
    """The Gram matrix of the gradients g_i of the examples' own losses, without writing dense gradients down.

    A dense layer gives (a_i · a_j)(b_i · b_j), m² (p + q) operations where the gradients themselves would take m² p q;
    a layer used at several positions sums over pairs of them, or goes through its gradients where that is cheaper. Only
    blocks on and above the diagonal are computed, and mirrored: the matrix is symmetric by construction. With g_i for
    the rows of J, K = J Jᵀ has the nonzero eigenvalues of the uncentred covariance Jᵀ J (Fort and Ganguli 2019; Jacot
    et al. 2018 for J of the outputs).

    Args:
        model, loss, inputs, targets, check: as for `coherence`. Of an iterable of batches the factors of all examples
            are held in memory.
        layers: keep the matrix of every layer, too.

    Raises:
        As `coherence`.
    """
    parts = _Parts()
    with Capture(model, loss) as capture:
        for batch in Batches(capture.replicas, inputs, targets, devices=capture.devices):
            capture.prepare(batch, check)
            parts.add(batch.m, capture.run(batch.whole, parts.sink))
        matrices = parts.matrices(layers)
    first, *others = matrices.values()
    whole = sum(others, first)
    refuse_nonfinite(torch.cat(parts.losses, 1), whole.diagonal(dim1=1, dim2=2).unsqueeze(1), capture.replicas)
    squeeze = (lambda matrix: matrix) if capture.replicas else (lambda matrix: matrix[0])
    return Gram(squeeze(whole), {name: squeeze(matrix) for name, matrix in matrices.items()} if layers else {})


class _Parts:
    """The forms of all batches, and blocks of the matrix."""

    def __init__(self) -> None:
        self.losses: list[Tensor] = []
        self.sides: list[slice] = []
        self.forms: dict[str, list[dict[str, Form]]] = {}
        """Of every layer, those of the examples on a side of a block, by the names of its parameters."""
        self._batch: dict[str, dict[str, Form]] = {}

    def sink(self, name: str, form: Form) -> None:
        """Take the gradients of one parameter."""
        layer, _, parameter = name.rpartition(".")
        self._batch.setdefault(layer, {})[parameter] = form

    def add(self, m: int, losses: Tensor) -> None:
        """Put the m examples of a batch, whose gradients have been taken, after the others."""
        start = self.sides[-1].stop if self.sides else 0
        for side in _sides(m):
            self.sides.append(slice(start + side.start, start + side.stop))
            for layer, own in self._batch.items():
                self.forms.setdefault(layer, []).append({name: form[:, side] for name, form in own.items()})
        self._batch = {}
        self.losses.append(losses)

    def matrices(self, layers: bool) -> dict[str, Tensor]:
        """The matrix [R, m, m] of every layer, or of all under the name ""."""
        parts: dict[str, Tensor] = {}
        m, replicas = self.sides[-1].stop, len(self.losses[0])
        for layer, forms in self.forms.items():
            key = layer if layers else ""
            for i, j in _upper_blocks(len(self.sides)):
                block = _block(forms[i], forms[j])
                if i == j:  # a library may form the two halves in different orders of sums
                    block = block.triu() + block.triu(1).mT
                if key not in parts:
                    parts[key], first = block.new_empty(replicas, m, m), layer
                place = parts[key][:, self.sides[i], self.sides[j]]
                place.copy_(block) if layer == first else place.add_(block)
        for matrix in parts.values():
            for i, j in _upper_blocks(len(self.sides)):
                if i != j:
                    matrix[:, self.sides[j], self.sides[i]] = matrix[:, self.sides[i], self.sides[j]].mT
        return parts


def _sides(m: int) -> list[slice]:
    return [slice(start, min(start + _SIDE, m)) for start in range(0, m, _SIDE)]


def _upper_blocks(sides: int) -> Iterator[tuple[int, int]]:
    return itertools.combinations_with_replacement(range(sides), 2)


def _block(rows: dict[str, Form], columns: dict[str, Form]) -> Tensor:
    """One block of a layer's matrix; weight and bias of a dense layer share the products of output gradients."""
    paired = ("weight", "bias") if _paired(rows) and _paired(columns) else ()
    blocks = [_products(form, columns[name]) for name, form in rows.items() if name not in paired]
    return sum(blocks, rows["weight"].gram(columns["weight"], bias=True) if paired else 0)


def _paired(forms: dict[str, Form]) -> bool:
    weight, bias = forms.get("weight"), forms.get("bias")
    return isinstance(weight, Outer) and isinstance(bias, Explicit) and weight.shares(bias)


def _products(form: Form, other: Form) -> Tensor:
    """g_i · g'_j; the batches may have used a parameter in different ways."""
    if type(form) is not type(other):
        form, other = (Explicit(f.explicit(), (-1,)) for f in (form, other))
    return form.gram(other)
