"""The Hessian and the Gauss-Newton matrix of batches at one network's weights, and its training from there."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from genbook.base.seeding import generator
from genbook.curvature import Hessian, top_eigenpairs
from genbook.experiments.run import Drawn
from genbook.models import stack
from genbook.studies.batches.batch_learning_rates.spec import BatchLearningRatesSpec
from genbook.training import train

COLUMNS = ["seed", "run", "batch size", "learning rate", "quantity", "value"]
_LOSS = nn.CrossEntropyLoss()


def run(spec: BatchLearningRatesSpec, seeds: Sequence[int], device: str) -> pd.DataFrame:
    """Measure the curvature of every seed, train on at all rates, and return the tidy table (see the columns)."""
    drawn = Drawn()
    begun = train([drawn.replica(spec.begun(), seed) for seed in seeds], device=device)
    rows: list[tuple[object, ...]] = []
    for place, seed in enumerate(seeds):
        if begun.endings["diverged"][place]:
            continue
        examples = begun.replicas[place].data["train"]
        curved = Curved(begun.model(place).to(device), examples.inputs.to(device), examples.labels.to(device))
        for size, measured in curvature(curved, spec, seed).items():
            rows += [(seed, "curvature", size, 0.0, quantity, value) for quantity, value in measured.items()]
    rates = spec.rates().run(seeds, device)
    return pd.concat([pd.DataFrame(rows, columns=COLUMNS), rates[COLUMNS]], ignore_index=True)


class Curved:
    """A network with its training set: the matrices of the loss of some of its examples."""

    def __init__(self, model: nn.Module, inputs: Tensor, labels: Tensor) -> None:
        """Keep the square root of each example's Gauss-Newton matrix, [n, outputs, P]."""
        self.model, self.inputs, self.labels = model, inputs, labels
        self.roots, self.gradients = gauss_newton_roots(model, inputs, labels)

    def hessian(self, batches: Tensor, sign: float = 1.0) -> Hessian:
        """The Hessians of the mean losses of batches, [K, b] places of examples; of sign -1: of minus these losses."""
        models = stack([copy.deepcopy(self.model) for _ in batches])
        return Hessian(models, lambda out, given: sign * _LOSS(out, given), self.inputs[batches], self.labels[batches])

    def largest(self, batches: Tensor) -> Tensor:
        """The largest eigenvalue of each of these Hessians, [K]."""
        return top_eigenpairs(self.hessian(batches), tolerance=1e-2).values[:, 0]

    def smallest(self, batches: Tensor) -> Tensor:
        """The smallest eigenvalue of each of these Hessians, [K]; the largest is far larger, so it is asked closely."""
        return -top_eigenpairs(self.hessian(batches, -1.0), tolerance=1e-3).values[:, 0]

    def gauss_newton(self, batch: Tensor) -> float:
        """The largest eigenvalue of the Gauss-Newton matrix of a batch, [b] places of examples."""
        root = self.roots[batch].flatten(0, 1) / len(batch) ** 0.5
        matrix = root @ root.T if root.shape[0] < root.shape[1] else root.T @ root
        return float(torch.linalg.eigvalsh(matrix)[-1])

    def noise_scale(self) -> float:
        """tr Σ / ‖g‖² of the per-example gradients: the batch size with which noise and mean weigh alike."""
        gradients = self.gradients.double()
        mean = gradients.mean(0).square().sum()
        return float(gradients.square().sum(1).mean() / mean - 1)


def gauss_newton_roots(model: nn.Module, inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Matrices R_i [n, outputs, P] with R_iᵀR_i the Gauss-Newton matrix of example i's cross-entropy; its gradient.

    With J_i the derivatives of the outputs and p_i the probabilities, that is J_iᵀ (diag p_i - p_i p_iᵀ) J_i.
    """
    # a replica of the network for each example: one backward pass an output gives the derivatives of all of them
    models = stack([copy.deepcopy(model) for _ in inputs])
    outputs, trained = models(inputs[:, None])[:, 0], list(models.parameters())
    passes = [torch.autograd.grad(output.sum(), trained, retain_graph=True) for output in outputs.unbind(1)]
    jacobians = torch.stack([torch.cat([part.flatten(1) for part in one], 1) for one in passes], 1)
    with torch.no_grad():
        p = model(inputs).softmax(1)
        # √(diag p - ppᵀ) = √p (I - √p √pᵀ) up to a rotation on the left
        root = p.sqrt()
        turned = root[:, :, None] * jacobians
        roots = turned - root[:, :, None] * (root[:, :, None] * turned).sum(1, keepdim=True)
        residuals = p - nn.functional.one_hot(labels, p.shape[1])
        gradients = torch.einsum("nc,ncp->np", residuals, jacobians)
    return roots, gradients


def curvature(curved: Curved, spec: BatchLearningRatesSpec, seed: int) -> dict[int, dict[str, float]]:
    """What is measured of the batches of each size, and of the whole set: means over the batches."""
    n = spec.n_train
    draw = generator(seed, "batches whose curvature is measured")
    everyone = torch.arange(n)
    whole = curved.hessian(everyone[None])
    top = top_eigenpairs(whole, tolerance=1e-3)
    with torch.no_grad():
        loss = float(_LOSS(curved.model(curved.inputs), curved.labels))
    found = {
        n: {
            "largest eigenvalue": float(top.values[0, 0]),
            "smallest eigenvalue": float(curved.smallest(everyone[None])[0]),
            "largest Gauss-Newton eigenvalue": curved.gauss_newton(everyone),
            "gradient noise scale": curved.noise_scale(),
            "train loss": loss,
        }
    }
    direction = top.vectors[0, 0]
    if spec.along == "random":
        drawn = generator(seed, "a random direction").standard_normal(whole.size)
        direction = nn.functional.normalize(torch.from_numpy(drawn).to(direction), dim=0)
    for size in spec.sizes:
        picked = np.stack([draw.permutation(n)[:size] for _ in range(spec.draws)])[:, : spec.distinct(size)]
        batches = torch.from_numpy(picked)
        hessian = curved.hessian(batches)

        def noise(vectors: Tensor, hessian: Hessian = hessian) -> Tensor:
            """(H_B - H) times a vector for each batch, [K, P]."""
            return hessian @ vectors - torch.cat([whole @ vector[None] for vector in vectors])

        along = noise(direction.expand(spec.draws, -1))
        signs = torch.from_numpy(2.0 * draw.integers(0, 2, (spec.draws, whole.size)) - 1).to(along)
        found[size] = {
            "largest eigenvalue": float(curved.largest(batches).mean()),
            "smallest eigenvalue": float(curved.smallest(batches).mean()),
            "largest Gauss-Newton eigenvalue": float(np.mean([curved.gauss_newton(batch) for batch in batches])),
            # what leads out of the direction: the rest moves the eigenvalue both ways alike
            "noise along": float((along.square().sum(1) - (along @ direction).square()).mean()),
            "noise on average": float(noise(signs).square().sum(1).mean() / whole.size),
        }
    return found
