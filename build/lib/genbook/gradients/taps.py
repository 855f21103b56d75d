"""The calls of layers in one forward and one backward pass, and the forms that come back from them.

A `Tap` behind a layer's output is the identity; its backward pass sees the gradient b of the output, with the layer's
inputs x at hand, and passes b on. Weight gradients are not computed by autograd at all, since nothing asks for them;
the sink gets the forms as the backward pass reaches the layers, so nothing is kept longer than in a plain pass. What a
function does with a parameter outside of layers is tapped alike, see `uses`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor
from torch.autograd.graph import Node
from torch.utils.checkpoint import CheckpointError

from genbook.gradients.forms import Form, added
from genbook.gradients.operations import Operation, Source, Use
from genbook.gradients.places import CONSTANT, Place
from genbook.gradients.refusals import Refused
from genbook.gradients.rules import Layer
from genbook.gradients.uses import Uses, opened
from genbook.gradients.ways import copies, formed, needed, of_copies

if TYPE_CHECKING:
    from genbook.gradients.planning import Plan

Sink = Callable[[str, Form], None]


class Watcher(Protocol):
    """Who is told of the calls of layers in a forward pass."""

    uses: Uses | None
    """What is to see the functions that it calls."""

    def begins(self, layer: Layer) -> None:
        """A layer is about to be called."""

    def called(self, layer: Layer, inputs: Tensor | None, output: object) -> Tensor | None:
        """A layer was called on one tensor (None: on something else); returns what takes the place of its output."""


@dataclass(frozen=True, eq=False)
class _Call:
    """One call of one layer: what its Tap needs when the gradient arrives."""

    of: Pass
    layer: Layer
    places: tuple[Place, Place]
    before: tuple[Node | None, ...]

    @property
    def names(self) -> Collection[str]:
        return self.layer.own.values()

    def forms(self, saved: Sequence[Tensor], gradient: Tensor) -> list[dict[str, Form]]:
        x, b = saved[0], gradient
        if not self.of.stacked:
            x, b = (place.front(t, self.of.m).unsqueeze(0) for place, t in zip(self.places, (x, b), strict=True))
        forms = self.layer.rule(self.layer.module, *_in_full(x, b))
        return [{name: forms[local] for local, name in self.layer.own.items()}]


@dataclass(frozen=True, eq=False)
class _Use:
    """One call of a function on sources, tapped behind its output."""

    of: Pass
    operation: Operation
    use: Use
    before: tuple[Node | None, ...]

    @property
    def names(self) -> Collection[str]:
        return self.operation.parameters

    def forms(self, saved: Sequence[Tensor], gradient: Tensor) -> list[dict[str, Form]]:
        if self.use.how == "dense":
            x, gradient = _in_full(saved[0], gradient)
            saved = (x,)
        return formed(self.operation, self.use, saved, gradient, self.of.m)


@dataclass(frozen=True, eq=False)
class _Copies:
    """A source stretched over the examples: the Tap is behind its copies."""

    of: Pass
    source: Source
    place: Place
    before: tuple[Node | None, ...] = ()

    @property
    def names(self) -> Collection[str]:
        return self.source.parameters

    def forms(self, saved: Sequence[Tensor], gradient: Tensor) -> list[dict[str, Form]]:
        return [self.source.pulled(of_copies(gradient, self.place, self.source.tensor, self.of.m))]


Tapped = _Call | _Use | _Copies


class Tap(torch.autograd.Function):
    """The identity; in the backward pass it forms the per-example gradients of the layer before it."""

    @staticmethod
    def forward(ctx, anchor: Tensor, output: Tensor, call: Tapped, *needed: Tensor) -> Tensor:
        """`anchor` requires a gradient, so that the backward pass comes by even where nothing before it does."""
        ctx.call = call
        ctx.save_for_backward(*needed)  # autograd checks that nobody overwrites it in between
        # A fresh tensor on the same memory: in-place activations may follow, which a view would forbid. A function of
        # unknown kind may have saved its output for its own backward pass, so that one is copied.
        return output.clone() if isinstance(call, _Use) and call.use.how == "each" else output.detach()

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Hand over the forms, pass the gradient on."""
        saved = ctx.saved_tensors
        ctx.call.of.receive(ctx.call, saved, gradient)
        return None, gradient, None, *[None] * len(saved)


