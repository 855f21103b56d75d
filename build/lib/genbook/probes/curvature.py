"""Curvature of the training loss: sharpness and trace of the Hessian."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from genbook.base.seeding import generator
from genbook.curvature import Hessian, batch_sharpness, hutchinson_trace, top_eigenpairs
from genbook.probes.probe import Measurement, Probe

if TYPE_CHECKING:
    from genbook.training.view import View


@dataclass(frozen=True)
class _OfHessian(Probe):
    on: str = "train"
    labels: str = "given"
    examples: int | None = None

    def _hessian(self, view: View) -> Hessian:
        inputs = view.sets.inputs(self.on)[:, : self.examples]
        targets = view.sets.targets(self.on, self.labels)[:, : self.examples]
        return Hessian(view.model, view.loss.module(), inputs, targets)


@dataclass(frozen=True)
class Sharpness(_OfHessian):
    """The largest eigenvalues of the Hessian of the mean loss (Cohen et al., 2021); quantity "sharpness".

    With `eigenvalues` above 1 also the next ones, as "eigenvalue 2" and so on. By block Lanczos iteration to the
    relative `tolerance`, on the first `examples` of the set `on`, or on all.
    """

    eigenvalues: int = 1
    tolerance: float = 1e-3
    max_iterations: int = 100

    def measure(self, view: View) -> Iterable[Measurement]:
        """Some tens of Hessian-vector products."""
        pairs = top_eigenpairs(
            self._hessian(view), self.eigenvalues, tolerance=self.tolerance, max_iterations=self.max_iterations
        )
        for place in range(self.eigenvalues):
            name = "sharpness" if place == 0 else f"eigenvalue {place + 1}"
            yield Measurement(name, pairs.values[:, place], self.on, self.labels, "all", "all")


@dataclass(frozen=True)
class HessianTrace(_OfHessian):
    """The trace by Hutchinson's estimator (1990); quantities "Hessian trace" and "Hessian trace standard error"."""

    samples: int = 100

    def measure(self, view: View) -> Iterable[Measurement]:
        """`samples` Hessian-vector products."""
        estimate = hutchinson_trace(self._hessian(view), self.samples)
        yield Measurement("Hessian trace", estimate.values, self.on, self.labels, "all", "all")
        yield Measurement("Hessian trace standard error", estimate.standard_errors, self.on, self.labels, "all", "all")


@dataclass(frozen=True)
class BatchSharpness(Probe):
    """Mean curvature of batches along their own gradients (Andreyev and Beneventano, 2024); "batch sharpness".

    Over the batches of one pass through the training set, in an order of its own: without the few examples that are
    left over, and for single examples and for the whole set over all there are. The batches are as large as those that
    the replicas are trained on.
    """

    def measure(self, view: View) -> Iterable[Measurement]:
        """A Hessian-vector product a batch."""
        inputs, targets = view.sets.inputs("train"), view.sets.targets("train")
        examples = targets.shape[1]
        values = torch.full((len(view.replicas),), torch.nan, dtype=torch.float64)
        sizes = [replica.recipe.batch_size or examples for replica in view.replicas]
        for size in dict.fromkeys(sizes):
            places = [place for place, own in enumerate(sizes) if own == size]
            orders = [generator(view.replicas[place].seed, "batch sharpness").permutation(examples) for place in places]
            kept = examples // size * size
            batches = torch.tensor([order[:kept].reshape(-1, size).tolist() for order in orders], device=inputs.device)
            part = view.substack(places)
            loss = view.loss.module()
            values[places] = batch_sharpness(part.model, loss, inputs[places], targets[places], batches).double().cpu()
        yield Measurement("batch sharpness", values, "train", "given", "all", "all")
