"""The calls of layers in one forward and one backward pass, and the forms that come back from them.

A `Tap` behind a layer's output is the identity; its backward pass sees the gradient b of the output, with the layer's
inputs x at hand, and passes b on. Weight gradients are not computed by autograd at all, since nothing asks for them;
the sink gets the forms as the backward pass reaches the layers, so nothing is kept longer than in a plain pass.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.autograd.graph import Node
from torch.utils.checkpoint import CheckpointError

from genbook.gradients import fallback
from genbook.gradients.forms import Form, added
from genbook.gradients.refusals import Refused
from genbook.gradients.rules import Rule

Sink = Callable[[str, Form], None]


@dataclass(frozen=True, eq=False)
class Layer:
    """A module with trained parameters of its own."""

    name: str
    module: nn.Module
    own: Mapping[str, str]
    """Local to full names of these parameters."""
    rule: Rule | None


class Watcher(Protocol):
    """Who is told of the calls of layers in a forward pass."""

    def called(self, layer: Layer, inputs: Tensor | None, output: object) -> Tensor | None:
        """A layer was called on one tensor (None: on something else); returns what takes the place of its output."""


@dataclass(frozen=True, eq=False)
class _Call:
    """One call of one layer: what its Tap needs when the gradient arrives."""

    layer: Layer
    names: Mapping[str, str]
    of: "Pass"
    before: Node | None


class Tap(torch.autograd.Function):
    """The identity; in the backward pass it forms the per-example gradients of the layer before it."""

    @staticmethod
    def forward(ctx, anchor: Tensor, output: Tensor, inputs: Tensor, call: _Call) -> Tensor:
        """`anchor` requires a gradient, so that the backward pass comes by even where nothing before it does."""
        ctx.call = call
        ctx.save_for_backward(inputs)  # autograd checks that nobody overwrites it in between
        # A fresh tensor on the same memory: in-place activations may follow, which a view would forbid. A layer of
        # unknown kind may have saved its output for its own backward pass, so that one is copied.
        return output.detach() if call.layer.rule else output.clone()

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[None, Tensor, None, None]:
        """Hand over the forms, pass the gradient on."""
        (inputs,) = ctx.saved_tensors
        ctx.call.of.receive(ctx.call, inputs, gradient)
        return None, gradient, None, None


class Pass:
    """A forward pass with Taps where `follows` believes that rows are examples, and the backward pass after it.

    Attributes:
        calls: those with a Tap.
        failed: parameters of layers that torch.func could not run.
        half: the half precision in which gradients came, if any did.
    """

    def __init__(self, lead: torch.Size, device: torch.device, follows: Callable[[Layer, int], Set[str]]):
        """`lead` [m] or [R, m]; `follows` says whose gradients the k-th call of a layer accounts for."""
        self.lead, self.follows = lead, follows
        self.anchor = torch.zeros((), device=device, requires_grad=True)
        self.calls: list[_Call] = []
        self.failed: set[str] = set()
        self.half: torch.dtype | None = None
        self._counts: Counter[str] = Counter()
        self._forms: dict[str, list[Form]] = defaultdict(list)
        self._sink: Sink | None = None
        self._busy = False

    def called(self, layer: Layer, inputs: Tensor | None, output: object) -> Tensor | None:
        """Put a Tap behind the output of a call whose rows are examples."""
        if self._busy:
            return None
        if self._sink is not None:
            return self._again(layer, inputs, output)
        names = self.follows(layer, self._counts[layer.name])
        self._counts[layer.name] += 1
        if not (names and self._fits(inputs) and self._fits(output) and output.requires_grad):
            return None
        own = {local: name for local, name in layer.own.items() if name in names}
        call = _Call(layer, own, self, inputs.grad_fn)
        self.calls.append(call)
        return Tap.apply(self.anchor, output, inputs.detach(), call)

    def _again(self, layer: Layer, inputs: Tensor, output: Tensor) -> Tensor | None:
        """A checkpoint repeats its part of the forward pass to have back what was saved, also by the Taps."""
        calls = [call for call in self.calls if call.layer is layer]
        return Tap.apply(self.anchor, output, inputs.detach(), calls[0]) if calls else None

    def _fits(self, tensor: object) -> bool:
        return isinstance(tensor, Tensor) and tensor.shape[: len(self.lead)] == self.lead

    def backward(self, losses: Tensor, sink: Sink, outside: Set[str]) -> set[str]:
        """Send the forms of the parameters that the calls account for, but for `outside`; returns their names."""
        self._outside, self._sent = outside, set()
        self._expected = Counter(name for call in self.calls for name in call.names.values())
        self._sink = sink
        if losses.requires_grad:
            try:
                torch.autograd.grad(losses, self.anchor, torch.ones_like(losses), allow_unused=True)
            except CheckpointError as error:
                raise Refused(
                    "model repeats a part of its forward pass in another way than at first (torch.utils.checkpoint); "
                    "measure it without checkpoints"
                ) from error
        for name in list(self._forms):  # some use of a shared parameter does not reach the loss
            if name not in self.failed:
                self._send(name)
        self.calls.clear()  # they hold the graph, and the graph holds them: it would outlive the pass
        return self._sent

    def _send(self, name: str) -> None:
        self._sent.add(name)
        self._sink(name, added(self._forms.pop(name)))

    def receive(self, call: _Call, inputs: Tensor, gradient: Tensor) -> None:
        """Form the gradients of one call, and wait for the other uses of a shared parameter."""
        if self._sink is None:  # the model takes gradients inside its forward pass
            return
        names = {local: name for local, name in call.names.items() if name not in self._outside | self.failed}
        if not names:
            return
        forms = self._formed(call, inputs, gradient)
        if forms is None:
            self.failed.update(names.values())
            return
        for local, name in names.items():
            self._forms[name].append(forms[local])
            if len(self._forms[name]) == self._expected[name]:
                self._send(name)

    def _formed(self, call: _Call, inputs: Tensor, gradient: Tensor) -> dict[str, Form] | None:
        if gradient.element_size() == 2:
            self.half = gradient.dtype
        if len(self.lead) == 1:
            inputs, gradient = inputs.unsqueeze(0), gradient.unsqueeze(0)
        if call.layer.rule:
            return call.layer.rule(call.layer.module, *_in_full(inputs, gradient))
        self._busy = True
        try:
            return fallback.of_layer(call.layer.module, inputs, gradient)
        except RuntimeError:  # torch.func cannot run every layer
            return None
        finally:
            self._busy = False

    def unaccounted(self, losses: Tensor) -> set[Tensor]:
        """The leaves that a backward pass from `losses` reaches other than through a call that accounts for them."""
        waiting: list[Node] = []
        leaves = _reached(losses.grad_fn, None, waiting)
        for tap in waiting:  # grows: there may be layers inside of layers
            call = tap.call
            own = {call.layer.module._parameters[local] for local in call.names}
            leaves |= _reached(tap.next_functions[1][0], call.before, waiting) - own
        return leaves


def _reached(start: Node | None, end: Node | None, unknown: list[Node]) -> set[Tensor]:
    """The leaves between two nodes, past what Taps account for; appends the Taps of layers without a rule."""
    leaves, seen, waiting = set(), {None, end}, [start]
    while waiting:
        node = waiting.pop()
        if node in seen:
            continue
        seen.add(node)
        call = getattr(node, "call", None)
        if isinstance(call, _Call):
            waiting.append(call.before)
            if call.layer.rule is None and node not in unknown:
                unknown.append(node)
        elif hasattr(node, "variable"):
            leaves.add(node.variable)
        elif node.name() == "CheckpointFunctionBackward":
            raise Refused(
                "model hides a part of its forward pass in a checkpoint with re-entry (torch.utils.checkpoint); use "
                "use_reentrant=False"
            )
        else:
            waiting.extend(following for following, _ in node.next_functions)
    return leaves


def _in_full(inputs: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor]:
    """Half precision, of the model or of autocast, in single: squares of small numbers would vanish."""
    if gradient.element_size() > 2 and (inputs.dtype == gradient.dtype or not inputs.is_floating_point()):
        return inputs, gradient
    full = torch.promote_types(gradient.dtype, torch.float32)
    if inputs.is_floating_point():
        inputs = inputs.to(gradient.dtype).to(full)
    return inputs, gradient.to(full)
