"""Uses of parameters outside of layers that have a rule: by functions, seen as a forward pass calls them.

A parameter, or what is made of parameters alone (a slice of a table of positions, a normalised weight), may meet the
examples in three ways:

- It is stretched over them (a class token, positions, a scale): each example gets a copy of its own, which takes no
  memory, and autograd's gradient of the copies is the gradient per example.
- It is the weight of a dense layer or an embedding, called as a function: the rule of that layer gives its form.
- It enters another function: `torch.func` takes the gradient of that function alone, example by example.

Which axis holds the examples is read off two small passes, as for layers; see `planning`.
"""

from __future__ import annotations

import functools
import types
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from genbook.gradients import fallback
from genbook.gradients.forms import Explicit, Form, Outer, OuterSum, Rows
from genbook.gradients.places import CONSTANT, Place

if TYPE_CHECKING:
    from genbook.gradients.planning import Plan, Probes
    from genbook.gradients.rules import Layer

STRETCHING = frozenset(
    f"{before}{name}{after}"
    for name in ("add", "sub", "mul", "div", "truediv", "true_divide", "maximum", "minimum", "pow")
    for before, after in (("", ""), ("", "_"), ("__", "__"), ("__r", "__"), ("__i", "__"))
) | {"where", "expand", "expand_as", "broadcast_to", "lerp", "addcmul", "scaled_dot_product_attention"}
"""Functions that stretch their arguments over each other's axes, the last axes one over another."""


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


class Uses(TorchFunctionMode):
    """Tells `handle` of each call of a function on a source; functions made of others are looked into."""

    def __init__(self, parameters: Mapping[str, Tensor], handle: Callable[[Operation], object]):
        """`parameters` by name."""
        super().__init__()
        self.handle, self.closed = handle, 0
        self.sources = {id(p): Source(p, {name: p}) for name, p in parameters.items()}
        self._open: set[Callable] = set()

    def __torch_function__(self, func, types, args=(), kwargs=None):
        """Let a function run, or `handle` do it."""
        kwargs = kwargs or {}
        if self.closed or not (met := self._met(args, kwargs)):
            return func(*args, **kwargs)
        if _made_of_others(func) and func not in self._open:
            self._open.add(func)
            try:
                with self:
                    return opened(func)(*args, **kwargs)
            finally:
                self._open.discard(func)
        return self.handle(Operation(func, args, kwargs, met))

    def _met(self, arguments: tuple, keywords: Mapping) -> dict[int, Source]:
        found = {}
        for value in (*arguments, *keywords.values()):
            for tensor in tensors(value):
                if id(tensor) in self.sources:
                    found[id(tensor)] = self.sources[id(tensor)]
        return found

    def derived(self, value: object, parameters: Mapping[str, Tensor], formed: Callable | None = None) -> None:
        """Take what was made of parameters alone for a source, too."""
        for tensor in tensors(value):
            if tensor.requires_grad and id(tensor) not in self.sources:
                self.sources[id(tensor)] = Source(tensor, parameters, formed)

    def made_by(self, layer: Layer, inputs: Tensor, output: Tensor) -> None:
        """Take what a layer made of no examples for a source."""
        parameters = dict(layer.parameters)
        if inputs.requires_grad:
            if id(inputs) not in self.sources:
                return
            parameters |= self.sources[id(inputs)].parameters
        looks_up = layer.rule.anywhere and not inputs.requires_grad
        self.derived(output, parameters, functools.partial(_of_layer, layer, inputs) if looks_up else None)


def _of_layer(layer: Layer, inputs: Tensor, each: Tensor) -> dict[str, Form]:
    """The gradients of a layer that was called once for all examples, from those of its outputs for each."""
    x = inputs.expand(1, len(each), *inputs.shape)
    forms = layer.rule(layer.module, x, each.unsqueeze(0))
    return {name: forms[local] for local, name in layer.own.items()}


def _made_of_others(function: Callable) -> bool:
    return isinstance(function, types.FunctionType) and function.__module__ == functional.__name__


@functools.cache
def opened(function: types.FunctionType) -> Callable:
    """A function of torch.nn.functional whose own calls are seen: it does not hand itself over to the mode as one."""
    names = ("has_torch_function", "has_torch_function_unary", "has_torch_function_variadic")
    space = {**function.__globals__, **dict.fromkeys(names, lambda *_: False)}
    copy = types.FunctionType(function.__code__, space, function.__name__, function.__defaults__, function.__closure__)
    copy.__kwdefaults__ = function.__kwdefaults__
    return copy


# -- what is known of an operation -------------------------------------------------------------------------------------

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