class Pass:
    """A forward pass with Taps where a plan believes that rows are examples, and the backward pass after it.

    Attributes:
        calls: those with a Tap.
        failed: parameters of functions that torch.func could not run.
        half: the half precision in which gradients came, if any did.
    """

    def __init__(self, lead: torch.Size, device: torch.device, plan: Plan, parameters: Mapping[str, Tensor]):
        """`lead` [m] or [R, m]; `parameters` are those trained."""
        self.m, self.stacked, self.plan = lead[-1], len(lead) > 1, plan
        self.anchor = torch.zeros((), device=device, requires_grad=True)
        self.uses = Uses(parameters, self._met) if plan.uses else None
        self.calls: list[Tapped] = []
        self.failed: set[str] = set()
        self.half: torch.dtype | None = None
        self._counts: Counter = Counter()
        self._closed: list[bool] = []
        self._forms: dict[str, list[Form]] = defaultdict(list)
        self._sink: Sink | None = None

    # -- layers --------------------------------------------------------------------------------------------------------

    def begins(self, layer: Layer) -> None:
        """A layer that accounts for its parameters is not looked into."""
        if self.uses is not None:
            self._closed.append(self._known(layer) is not None)
            self.uses.closed += self._closed[-1]

    def _known(self, layer: Layer) -> tuple[Place, Place] | str | None:
        """What the plan says of a layer's next call.

        A checkpoint repeats its part of the forward pass to have back what was saved, also by the Taps.
        """
        return self.plan.of(layer, 0 if self._sink else self._counts[layer.name])

    def called(self, layer: Layer, inputs: Tensor | None, output: object) -> Tensor | None:
        """Put a Tap behind the output of a call whose rows are examples."""
        known = self._known(layer)
        if self.uses is not None:
            self.uses.closed -= self._closed.pop()
        if self._sink is None:
            self._counts[layer.name] += 1
        if known is None or not (isinstance(inputs, Tensor) and isinstance(output, Tensor) and output.requires_grad):
            return None
        if known is CONSTANT:
            if self.uses is not None:
                self.uses.made_by(layer, inputs, output)
            return None
        if not all(place.fits(t, self.m) for place, t in zip(known, (inputs, output), strict=True)):
            return None
        return self._tap(output, _Call(self, layer, known, (inputs.grad_fn,)), [inputs])

    def _tap(self, output: Tensor, call: Tapped, needed: Sequence[Tensor] = ()) -> Tensor:
        if self._sink is None:
            self.calls.append(call)
        return Tap.apply(self.anchor, output, call, *(t.detach() for t in needed))

    # -- functions -----------------------------------------------------------------------------------------------------

    def _met(self, operation: Operation) -> object:
        """Run an operation on sources, and follow what they do in it."""
        use = self._use(operation)
        if use is None or not torch.is_grad_enabled():
            return operation.run()
        if use.how == "derived":
            output = operation.run()
            self.uses.derived(output, operation.parameters)
            return output
        if use.how == "stretched":
            return self._stretched(operation, use)
        before = tuple(t.grad_fn for t in operation.given if id(t) not in operation.sources)
        given = needed(operation, use)
        output = operation.run()
        if not (output.requires_grad and use.output.fits(output, self.m)):
            return output
        return self._tap(output, _Use(self, operation, use, before), given)

    def _use(self, operation: Operation) -> Use | None:
        known = self.plan.uses.get(operation.key, ())
        if self._sink is not None:  # a checkpoint, see `_known`
            return next((use for use in known if use and use.fits(operation, self.m)), None)
        k = self._counts[operation.key]
        self._counts[operation.key] += 1
        use = known[k] if k < len(known) else None
        return use if use and use.fits(operation, self.m) else None

    def _stretched(self, operation: Operation, use: Use) -> object:
        taken = {
            key: self._tap(copies(source.tensor, use.output, use.axes, self.m), _Copies(self, source, use.output))
            for key, source in operation.sources.items()
        }
        return operation.run(lambda tensor: taken.get(id(tensor), tensor))

    # -- the backward pass ---------------------------------------------------------------------------------------------

    def backward(self, losses: Tensor, sink: Sink, outside: Set[str]) -> set[str]:
        """Send the forms of the parameters that the calls account for, but for `outside`; returns their names."""
        self._outside, self._sent = outside, set()
        self._expected = Counter(name for call in self.calls for name in call.names)
        self._sink = sink
        if losses.requires_grad:
            try:
                self._backward(losses)
            except CheckpointError as error:
                raise Refused(
                    "model repeats a part of its forward pass in another way than at first (torch.utils.checkpoint); "
                    "measure it without checkpoints"
                ) from error
        for name in list(self._forms):  # some use of a shared parameter does not reach the loss
            if name not in self.failed:
                self._send(name)
        self.calls.clear()  # they hold the graph, and the graph holds them: it would outlive the pass
        self.uses = None
        return self._sent

    def _backward(self, losses: Tensor) -> None:
        ones = torch.ones_like(losses)
        if self.uses is None:
            torch.autograd.grad(losses, self.anchor, ones, allow_unused=True)
            return
        with self.uses:  # for checkpoints, which run a part of the model again
            opened(torch.autograd.grad)(losses, self.anchor, ones, allow_unused=True)

    def _send(self, name: str) -> None:
        self._sent.add(name)
        self._sink(name, added(self._forms.pop(name)))

    def receive(self, call: Tapped, saved: Sequence[Tensor], gradient: Tensor) -> None:
        """Form the gradients of one call, and wait for the other uses of a shared parameter."""
        if self._sink is None:  # the model takes gradients inside its forward pass
            return
        names = set(call.names) - self._outside - self.failed
        if not names:
            return
        if gradient.element_size() == 2:
            self.half = gradient.dtype
        if self.uses is not None:
            self.uses.closed += 1
        try:
            parts = call.forms(saved, gradient)
        except RuntimeError:  # torch.func cannot run every function
            if isinstance(call, _Call):
                raise
            self.failed.update(names)
            return
        finally:
            if self.uses is not None:
                self.uses.closed -= 1
        for name in names:
            self._forms[name].append(added([part[name] for part in parts if name in part]))
            if len(self._forms[name]) == self._expected[name]:
                self._send(name)

    def unaccounted(self, losses: Tensor) -> set[Tensor]:
        """The leaves that a backward pass from `losses` reaches other than through a call that accounts for them."""
        leaves, seen, waiting = set(), {None}, [losses.grad_fn]
        while waiting:
            node = waiting.pop()
            if node in seen:
                continue
            seen.add(node)
            call = getattr(node, "call", None)
            if isinstance(call, Tapped):
                waiting.extend(call.before)
            elif hasattr(node, "variable"):
                leaves.add(node.variable)
            elif node.name() == "CheckpointFunctionBackward":
                raise Refused(
                    "model hides a part of its forward pass in a checkpoint with re-entry (torch.utils.checkpoint); "
                    "use use_reentrant=False"
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
