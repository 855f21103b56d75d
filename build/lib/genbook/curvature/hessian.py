"""The Hessian of every replica's loss as a linear operator."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from genbook.gradients import Refused
from genbook.gradients.arguments import Arguments, Inputs
from genbook.gradients.batch import picked
from genbook.gradients.culprits import Generators, refuse_draws
from genbook.gradients.losses import option
from genbook.gradients.places import close
from genbook.models import StackedLayer, replicas_of

Loss = Callable[[Tensor, Tensor], Tensor]


class Hessian:
    """The Hessian of each replica's loss with respect to its trained parameters, as a linear operator.

    By double backpropagation (Pearlmutter, 1994): the gradient's graph is built once, and each product is one backward
    pass through it. Model, gradients and buffers are left as they are; later changes of the model are not seen.

    That of a plain module is one for SciPy too, by `shape`, `dtype` and `matvec`:

        >>> from scipy.sparse.linalg import eigsh
        >>> model, inputs, targets = nn.Linear(20, 10), torch.randn(64, 20), torch.randint(10, (64,))
        >>> hessian = Hessian(model, nn.CrossEntropyLoss(), inputs, targets)
        >>> eigsh(hessian, k=3, return_eigenvectors=False).shape
        (3,)

    Attributes:
        replicas: R, 1 for a plain module.
        size: P, the number of trained parameters of one replica.
        point: [R, P], the parameters, in the order of ``named_parameters()``; the layout of every vector.
    """

    def __init__(
        self, model: nn.Module, loss: Loss, inputs: Inputs, targets: Tensor, batch_size: int | None = None
    ) -> None:
        """Hold the Hessian of ``loss(model(inputs), targets)``.

        Args:
            model: a module, or a stack of R replicas. In training mode BatchNorm uses the batch's own statistics.
            loss: from outputs [B, ...] and targets [B, ...] of one replica to a scalar.
            inputs: [B, ...]; for a stack [R, B, ...] (one set for all: ``inputs.expand(R, *inputs.shape)``). A tuple
                holds several arguments of the model, a mapping keyword arguments, as for `genbook.gradients.coherence`.
            targets: [B, ...]; for a stack [R, B, ...].
            batch_size: where the graph of all examples does not fit into memory, the number of examples of one pass;
                every product then recomputes the gradient. Batches are weighted as the loss weights them: by their
                numbers of examples, by those that `ignore_index` leaves with their class weights, or not, in a sum.

        Raises:
            TypeError: a model that is no module, inputs or targets that are no tensors.
            ValueError: nothing to train, inputs and targets that do not fit the stack, or a loss that is no scalar.
            Refused: a ValueError, for random draws, and for batches whose losses do not add up to that of all examples.
        """
        if not isinstance(model, nn.Module):
            raise TypeError(f"model is {type(model).__name__}; it must be a torch.nn.Module")
        if isinstance(model, nn.DataParallel | torch.jit.ScriptModule):
            raise Refused(f"model is a {type(model).__name__}, which takes no other parameters; give the module in it")
        arguments = Arguments(inputs)
        if not isinstance(targets, Tensor):
            raise TypeError(f"targets is {type(targets).__name__}; it must be a tensor")
        self.model, self.loss = model, loss
        self.stacked = any(isinstance(module, StackedLayer) for module in model.modules())
        self.replicas = replicas_of(model) if self.stacked else 1
        trained = {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}
        if not trained:
            raise ValueError("the model has no trained parameter, so its loss has no Hessian")
        self.shapes = {name: p.shape for name, p in trained.items()}
        self.point = torch.cat([p.reshape(self.replicas, -1) for p in trained.values()], 1)
        self.size = self.point.shape[1]
        self.batches = self._split(arguments, targets, batch_size)
        self._graph = self._gradient(*self.batches[0]) if len(self.batches) == 1 else None
        self._weights = [] if self._graph else self._weighted(arguments, targets)

    def along_gradient(self) -> Tensor:
        """Return each replica's curvature along its own gradient g, gᵀHg / gᵀg, [R]; NaN where g is zero.

        Raises:
            ValueError: a Hessian in batches, which keeps no gradient.
        """
        if self._graph is None:
            raise ValueError("a Hessian with a batch_size keeps no gradient; leave batch_size away")
        gradient = self._graph[1].detach()
        return torch.linalg.vecdot(gradient, self @ gradient) / torch.linalg.vecdot(gradient, gradient)

    def __matmul__(self, vectors: Tensor) -> Tensor:
        """Return H v of each replica for vectors [R, P] or [R, b, P], in the same shape."""
        if vectors.dim() == 3:
            return torch.stack([self @ vector for vector in vectors.unbind(1)], 1)
        if vectors.shape != self.point.shape:
            raise ValueError(f"vectors have shape {tuple(vectors.shape)}; they need {tuple(self.point.shape)}")
        if self._graph is not None:
            return _product(*self._graph, vectors, retain_graph=True)
        product = torch.zeros_like(vectors)
        for batch, weights in zip(self.batches, self._weights, strict=True):
            weights = weights.unsqueeze(1)  # zero where nothing counts, and the mean over nothing is NaN
            product += (weights * _product(*self._gradient(*batch), vectors)).where(weights != 0, 0)
        return product

    @property
    def shape(self) -> tuple[int, int]:
        """(P, P), for SciPy; raises `ValueError` for a stack, whose Hessians are no one matrix."""
        if self.stacked:
            raise ValueError(
                f"a stack of {self.replicas} replicas has {self.replicas} Hessians, no matrix of one shape; take "
                "`top_eigenpairs`, or the Hessian of `genbook.models.unstack(model, replica)` on its examples"
            )
        return self.size, self.size

    @property
    def dtype(self) -> np.dtype:
        """The type of what `matvec` returns: that of the parameters, float32 for halves."""
        return np.dtype(np.float64 if self.point.dtype == torch.float64 else np.float32)

    def matvec(self, vector: np.ndarray) -> np.ndarray:
        """Return H v of a plain module for a vector [P] or column [P, 1], in the same shape, for SciPy."""
        if np.size(vector) != self.shape[1]:
            raise ValueError(f"the vector has shape {np.shape(vector)}; it needs ({self.size},) or ({self.size}, 1)")
        flat = torch.from_numpy(np.array(vector, self.dtype).reshape(1, -1))
        product = (self @ flat.to(self.point)).to("cpu", torch.float64).numpy()
        return product.astype(self.dtype).reshape(np.shape(vector))

    #: A Hessian is symmetric.
    rmatvec = matvec

    def dense(self) -> Tensor:
        """Return the matrices, [R, P, P], by P products."""
        identity = torch.eye(self.size, dtype=self.point.dtype, device=self.point.device)
        columns = [self @ row.expand_as(self.point) for row in identity]
        matrix = torch.stack(columns, 2)
        return (matrix + matrix.mT) / 2

    def _split(self, inputs: Arguments, targets: Tensor, batch_size: int | None) -> list[tuple[Arguments, Tensor]]:
        axis = int(self.stacked)
        lead = targets.shape[: axis + 1]
        alike = all(tensor.shape[: axis + 1] == lead for tensor in inputs.tensors.values())
        if not alike or (self.stacked and len(targets) != self.replicas):
            wanted = f"[{self.replicas}, B, ...]" if self.stacked else "[B, ...]"
            raise ValueError(
                f"{inputs} and targets {tuple(targets.shape)} do not fit the model; both need to be {wanted}"
            )
        if batch_size is None:
            return [(inputs, targets)]
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}; a pass needs at least one example")
        starts = range(0, lead[axis], batch_size)
        return [_cut(inputs, targets, axis, start, min(batch_size, lead[axis] - start)) for start in starts]

    def _gradient(self, inputs: Arguments, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return the parameters [R, P] as a leaf, and the gradient [R, P] with its graph."""
        with torch.enable_grad():
            leaf = self.point.clone().requires_grad_()
            pieces = leaf.split([shape.numel() // self.replicas for shape in self.shapes.values()], 1)
            values = {
                name: piece.reshape(shape) for (name, shape), piece in zip(self.shapes.items(), pieces, strict=True)
            }
            summed = functools.reduce(torch.add, self._losses(values, inputs, targets))
            (gradient,) = torch.autograd.grad(summed, leaf, create_graph=True)
        return leaf, gradient

    def _losses(self, values: Mapping[str, Tensor], inputs: Arguments, targets: Tensor) -> list[Tensor]:
        """Each replica's loss at some parameters."""
        generators = Generators(inputs.device)
        losses = self._reduced(self._outputs(values, inputs), targets)
        refuse_draws(self.model, inputs, generators, "a Hessian is of one network")
        return losses

    def _outputs(self, values: Mapping[str, Tensor], inputs: Arguments) -> Tensor:
        # Copies, so that running statistics stay as they are.
        buffers = {name: buffer.clone() for name, buffer in self.model.named_buffers()}
        with sdpa_kernel(SDPBackend.MATH):  # the one kernel for attention with a second derivative
            called = functools.partial(_called, self.model, {**values, **buffers})
            return inputs(called)

    def _reduced(self, outputs: Tensor, targets: Tensor) -> list[Tensor]:
        pairs = zip(outputs, targets, strict=True) if self.stacked else [(outputs, targets)]
        losses = [self.loss(*pair) for pair in pairs]
        if losses[0].dim() > 0:
            raise ValueError(f"the loss of one replica has to be a scalar, got shape {tuple(losses[0].shape)}")
        return losses

    @torch.no_grad()
    def _weighted(self, inputs: Arguments, targets: Tensor) -> list[Tensor]:
        """What the loss of each batch counts for in that of all examples, [R] each."""
        axis = int(self.stacked)
        outputs = [self._outputs({}, batch) for batch, _ in self.batches]
        self._refuse_mixing(inputs, torch.cat(outputs, axis))
        of_all = torch.stack(self._reduced(torch.cat(outputs, axis), targets))
        parts = [
            torch.stack(self._reduced(o, t)).nan_to_num(0) for o, (_, t) in zip(outputs, self.batches, strict=True)
        ]
        masses = [_mass(self.loss, wanted, axis) for _, wanted in self.batches]
        mean = [(mass / sum(masses)).to(self.point) for mass in masses]
        for weights in (mean, [torch.ones_like(weight) for weight in mean]):
            weighted = [weight * part for weight, part in zip(weights, parts, strict=True)]
            if close(of_all, functools.reduce(torch.add, weighted)):
                return weights
        raise Refused(
            "the losses of the batches do not add up to the loss of all examples, which is no mean or sum over "
            "examples; leave batch_size away"
        )

    def _refuse_mixing(self, inputs: Arguments, outputs: Tensor) -> None:
        """Refuse a model whose outputs for some examples, one of every batch, are others among each other."""
        axis = int(self.stacked)
        size = self.batches[0][1].shape[axis]
        some = list(range(0, outputs.shape[axis], size))
        few, expected = picked(inputs, outputs, some, axis)
        if not close(self._outputs({}, few), expected):
            raise Refused(
                "model gives an example another output in another batch, as BatchNorm does in training mode, so that "
                "batches have no common Hessian; leave batch_size away"
            )


def _cut(inputs: Arguments, targets: Tensor, axis: int, start: int, length: int) -> tuple[Arguments, Tensor]:
    return inputs.each(lambda tensor: tensor.narrow(axis, start, length)), targets.narrow(axis, start, length)


def _called(model: nn.Module, values: dict[str, Tensor], *arguments: Any, **keywords: Any) -> Any:
    return torch.func.functional_call(model, values, arguments, keywords)


def _mass(loss: Loss, targets: Tensor, axis: int) -> Tensor:
    """What a batch of targets counts for in a mean, [R] float64: entries with class weights, less those ignored."""
    weight: Any = option(loss, "weight")
    ignored: Any = option(loss, "ignore_index")
    if targets.is_floating_point() or ignored is None:
        entries = torch.ones(targets.shape, dtype=torch.float64, device=targets.device)
    else:
        counts: Tensor = torch.ne(targets, ignored)
        entries = counts.double() if weight is None else counts * weight.double()[targets * counts]
    return entries.flatten(axis).sum(axis).reshape(targets.shape[:axis] or 1)


def _product(leaf: Tensor, gradient: Tensor, vectors: Tensor, retain_graph: bool = False) -> Tensor:
    if not gradient.requires_grad:  # a loss that is linear in the parameters
        return torch.zeros_like(vectors)
    try:
        return torch.autograd.grad(gradient, leaf, vectors, retain_graph=retain_graph, materialize_grads=True)[0]
    except NotImplementedError as error:
        raise Refused(f"PyTorch has no second derivative of a part of the model: {error}") from error
