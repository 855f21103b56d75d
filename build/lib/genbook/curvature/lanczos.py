"""Block Lanczos iteration on the Hessians of R replicas at once."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from genbook.base.seeding import generator
from genbook.curvature.hessian import Hessian


@dataclass(frozen=True, eq=False)
class Eigenpairs:
    """The largest eigenvalues of each replica's Hessian, largest first.

    Attributes:
        values: [R, k] float64; NaN where a replica's Hessian is not finite.
        vectors: [R, k, P], of unit length.
        residuals: [R, k] float64, ‖H v − λ v‖: an eigenvalue lies within this distance of each value.
        iterations: [R], how many products with a block of k vectors each replica took.
    """

    values: Tensor
    vectors: Tensor
    residuals: Tensor
    iterations: Tensor


def block_lanczos(
    hessian: Hessian, width: int, start: Tensor | None, seed: int, tolerance: float, max_iterations: int
) -> Eigenpairs:
    """Return the ``width`` largest eigenvalues, from Krylov subspaces of blocks of as many vectors.

    The iteration is that of Golub and Van Loan (2013, chapter 10.3), with full reorthogonalisation; the arguments are
    those of `top_eigenpairs`.
    """
    krylov = _Krylov(hessian, width, start, seed)
    replicas = hessian.replicas
    projection = torch.zeros(replicas, 0, 0, dtype=torch.float64)
    values, residuals = (torch.full((replicas, width), math.nan, dtype=torch.float64) for _ in range(2))
    weights = torch.zeros(replicas, max_iterations * width, width, dtype=torch.float64)
    iterations = torch.zeros(replicas, dtype=torch.long)
    running = torch.ones(replicas, dtype=torch.bool)
    for iteration in range(1, max_iterations + 1):
        coefficients, left = krylov.grow()
        projection = nn.functional.pad(projection, (0, width, 0, width))
        projection[:, :, -width:] = coefficients
        running &= ~krylov.broken.cpu()
        # What lies below the diagonal is not computed: it mirrors what lies above.
        ritz_values, ritz_vectors = torch.linalg.eigh(projection, UPLO="U")
        top = ritz_vectors[:, :, -width:].flip(2)
        # A Ritz vector's residual is what its weight in the last block leaves outside of the subspace.
        remains = torch.linalg.vector_norm(left @ top[:, -width:], dim=1)
        values[running] = ritz_values[:, -width:].flip(1)[running]
        residuals[running] = remains[running]
        weights[running, : top.shape[1]] = top[running]
        iterations[running] = iteration
        running &= ~(remains <= tolerance * ritz_values.abs().amax(1, keepdim=True)).all(1)
        if not running.any():
            break
    broken = krylov.broken.cpu()
    values[broken], residuals[broken] = math.nan, math.nan
    device = hessian.point.device
    return Eigenpairs(values.to(device), krylov.combine(weights), residuals.to(device), iterations.to(device))


class _Krylov:
    """An orthonormal basis of each replica's Krylov subspace, in blocks [R, width, P] of row vectors."""

    def __init__(self, hessian: Hessian, width: int, start: Tensor | None, seed: int) -> None:
        self.hessian, self.width, self.seed = hessian, width, seed
        self.broken = torch.zeros(hessian.replicas, dtype=torch.bool, device=hessian.point.device)
        self.blocks: list[Tensor] = []
        first = torch.stack([self._random(i) for i in range(width)], 1)
        if start is not None:
            # Mostly new all the same: with more weight on the old vectors, an eigenvalue that has just overtaken them
            # was missed by up to 3 % at the edge of stability, where the largest ones cross.
            first = first + 0.1 * nn.functional.normalize(start.to(first), dim=2)
        self._append(first)

    def grow(self) -> tuple[Tensor, Tensor]:
        """Multiply the last block with the Hessian and append what is new in it, as a block.

        Returns, in float64 on the CPU, the products' coefficients in the basis before, [R, all, width], and those of
        what is new, [R, width, width].
        """
        products = self.hessian @ self.blocks[-1]
        # A replica that has diverged takes part with zeros, so that the others can go on.
        self.broken |= ~products.isfinite().flatten(1).all(1)
        products = products.masked_fill(self.broken[:, None, None], 0)
        lengths = torch.linalg.vector_norm(products, dim=2)
        coefficients: Tensor | None = None
        for _ in range(2):  # Once leaves what rounding left of the large coefficients.
            found = torch.cat([block @ products.mT for block in self.blocks], 1)
            products = products - self._combination(found)
            coefficients = found if coefficients is None else coefficients + found
        assert coefficients is not None
        self._append(products, 100 * torch.finfo(products.dtype).eps * lengths)
        new = self.blocks[-1] @ products.mT
        return coefficients.to("cpu", torch.float64), new.to("cpu", torch.float64)

    def combine(self, weights: Tensor) -> Tensor:
        """Return the vectors [R, width, P] with the given weights [R, all or more, width] in the basis."""
        return self._combination(weights[:, : len(self.blocks) * self.width].to(self.blocks[0]))

    def _combination(self, weights: Tensor) -> Tensor:
        parts = weights.split(self.width, 1)
        return sum(part.mT @ block for part, block in zip(parts, self.blocks, strict=False))

    def _append(self, rows: Tensor, smallest: Tensor | None = None) -> None:
        """Append an orthonormal basis of the rows; a row with at most ``smallest`` [R, width] left is drawn anew."""
        done: list[Tensor] = []
        for i, row in enumerate(rows.unbind(1)):
            row = _orthogonalised(row, done)
            if smallest is not None:
                # The Krylov subspace is exhausted in this direction: it goes on in one that it did not contain.
                lost = torch.linalg.vector_norm(row, dim=1) <= smallest[:, i]
                if lost.any():
                    row = torch.where(lost[:, None], self._unseen(i, done), row)
            done.append(nn.functional.normalize(row, dim=1))
        self.blocks.append(torch.stack(done, 1))

    def _unseen(self, i: int, done: list[Tensor]) -> Tensor:
        basis = [vector for block in self.blocks for vector in block.unbind(1)]
        return _orthogonalised(self._random(i), [*basis, *done])

    def _random(self, i: int) -> Tensor:
        """Return the i-th random vector of the present block, the same for all replicas, [R, P]."""
        stream = generator(self.seed, f"Krylov block {len(self.blocks)}, vector {i}")
        drawn = torch.from_numpy(stream.standard_normal(self.hessian.size)).to(self.hessian.point)
        return nn.functional.normalize(drawn, dim=0).expand_as(self.hessian.point)


def _orthogonalised(row: Tensor, directions: list[Tensor]) -> Tensor:
    """Return the row [R, P] without its parts along orthonormal directions, by Gram–Schmidt done twice."""
    for direction in [*directions, *directions]:
        row = row - (row * direction).sum(1, keepdim=True) * direction
    return row
