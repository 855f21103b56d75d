"""What a forward pass does with parameters by functions: the operation, its sources, and how it uses them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from genbook.gradients import fallback
from genbook.gradients.forms import Form
from genbook.gradients.places import Place


def mapped(function: Callable[[Tensor], object], value: object) -> object:
    """An argument with its tensors replaced."""
    if isinstance(value, Tensor):
        return function(value)
    if isinstance(value, list | tuple) and type(value) in (list, tuple):
        return type(value)(mapped(function, one) for one in value)
    return value


def tensors(value: object) -> Iterator[Tensor]:
    """The tensors of an argument."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for one in value:
            yield from tensors(one)


@dataclass(frozen=True, eq=False)
class Source:
    """A trained parameter, or what is made of trained parameters alone."""

    tensor: Tensor
    parameters: Mapping[str, Tensor]
    formed: Callable[[Tensor], dict[str, Form]] | None = None
    """From gradients [m, ...] of the tensor to those of the parameters; None where autograd is asked."""

    def pulled(self, form: Form) -> dict[str, Form]:
        """The gradients of the parameters from those of the tensor."""
        ((name, parameter), *more) = self.parameters.items()
        if not more and parameter is self.tensor:
            return {name: form}
        each = form.explicit()[0].unflatten(1, self.tensor.shape) if self.tensor.dim() else form.explicit()[0, :, 0]
        if self.formed is not None:
            return self.formed(each)
        own = list(self.parameters.values())
        each = each.to(self.tensor.dtype)
        with torch.enable_grad():
            found = torch.autograd.grad(
                self.tensor, own, each, retain_graph=True, allow_unused=True, is_grads_batched=True
            )
        return {
            name: fallback.written(p.new_zeros(1, len(each), *p.shape) if g is None else g.unsqueeze(0), p.shape)
            for (name, p), g in zip(self.parameters.items(), found, strict=True)
        }


@dataclass(frozen=True, eq=False)
class Operation:
    """A call of a function of which an argument is a source."""

    function: Callable
    arguments: tuple
    keywords: Mapping[str, object]
    sources: Mapping[int, Source]
    """By the identity of their tensors."""

    def run(self, replace: Callable[[Tensor], Tensor] | None = None) -> object:
        """Its value, with some tensors in the place of others."""
        if replace is None:
            return self.function(*self.arguments, **self.keywords)
        keywords = {name: mapped(replace, value) for name, value in self.keywords.items()}
        return self.function(*mapped(replace, self.arguments), **keywords)

    @property
    def name(self) -> str:
        """Of the function."""
        return getattr(self.function, "__name__", str(self.function))

    @property
    def parameters(self) -> dict[str, Tensor]:
        """All that its sources are made of."""
        return {name: p for source in self.sources.values() for name, p in source.parameters.items()}

    @property
    def key(self) -> tuple:
        """What is equal in another pass."""
        return self.name, tuple(sorted(self.parameters))

    @property
    def given(self) -> list[Tensor]:
        """All tensors among its arguments."""
        return [*tensors(self.arguments), *tensors(tuple(self.keywords.values()))]

    @property
    def derives(self) -> bool:
        """Whether nothing but sources has a gradient."""
        return all(id(t) in self.sources for t in self.given if t.requires_grad)


SOURCE = "source"
"""In the place of a `Place`: what the use is of."""


@dataclass(frozen=True)
class Use:
    """How an operation uses its sources."""

    how: str
    """"derived", "stretched", "each", or the name of a function that has a rule."""
    given: tuple[Place | str, ...] = ()
    """Of all tensors among the arguments."""
    output: Place | None = None
    axes: int = 0
    """Of the output."""

    def fits(self, operation: Operation, m: int) -> bool:
        """Whether m examples can be where they are expected in the arguments."""
        if self.how == "derived":
            return operation.derives
        given = operation.given
        return len(given) == len(self.given) and all(
            place.fits(t, m) if isinstance(place, Place) else (place == SOURCE) == (id(t) in operation.sources)
            for t, place in zip(given, self.given, strict=True)
        )
