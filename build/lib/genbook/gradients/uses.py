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
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from genbook.gradients.forms import Form
from genbook.gradients.operations import SOURCE, Operation, Source, Use, tensors
from genbook.gradients.places import CONSTANT, Place
from genbook.gradients.ways import WAYS

if TYPE_CHECKING:
    from genbook.gradients.planning import Plan, Probes
    from genbook.gradients.rules import Layer


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
        for how, applies in WAYS.items():
            if applies(operation, use, output):
                return Use(how, use.given, use.output, output.dim())
        return None


def copied(tensor: object) -> Tensor | None:
    """A tensor as it is now; None for what is none, or is inside of a vmap of the model's own: no axis of examples."""
    if not isinstance(tensor, Tensor) or torch._C._functorch.is_functorch_wrapped_tensor(tensor):
        return None
    return tensor.detach().clone()
