"""The m×m matrix of products of per-example gradients, from the factors of the layers."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor, nn

from genbook.gradients.batch import Batch
from genbook.gradients.capture import Capture
from genbook.gradients.forms import Explicit, Form, Outer
from genbook.gradients.lens import refuse_nonfinite
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
    inputs: Tensor,
    targets: Tensor,
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
        model, loss, inputs, targets, check: as for `coherence`.
        layers: keep the matrix of every layer, too.

    Raises:
        As `coherence`.
    """
    with Capture(model, loss) as capture:
        batch = Batch(capture.replicas, inputs, targets)
        forms: dict[str, dict[str, Form]] = {}

        def sink(name: str, form: Form) -> None:
            layer, _, parameter = name.rpartition(".")
            forms.setdefault(layer, {})[parameter] = form

        capture.prepare(batch, check)
        losses = capture.run(batch.whole, sink)
        parts = _matrices(forms, batch, layers)
    first, *others = parts.values()
    whole = sum(others, first)
    refuse_nonfinite(losses, whole.diagonal(dim1=1, dim2=2).unsqueeze(1), batch.replicas)
    squeeze = (lambda matrix: matrix) if batch.replicas else (lambda matrix: matrix[0])
    return Gram(squeeze(whole), {name: squeeze(matrix) for name, matrix in parts.items()} if layers else {})


def _matrices(forms: dict[str, dict[str, Form]], batch: Batch, layers: bool) -> dict[str, Tensor]:
    """The matrix [R, m, m] of every layer, or of all under the name ""."""
    parts: dict[str, Tensor] = {}
    for layer, own in forms.items():
        key = layer if layers else ""
        sides = {side.start: {name: form[:, side] for name, form in own.items()} for side in _sides(batch.m)}
        for rows, columns in _upper_blocks(batch.m):
            block = _block(sides[rows.start], sides[columns.start])
            if rows == columns:  # a library may form the two halves in different orders of sums
                block = block.triu() + block.triu(1).mT
            if key not in parts:
                parts[key], first = block.new_empty(batch.replicas or 1, batch.m, batch.m), layer
            place = parts[key][:, rows, columns]
            place.copy_(block) if layer == first else place.add_(block)
    for matrix in parts.values():
        for rows, columns in _upper_blocks(batch.m):
            if rows != columns:
                matrix[:, columns, rows] = matrix[:, rows, columns].mT
    return parts


def _sides(m: int) -> list[slice]:
    return [slice(start, min(start + _SIDE, m)) for start in range(0, m, _SIDE)]


def _upper_blocks(m: int) -> Iterator[tuple[slice, slice]]:
    sides = _sides(m)
    return ((rows, columns) for i, rows in enumerate(sides) for columns in sides[i:])


def _block(rows: dict[str, Form], columns: dict[str, Form]) -> Tensor:
    """One block of a layer's matrix; weight and bias of a dense layer share the products of output gradients."""
    weight, bias = rows.get("weight"), rows.get("bias")
    paired = isinstance(weight, Outer) and isinstance(bias, Explicit) and weight.shares(bias)
    blocks = [form.gram(columns[name]) for name, form in rows.items() if not (paired and name in ("weight", "bias"))]
    return sum(blocks, weight.gram(columns["weight"], bias=True) if paired else 0)
