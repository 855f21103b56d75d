"""The Hessian of every replica's loss as a linear operator."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from genbook.models import StackedLayer, replicas_of

Loss = Callable[[Tensor, Tensor], Tensor]


class Hessian:
    """The Hessian of each replica's loss with respect to its trained parameters, as a linear operator.

    By double backpropagation (Pearlmutter, 1994): the gradient's graph is built once, and each product is one backward
    pass through it. Model, gradients and buffers are left as they are; later changes of the model are not seen.

    Attributes:
        replicas: R, 1 for a plain module.
        size: P, the number of trained parameters of one replica.
        point: [R, P], the parameters, in the order of ``named_parameters()``; the layout of every vector.
    """

    def __init__(
        self, model: nn.Module, loss: Loss, inputs: Tensor, targets: Tensor, batch_size: int | None = None
    ) -> None:
        """Hold the Hessian of ``loss(model(inputs), targets)``.

        Args:
            model: a module, or a stack of R replicas. In training mode BatchNorm uses the batch's own statistics.
            loss: from outputs [B, ...] and targets [B, ...] of one replica to a scalar.
            inputs: [B, ...]; for a stack [R, B, ...] (one set for all: ``inputs.expand(R, *inputs.shape)``).
            targets: [B, ...]; for a stack [R, B, ...].
            batch_size: where the graph of all examples does not fit into memory, the number of examples of one pass;
                every product then recomputes the gradient, and the loss has to be a mean over examples.

        Raises:
            ValueError: nothing to train, inputs and targets that do not fit the stack, or a loss that is no scalar.
        """
        self.model, self.loss = model, loss
        self.stacked = any(isinstance(module, StackedLayer) for module in model.modules())
        self.replicas = replicas_of(model) if self.stacked else 1
        trained = {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}
        if not trained:
            raise ValueError("the model has no trained parameter, so its loss has no Hessian")
        self.shapes = {name: p.shape for name, p in trained.items()}
        self.point = torch.cat([p.reshape(self.replicas, -1) for p in trained.values()], 1)
        self.size = self.point.shape[1]
        self.batches = self._split(inputs, targets, batch_size)
        self._graph = self._gradient(*self.batches[0]) if len(self.batches) == 1 else None

    def __matmul__(self, vectors: Tensor) -> Tensor:
        """Return H v of each replica for vectors [R, P] or [R, b, P], in the same shape."""
        if vectors.dim() == 3:
            return torch.stack([self @ vector for vector in vectors.unbind(1)], 1)
        if vectors.shape != self.point.shape:
            raise ValueError(f"vectors have shape {tuple(vectors.shape)}; they need {tuple(self.point.shape)}")
        if self._graph is not None:
            return _product(*self._graph, vectors, retain_graph=True)
        total = sum(targets.shape[self.stacked] for _, targets in self.batches)
        product = torch.zeros_like(vectors)
        for inputs, targets in self.batches:
            share = targets.shape[self.stacked] / total
            product.add_(_product(*self._gradient(inputs, targets), vectors), alpha=share)
        return product

    def dense(self) -> Tensor:
        """Return the matrices, [R, P, P], by P products."""
        identity = torch.eye(self.size, dtype=self.point.dtype, device=self.point.device)
        columns = [self @ row.expand_as(self.point) for row in identity]
        matrix = torch.stack(columns, 2)
        return (matrix + matrix.mT) / 2

    def _split(self, inputs: Tensor, targets: Tensor, batch_size: int | None) -> list[tuple[Tensor, Tensor]]:
        axis = int(self.stacked)
        if inputs.shape[: axis + 1] != targets.shape[: axis + 1] or (self.stacked and len(inputs) != self.replicas):
            wanted = f"[{self.replicas}, B, ...]" if self.stacked else "[B, ...]"
            raise ValueError(
                f"inputs {tuple(inputs.shape)} and targets {tuple(targets.shape)} do not fit the model; "
                f"both need to be {wanted}"
            )
        if batch_size is None:
            return [(inputs, targets)]
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}; a pass needs at least one example")
        return list(zip(inputs.split(batch_size, axis), targets.split(batch_size, axis), strict=True))

    def _gradient(self, inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return the parameters [R, P] as a leaf, and the gradient [R, P] with its graph."""
        with torch.enable_grad():
            leaf = self.point.clone().requires_grad_()
            pieces = leaf.split([shape.numel() // self.replicas for shape in self.shapes.values()], 1)
            values = {
                name: piece.reshape(shape) for (name, shape), piece in zip(self.shapes.items(), pieces, strict=True)
            }
            # Copies, so that running statistics stay as they are.
            values.update((name, buffer.clone()) for name, buffer in self.model.named_buffers())
            outputs = torch.func.functional_call(self.model, values, (inputs,))
            pairs = zip(outputs, targets, strict=True) if self.stacked else [(outputs, targets)]
            losses = [self.loss(*pair) for pair in pairs]
            if losses[0].dim() > 0:
                raise ValueError(f"the loss of one replica has to be a scalar, got shape {tuple(losses[0].shape)}")
            (gradient,) = torch.autograd.grad(sum(losses), leaf, create_graph=True)
        return leaf, gradient


def _product(leaf: Tensor, gradient: Tensor, vectors: Tensor, retain_graph: bool = False) -> Tensor:
    if not gradient.requires_grad:  # a loss that is linear in the parameters
        return torch.zeros_like(vectors)
    return torch.autograd.grad(gradient, leaf, vectors, retain_graph=retain_graph, materialize_grads=True)[0]