class Recording:
    """The operations of a small pass; the second one of two judges them."""

    def __init__(self, parameters: Mapping[str, Tensor], plan: Plan, chosen: Probes, before: Recording | None = None):
        """`plan` knows the layers, `chosen` the examples of this pass and the one `before`."""
        self.uses = Uses(parameters, self._met)
        self.plan, self.chosen, self.before = plan, chosen, before
        self.entries: list[tuple[str, list[Tensor], list[Tensor]]] = []
        self.found: dict[tuple, list[Use | None]] = defaultdict(list)
        self._counts: Counter[str] = Counter()
        self._sure = set(self.uses.sources)
        self._apart = False

    def begins(self, layer: Layer) -> None:
        """A layer that accounts for its parameters is not looked into."""
        self.uses.closed += self.plan.of(layer, self._counts[layer.name]) is not None

    def called(self, layer: Layer, inputs: Tensor | None, output: object) -> None:
        """A layer has been called; one that met no examples has made a source."""
        known = self.plan.of(layer, self._counts[layer.name])
        self._counts[layer.name] += 1
        self.uses.closed -= known is not None
        if known is CONSTANT:
            self.uses.made_by(layer, inputs, output)
            self._sure |= {id(output)} & self.uses.sources.keys()

    def _met(self, operation: Operation) -> object:
        given = [copied(t) for t in operation.given]
        output = operation.run()
        made = [copied(t) for t in tensors(output)]
        self.entries.append((operation.name, given, made))
        if self.before is not None:
            self._judge(operation, output)
        if operation.derives:
            self.uses.derived(output, operation.parameters)
        return output

    def _judge(self, operation: Operation, output: object) -> None:
        sure = {key: source for key, source in operation.sources.items() if key in self._sure}
        if not sure:
            return
        operation = Operation(operation.function, operation.arguments, operation.keywords, sure)
        use = self._use(operation, output)
        if use is not None and use.how == "derived":
            self._sure |= {id(t) for t in tensors(output) if t.requires_grad}
        self.found[operation.key].append(use)

    def _use(self, operation: Operation, output: object) -> Use | None:
        k = len(self.entries) - 1
        name, given, made = self.entries[k]
        earlier = self.before.entries[k] if k < len(self.before.entries) else ("", [], [])
        self._apart |= (name, len(given), len(made)) != (earlier[0], len(earlier[1]), len(earlier[2]))
        if self._apart:  # the passes have gone different ways
            return None
        places = [self.chosen.place(a, b) for a, b in zip(earlier[1], given, strict=True)]
        outputs = [self.chosen.place(a, b) for a, b in zip(earlier[2], made, strict=True)]
        if outputs and all(place is CONSTANT for place in outputs):
            return Use("derived") if operation.derives else None
        if not isinstance(output, Tensor) or not isinstance(outputs[0], Place) or None in places:
            return None
        places = [
            SOURCE if id(t) in operation.sources else place for t, place in zip(operation.given, places, strict=True)
        ]
        use = Use("", tuple(places), outputs[0])
        for how, applies in _WAYS.items():
            if applies(operation, use, output):
                return Use(how, use.given, use.output, output.dim())
        return None


def copied(tensor: object) -> Tensor | None:
    """A tensor as it is now; None for what is none, or is inside of a vmap of the model's own: no axis of examples."""
    if not isinstance(tensor, Tensor) or torch._C._functorch.is_functorch_wrapped_tensor(tensor):
        return None
    return tensor.detach().clone()


# -- the ways ----------------------------------------------------------------------------------------------------------


def _stretches(operation: Operation, use: Use, output: Tensor) -> bool:
    attention = operation.name == "scaled_dot_product_attention"
    if operation.name not in STRETCHING or (attention and use.output.axis >= output.dim() - 2):
        return False
    return all(_open_axis(source.tensor, use.output.axis, output.dim()) for source in operation.sources.values())


def _open_axis(tensor: Tensor, axis: int, axes: int) -> bool:
    """Whether a tensor is stretched along an axis of an output with so many axes."""
    own = axis - axes + tensor.dim()
    return tensor.dim() <= axes and (own < 0 or tensor.shape[own] == 1)


def copies(source: Tensor, place: Place, axes: int, m: int) -> Tensor:
    """One copy of a source for each example, along the axis that the output has them on; takes no memory."""
    shape = [1] * (axes - source.dim()) + list(source.shape)
    view = source.reshape(shape)
    shape[place.axis] = place.length(m)
    return view.expand(shape)


def of_copies(gradient: Tensor, place: Place, source: Tensor, m: int) -> Form:
    """The gradients per example from those of the copies."""
    each = place.front(gradient, m)
    if not place.alone:
        each = each.sum((place.axis + 1, place.axis + 2))
    return fallback.written(each.reshape(1, m, *source.shape), source.shape)


def _dense_operands(operation: Operation) -> tuple[Tensor, Tensor, Tensor | None, bool] | None:
    """Inputs, weight, bias, and whether the weight is [p, q]; None for what is no dense layer."""
    arguments, keywords = operation.arguments, operation.keywords
    if operation.function is functional.linear:
        x, weight, bias = (*arguments, *[keywords.get(k) for k in ("input", "weight", "bias")[len(arguments) :]])
        return x, weight, bias, False
    if operation.name == "addmm" and len(arguments) == 3 and not keywords:
        return arguments[1], arguments[2], arguments[0], True
    if operation.name in ("matmul", "__matmul__", "mm") and len(arguments) == 2 and not keywords:
        return arguments[0], arguments[1], None, True
    return None


