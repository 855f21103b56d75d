"""What a model is called on: one tensor, several in a tuple, or keyword arguments in a mapping."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

Inputs = Tensor | Sequence | Mapping
"""A tensor [m, ...] ([R, m, ...] for a stack), a tuple of arguments, or a mapping of keyword arguments."""


@dataclass(frozen=True, eq=False)
class Shared:
    """An argument of the model that all examples share, such as a mask [T, T]: passed as it is, and never cut.

    >>> mask = torch.ones(7, 7).tril()
    >>> inputs = {"x": torch.randn(32, 7, 16), "mask": Shared(mask)}  # 32 examples, one mask
    """

    value: object


_SETTINGS = (bool, int, float, str)


class Arguments:
    """The arguments of a model for some examples, by name; those that are tensors have a row for each."""

    names: list
    values: list[Tensor | Shared]
    keyword: bool

    def __init__(self, inputs: Inputs | Arguments):
        """Take a tensor for the one argument, a tuple or a list for several, a mapping for keyword arguments.

        Raises:
            TypeError: for an argument that is no tensor, `Shared`, number, truth value, string or None.
        """
        if isinstance(inputs, Arguments):
            self.names, self.values, self.keyword = inputs.names, inputs.values, inputs.keyword
            return
        self.keyword = isinstance(inputs, Mapping)
        if isinstance(inputs, Mapping):
            self.names, values = list(inputs), list(inputs.values())
        elif isinstance(inputs, list | tuple):
            self.names, values = list(range(len(inputs))), list(inputs)
        elif isinstance(inputs, Tensor):
            self.names, values = [None], [inputs]
        else:
            raise TypeError(
                f"inputs is {type(inputs).__name__}; it must be a tensor, a tuple of several arguments of the model, "
                "or a mapping of keyword arguments"
            )
        self.values = [self._taken(name, value) for name, value in zip(self.names, values, strict=True)]
        if not any(isinstance(value, Tensor) for value in self.values):
            raise TypeError("inputs hold no tensor with a row for each example")

    def _taken(self, name: object, value: object) -> Tensor | Shared:
        if isinstance(value, Shared) or (isinstance(value, Tensor) and (value.dim() or name is None)):
            return value
        if value is None or isinstance(value, (Tensor, *_SETTINGS)):
            return Shared(value)
        raise TypeError(
            f"{self._called(name)} is {type(value).__name__}; it must be a tensor with a row for each example, or "
            "Shared(...) where all examples share it"
        )

    @staticmethod
    def _called(name: object) -> str:
        return "inputs" if name is None else f"inputs[{name!r}]"

    @property
    def tensors(self) -> dict[str, Tensor]:
        """Those with a row for each example, as messages name them."""
        return {self._called(n): v for n, v in zip(self.names, self.values, strict=True) if isinstance(v, Tensor)}

    @property
    def shapes(self) -> list[torch.Size]:
        """Of all tensors, those that all examples share among them."""
        every = [value.value if isinstance(value, Shared) else value for value in self.values]
        return [value.shape for value in every if isinstance(value, Tensor)]

    @property
    def key(self) -> tuple:
        """What all examples share, as far as another pass could depend on it."""
        shared = [(n, v.value) for n, v in zip(self.names, self.values, strict=True) if isinstance(v, Shared)]
        settings = ((n, v if v is None or isinstance(v, _SETTINGS) else type(v)) for n, v in shared)
        tensors = (v.shape for _, v in shared if isinstance(v, Tensor))
        return self.keyword, *self.names, *settings, *tensors

    @property
    def device(self) -> torch.device:
        """Of the first tensor."""
        return next(iter(self.tensors.values())).device

    def each(self, function: Callable[[Tensor], Tensor]) -> Arguments:
        """The arguments with a function of all tensors that have a row for each example in their place."""
        return self._with(function(value) if isinstance(value, Tensor) else value for value in self.values)

    def on(self, device: torch.device) -> Arguments:
        """All tensors on a device."""
        return self._with(
            Shared(v.value.to(device)) if isinstance(v, Shared) and isinstance(v.value, Tensor) else v
            for v in self.each(lambda tensor: tensor.to(device)).values
        )

    def _with(self, values: Iterator[Tensor | Shared]) -> Arguments:
        other = Arguments(self)
        other.values = list(values)
        return other

    def __call__(self, model: Callable[..., Any]) -> Any:
        """What a model gives for them; of a mapping with `logits`, as Hugging Face's models return it, these."""
        values = [value.value if isinstance(value, Shared) else value for value in self.values]
        outputs = model(**dict(zip(self.names, values, strict=True))) if self.keyword else model(*values)
        return outputs["logits"] if isinstance(outputs, Mapping) and "logits" in outputs else outputs

    def __str__(self) -> str:
        """The shapes, for messages."""
        return ", ".join(f"{name} {tuple(tensor.shape)}" for name, tensor in self.tensors.items())
