"""What is read off a Hessian: its largest eigenvalues, its trace, all of its spectrum."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from genbook.base.seeding import generator
from genbook.curvature.hessian import Hessian, Loss
from genbook.curvature.lanczos import Eigenpairs, block_lanczos
from genbook.gradients.arguments import Inputs

_DENSE_SIZE = 32  # Below it the dense Hessian costs no more products than an iteration.
_SPECTRUM_SIZE = 5000


@torch.no_grad()
def top_eigenpairs(
    hessian: Hessian,
    k: int = 1,
    *,
    tolerance: float = 1e-4,
    max_iterations: int = 100,
    start: Tensor | None = None,
    seed: int = 0,
) -> Eigenpairs:
    """Return the k algebraically largest eigenvalues of each replica's Hessian, by block Lanczos iteration.

    Krylov subspaces of blocks of k vectors with full reorthogonalisation (Golub and Van Loan, 2013, chapter 10.3), so
    that an eigenvalue is found as often as it occurs, up to k times. The first block is the same for all replicas and
    each stops for itself, so that a replica's values do not depend on its company. Keeps k · iterations vectors a
    replica in memory.

    Args:
        hessian: of R replicas.
        k: how many.
        tolerance: a replica stops when all k residuals are below this fraction of its largest |eigenvalue|; the error
            of an isolated eigenvalue is of the order of its square.
        max_iterations: products with a block after which the present values are returned, residuals and all.
        start: [R, k, P], vectors near the eigenvectors looked for (those of an earlier step); a tenth of the first
            block, so that an eigenvalue that has overtaken is not missed. It saves about one iteration in ten.
        seed: of the random first block.

    Raises:
        ValueError: k or max_iterations out of bounds, or a start of another shape.
    """
    if not 1 <= k <= hessian.size:
        raise ValueError(f"k is {k}; a Hessian of {hessian.size} parameters has 1 to {hessian.size} eigenvalues")
    if max_iterations < 1 or not tolerance > 0:
        raise ValueError(f"max_iterations {max_iterations} and tolerance {tolerance} have to be positive")
    if start is not None and start.shape != (hessian.replicas, k, hessian.size):
        raise ValueError(f"start has shape {tuple(start.shape)}; it needs {(hessian.replicas, k, hessian.size)}")
    if hessian.size <= max(_DENSE_SIZE, 3 * k):
        return _dense_eigenpairs(hessian, k)
    return block_lanczos(hessian, k, start, seed, tolerance, min(max_iterations, hessian.size // k))


def batch_sharpness(model: nn.Module, loss: Loss, inputs: Tensor, targets: Tensor, batches: Tensor) -> Tensor:
    """Return the mean over batches of each batch's curvature along its own gradient, gᵀHg / gᵀg, [R].

    What steps on such batches keep at 2 / learning rate (Andreyev and Beneventano, 2024); with one batch of all
    examples, the curvature along the gradient. Exact: a Hessian-vector product a batch.

    Args:
        model: a module, or a stack of R replicas.
        loss: from outputs [b, ...] and targets [b, ...] of one replica to a scalar.
        inputs: [n, ...]; for a stack [R, n, ...].
        targets: [n, ...]; for a stack [R, n, ...].
        batches: places of the examples of K batches, [K, b]; for a stack [R, K, b].
    """
    stacked = batches.dim() == 3  # each replica has batches of its own

    def of(examples: Tensor, batch: Tensor) -> Tensor:
        return (
            torch.stack([own[places] for own, places in zip(examples, batch, strict=True)])
            if stacked
            else examples[batch]
        )

    found = [
        Hessian(model, loss, of(inputs, batch), of(targets, batch)).along_gradient() for batch in batches.unbind(-2)
    ]
    return torch.stack(found).mean(0)


def sharpness(
    model: nn.Module, loss: Loss, inputs: Inputs, targets: Tensor, *, batch_size: int | None = None, **options
) -> Tensor:
    """Return the largest eigenvalue of each replica's Hessian, [R] float64, the sharpness of Cohen et al. (2021).

    Args:
        model: as in `Hessian`.
        loss: as in `Hessian`.
        inputs: as in `Hessian`.
        targets: as in `Hessian`.
        batch_size: as in `Hessian`.
        options: tolerance, max_iterations, start and seed of `top_eigenpairs`.
    """
    return top_eigenpairs(Hessian(model, loss, inputs, targets, batch_size), **options).values[:, 0]


@dataclass(frozen=True, eq=False)
class TraceEstimate:
    """The trace of each replica's Hessian [R] float64, and the standard error [R] of the estimate."""

    values: Tensor
    standard_errors: Tensor


@torch.no_grad()
def hutchinson_trace(hessian: Hessian, samples: int = 100, *, seed: int = 0) -> TraceEstimate:
    """Estimate the trace of each replica's Hessian by Hutchinson's estimator (1990): the mean of v·Hv over signs v.

    The random signs are the same for all replicas. With at least as many samples as parameters the trace is computed
    from the P unit vectors instead, exactly, and its standard error is 0.

    Args:
        hessian: of R replicas.
        samples: number of products, at least 2.
        seed: of the random signs.
    """
    if samples < 2:
        raise ValueError(f"samples is {samples}; a standard error needs at least 2")
    if samples >= hessian.size:
        values = hessian.dense().diagonal(dim1=1, dim2=2).sum(1, dtype=torch.float64)
        return TraceEstimate(values, torch.zeros_like(values))
    signs = generator(seed, "Hutchinson's signs")
    forms = []
    for _ in range(samples):
        vector = torch.from_numpy(2.0 * signs.integers(0, 2, hessian.size) - 1).to(hessian.point)
        forms.append((hessian @ vector.expand_as(hessian.point)).mul_(vector).sum(1, dtype=torch.float64))
    draws = torch.stack(forms, 1)
    return TraceEstimate(draws.mean(1), draws.std(1) / math.sqrt(samples))


def spectrum(hessian: Hessian) -> Tensor:
    """Return all eigenvalues of each replica's Hessian, [R, P] float64, largest first, from the dense matrix.

    Raises:
        ValueError: more than 5,000 parameters; `top_eigenpairs` and `hutchinson_trace` go further.
    """
    if hessian.size > _SPECTRUM_SIZE:
        raise ValueError(
            f"a full spectrum needs at most {_SPECTRUM_SIZE} parameters, the model has {hessian.size}; "
            "take top_eigenpairs or hutchinson_trace"
        )
    return _dense_eigenpairs(hessian, hessian.size, vectors=False).values


@torch.no_grad()
def _dense_eigenpairs(hessian: Hessian, k: int, vectors: bool = True) -> Eigenpairs:
    matrix = hessian.dense().to(torch.float64)
    broken = ~matrix.isfinite().flatten(1).all(1)
    matrix[broken] = 0
    if vectors:
        values, columns = torch.linalg.eigh(matrix)
        rows = columns.mT.flip(1)[:, :k].to(hessian.point.dtype)
    else:
        values, rows = torch.linalg.eigvalsh(matrix), matrix.new_empty(hessian.replicas, k, 0)
    values = values.flip(1)[:, :k].clone()
    values[broken] = math.nan
    iterations = torch.full((hessian.replicas,), -(-hessian.size // k), device=values.device)
    return Eigenpairs(values, rows, torch.zeros_like(values), iterations)