def _is_dense(operation: Operation, use: Use, output: Tensor) -> bool:
    operands = _dense_operands(operation)
    if operands is None:
        return False
    x, weight, bias, _ = operands
    place = dict(zip(map(id, operation.given), use.given, strict=True)).get(id(x))
    return (
        weight.dim() == 2
        and (bias is None or bias.dim() == 1)
        and id(x) not in operation.sources
        and isinstance(place, Place)
        and place == use.output
        and place.axis < x.dim() - 1
    )


def _is_embedding(operation: Operation, use: Use, output: Tensor) -> bool:
    return (
        operation.name == "embedding"
        and list(map(id, operation.arguments[:1])) == list(operation.sources)
        and len(operation.arguments) == 5
        and not operation.arguments[3]
        and isinstance(use.given[1], Place)
    )


def _is_repeated(operation: Operation, use: Use, output: Tensor) -> bool:
    """A source that is copied for each example, and along no other axis."""
    place, tensor = use.output, operation.given[0]
    shape = list(output.shape)
    shape[place.axis] = 1
    return operation.name == "repeat" and [1] * (output.dim() - tensor.dim()) + list(tensor.shape) == shape


def _by_torch_func(operation: Operation, use: Use, output: Tensor) -> bool:
    return output.is_floating_point() and any(isinstance(place, Place) for place in use.given)


_WAYS = {
    "stretched": _stretches,
    "dense": _is_dense,
    "embedding": _is_embedding,
    "repeated": _is_repeated,
    "each": _by_torch_func,
}


def _of_dense(operation: Operation, use: Use, given: Sequence[Tensor], b: Tensor, m: int) -> dict[int, Form]:
    _, weight, bias, transposed = _dense_operands(operation)
    (x,) = given
    a, b = use.output.front(x, m).unsqueeze(0), use.output.front(b, m).unsqueeze(0)
    a, b = a.flatten(2, -2) if a.dim() > 3 else a.unsqueeze(2), b.flatten(2, -2) if b.dim() > 3 else b.unsqueeze(2)
    forms: dict[int, Form] = {}
    if bias is not None and id(bias) in operation.sources:
        forms[id(bias)] = Explicit(b.sum(2) if b.shape[2] > 1 else b[:, :, 0], bias.shape)
    if id(weight) in operation.sources:
        if transposed:
            a, b = b, a
        one = a.shape[2] == 1
        forms[id(weight)] = (
            Outer(a[:, :, 0], b[:, :, 0]) if one else OuterSum(a.unsqueeze(2), b.unsqueeze(2), weight.shape)
        )
    return forms


def _of_embedding(operation: Operation, use: Use, given: Sequence[Tensor], b: Tensor, m: int) -> dict[int, Form]:
    weight, padding = operation.arguments[0], operation.arguments[2]
    indices = use.given[1].front(given[0], m).reshape(1, m, -1)
    b = use.output.front(b, m).reshape(1, m, -1, b.shape[-1])
    if padding >= 0:
        b = b * (indices != padding).unsqueeze(-1)
    return {id(weight): Rows(indices, b, len(weight))}


def _of_repeated(operation: Operation, use: Use, given: Sequence[Tensor], b: Tensor, m: int) -> dict[int, Form]:
    (source,) = operation.sources.values()
    return {id(source.tensor): of_copies(b, use.output, source.tensor, m)}


def _of_each(operation: Operation, use: Use, given: Sequence[Tensor], b: Tensor, m: int) -> dict[int, Form]:
    places = {id(t): place for t, place in zip(operation.given, use.given, strict=True) if isinstance(place, Place)}
    now = dict(zip(places, given, strict=True))
    sources = {key: source.tensor.detach() for key, source in operation.sources.items()}

    def output(sources: dict[int, Tensor], examples: dict[int, Tensor]) -> Tensor:
        def replaced(tensor: Tensor) -> Tensor:
            if id(tensor) in examples:
                return places[id(tensor)].back(examples[id(tensor)])
            return sources[id(tensor)] if id(tensor) in sources else tensor.detach()

        return operation.run(replaced)

    rows = {key: place.front(now[key], m) for key, place in places.items()}
    found = fallback.of_function(output, sources, rows, use.output.front(b, m), use.output)
    return {key: fallback.written(g.unsqueeze(0), sources[key].shape) for key, g in found.items()}


_FORMS = {"dense": _of_dense, "embedding": _of_embedding, "repeated": _of_repeated, "each": _of_each}


def needed(operation: Operation, use: Use) -> list[Tensor]:
    """The tensors with examples that the backward pass needs, each once."""
    if use.how == "dense":
        return [_dense_operands(operation)[0]]
    places = zip(operation.given, use.given, strict=True)
    return list({id(t): t for t, place in places if isinstance(place, Place)}.values())


def formed(operation: Operation, use: Use, given: Sequence[Tensor], b: Tensor, m: int) -> list[dict[str, Form]]:
    """The gradients of the parameters by source, from the gradients b of the output."""
    forms = _FORMS[use.how](operation, use, given, b, m)
    return [operation.sources[key].pulled(form) for key, form in forms.items()]
