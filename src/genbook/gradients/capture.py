"""One forward and one backward pass in which every layer hands over the form of its per-example gradients.

A hook on each layer puts a `Tap` behind its output: the identity, whose backward pass sees the gradient b of the
output, with the layer's inputs x at hand, and passes b on. Weight gradients are not computed by autograd at all, since
nothing asks for them; the sink gets the forms as the backward pass reaches the layers, so nothing is kept longer than
in a plain pass.

The batch is the first axis of every layer's input (the second one of a stack, after the replicas). A layer without a
rule is handled by `fallback.of_layer`; a parameter that is used where no layer's call accounts for it is found by
walking the graph, and gets its gradients from one backward pass per example.
"""

import warnings
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from genbook import models
from genbook.gradients import fallback
from genbook.gradients.forms import Explicit, Form, added
from genbook.gradients.losses import Loss, per_example
from genbook.gradients.rules import Rule, rule_for

Sink = Callable[[str, Form], None]

_BATCH_NORMS = (nn.modules.batchnorm._BatchNorm, models.StackedBatchNorm)
_DENSE = (nn.Linear, nn.Conv1d, nn.Conv2d, models.StackedLinear, models.StackedConv1d, models.StackedConv2d)


@dataclass
class _Call:
    """One call of one layer: what its Tap needs when the gradient arrives."""

    layer: nn.Module
    rule: Rule | None
    names: dict[str, str]
    capture: "Capture"
    before: torch.autograd.graph.Node | None


class Tap(torch.autograd.Function):
    """The identity; in the backward pass it forms the per-example gradients of the layer before it."""

    @staticmethod
    def forward(ctx, anchor: Tensor, output: Tensor, inputs: Tensor, call: _Call) -> Tensor:
        """`anchor` requires a gradient, so that the backward pass comes by even where nothing before it does."""
        ctx.call = call
        ctx.save_for_backward(inputs)  # autograd checks that nobody overwrites it in between
        # A fresh tensor on the same memory: in-place activations may follow, which a view would forbid. A layer of
        # unknown kind may have saved its output for its own backward pass, so that one is copied.
        return output.detach() if call.rule else output.clone()

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[None, Tensor, None, None]:
        """Hand over the forms, pass the gradient on."""
        (inputs,) = ctx.saved_tensors
        ctx.call.capture.receive(ctx.call, inputs, gradient)
        return None, gradient, None, None


class Capture:
    """The hooks on one model, for any number of passes; a context manager that removes them at its end."""

    def __init__(self, model: nn.Module, loss: Loss):
        """Refuse what has no per-example gradient; see `losses.per_example` for `loss`.

        Raises:
            TypeError: if `model` is no module, or `loss` no function.
            ValueError: if the model has nothing to train, or a layer whose mode mixes examples or is random.
        """
        if not isinstance(model, nn.Module):
            raise TypeError(f"model is {type(model).__name__}; it must be a torch.nn.Module")
        self.model = model
        self.criterion = per_example(loss)
        self.replicas = replicas_of(model)
        self.names = {p: name for name, p in model.named_parameters() if p.requires_grad}
        if not self.names:
            raise ValueError("model has no parameter that requires a gradient; there is nothing to measure")
        _refuse_modes(model)
        self._outside: tuple[str, ...] | None = None
        self._listening = False

    @property
    def shapes(self) -> dict[str, torch.Size]:
        """The shape of every trained parameter in one replica."""
        return {name: p.shape[1:] if self.replicas else p.shape for p, name in self.names.items()}

    def __enter__(self) -> "Capture":
        """Put the hooks on."""
        self._handles = []
        for name, layer in self.model.named_modules():
            own = {local: self.names[p] for local, p in layer._parameters.items() if p in self.names}
            if isinstance(layer, _DENSE):
                self._handles.append(layer.register_forward_pre_hook(_refuse_integers(name)))
            if own:
                self._handles.append(layer.register_forward_hook(self._hook(own, rule_for(layer))))
        return self

    def __exit__(self, *exception) -> None:
        """Take the hooks off."""
        for handle in self._handles:
            handle.remove()

    def run(self, inputs: Tensor, targets: Tensor, sink: Sink) -> Tensor:
        """Send the form of every parameter's gradients over these examples to `sink`; returns the losses [R, m].

        Inputs and targets [m, ...], or [R, m, ...] for a stack. A parameter that does not reach the loss sends zeros.
        """
        with torch.enable_grad():
            losses = self._forward(inputs, targets)
            if self._outside is None and self._unaccounted(losses):
                self._outside = self._plan(inputs, targets)
                losses = self._forward(inputs, targets)
            self._outside = self._outside or ()
            self._backward(losses.sum(), sink)
        if self._outside:
            for name, form in self._one_by_one(inputs, targets).items():
                self._send(name, form)
        for name in self._silent:
            nothing = losses.new_zeros(losses.shape[0], 1, self.shapes[name].numel())
            sink(name, Explicit(nothing.expand(-1, losses.shape[1], -1), self.shapes[name]))
        return losses.detach()

    def _hook(self, own: dict[str, str], rule: Rule | None) -> Callable:
        def hook(layer: nn.Module, arguments: tuple, output: object) -> Tensor | None:
            inputs = arguments[0] if len(arguments) == 1 else None
            if not (self._listening and self._fits(inputs, output)):
                return None
            if rule is None:
                if self.replicas or layer is self.model:
                    return None
                self._unknown.append((layer, tuple(own.values())))
            names = {local: name for local, name in own.items() if name not in (self._outside or ())}
            for name in names.values():
                self._expected[name] += 1
            call = _Call(layer, rule, names, self, inputs.grad_fn)
            return Tap.apply(self._anchor, output, inputs.detach(), call)

        return hook

    def _fits(self, inputs: object, output: object) -> bool:
        """Whether a layer was called with the batch in its place, so that rows are examples."""
        if not (isinstance(inputs, Tensor) and isinstance(output, Tensor)):
            return False
        return all(t.shape[: len(self._lead)] == self._lead for t in (inputs, output))

    def _forward(self, inputs: Tensor, targets: Tensor) -> Tensor:
        self._lead = inputs.shape[: 2 if self.replicas else 1]
        self._expected, self._forms, self._unknown = defaultdict(int), defaultdict(list), []
        self._anchor = torch.zeros((), device=inputs.device, requires_grad=True)
        self._listening = True
        try:
            outputs = self.model(inputs)
        finally:
            self._listening = False
        if not isinstance(outputs, Tensor) or outputs.shape[: len(self._lead)] != self._lead:
            got = tuple(outputs.shape) if isinstance(outputs, Tensor) else type(outputs).__name__
            raise ValueError(
                f"model returned {got} for inputs {tuple(inputs.shape)}; its outputs must be a tensor that begins with "
                f"{'replicas and examples' if self.replicas else 'the examples'}, {tuple(self._lead)}"
            )
        if not self.replicas:
            return self.criterion(outputs, targets).unsqueeze(0)
        return self.criterion(outputs.flatten(0, 1), targets.flatten(0, 1)).view(self._lead)

    def _backward(self, total: Tensor, sink: Sink) -> None:
        self._sink, self._silent = sink, set(self.names.values())
        if total.requires_grad:
            torch.autograd.grad(total, self._anchor, allow_unused=True)
        for name in list(self._forms):  # some use of a shared parameter does not reach the loss
            self._send(name, added(self._forms.pop(name)))

    def _send(self, name: str, form: Form) -> None:
        self._silent.discard(name)
        self._sink(name, form)

    def receive(self, call: _Call, inputs: Tensor, gradient: Tensor) -> None:
        """Form the gradients of one call, and wait for the other uses of a shared parameter."""
        if not self.replicas:
            inputs, gradient = inputs.unsqueeze(0), gradient.unsqueeze(0)
        forms = (call.rule or fallback.of_layer)(call.layer, inputs, gradient)
        for local, name in call.names.items():
            self._forms[name].append(forms[local])
            if len(self._forms[name]) == self._expected[name]:
                self._send(name, added(self._forms.pop(name)))

    def _unaccounted(self, losses: Tensor) -> set[str]:
        """The parameters with a part in the losses that no rule sees."""
        outside = {self.names[p] for p in _beyond_taps(losses) if p in self.names}
        return outside.union(*(names for _, names in self._unknown))

    def _plan(self, inputs: Tensor, targets: Tensor) -> tuple[str, ...]:
        """The parameters that the layers by themselves do not account for, found on the first two examples."""
        few = (slice(None), slice(2)) if self.replicas else slice(2)
        losses = self._forward(inputs[few], targets[few])
        unaccounted = self._unaccounted(losses)
        local = {name for _, names in self._unknown for name in names}
        outside = unaccounted - local
        if local:
            self._warn(", ".join(sorted({type(layer).__name__ for layer, _ in self._unknown})), "torch.func")
            outside |= self._disproved(losses.sum(), local)
        if outside and self.replicas:
            raise ValueError(
                f"model uses {', '.join(sorted(outside))} outside of its stacked layers, where the gradients per "
                "example of a stack are not known; measure its replicas one by one, from unstack()"
            )
        if outside:
            self._warn(", ".join(sorted(outside)), "one backward pass per example")
        return tuple(sorted(outside))

    def _warn(self, what: str, how: str) -> None:
        message = f"coherence has no rule for {what} in this model: exact by {how}, and slower"
        warnings.warn(message, stacklevel=2)

    def _disproved(self, total: Tensor, names: set[str]) -> set[str]:
        """Those of the named parameters whose gradients per example do not add up to autograd's gradient."""
        parameters = [p for p, name in self.names.items() if name in names]
        self._sink, self._silent = (lambda name, form: None), set()
        expected = torch.autograd.grad(total, parameters, retain_graph=True, allow_unused=True)
        sums: dict[str, Tensor] = {}
        self._backward(total, lambda name, form: sums.update({name: form.total()[0]}))
        wrong = set()
        for parameter, gradient in zip(parameters, expected, strict=True):
            name = self.names[parameter]
            gradient = torch.zeros_like(parameter) if gradient is None else gradient
            close = torch.allclose(sums.get(name, torch.zeros_like(parameter)), gradient, rtol=1e-3, atol=1e-6)
            wrong |= set() if close else {name}
        return wrong

    def _one_by_one(self, inputs: Tensor, targets: Tensor) -> dict[str, Form]:
        """The gradients of the outside parameters from a loop over the examples of a plain module."""
        parameters = [p for p, name in self.names.items() if name in self._outside]
        rows = []
        for i in range(len(inputs)):
            with torch.enable_grad():
                loss = self.criterion(self.model(inputs[i : i + 1]), targets[i : i + 1]).sum()
                gradients = torch.autograd.grad(loss, parameters, allow_unused=True, materialize_grads=True)
            rows.append([g.flatten() for g in gradients])
        return {
            self.names[p]: Explicit(torch.stack(column).unsqueeze(0), p.shape)
            for p, column in zip(parameters, zip(*rows, strict=True), strict=True)
        }


def replicas_of(model: nn.Module) -> int | None:
    """R of a stack, None for a plain module."""
    stacked = any(isinstance(layer, models.StackedLayer) for layer in model.modules())
    return models.replicas_of(model) if stacked else None


def _beyond_taps(losses: Tensor) -> set[Tensor]:
    """The leaves that a backward pass from `losses` reaches other than through the layers with a Tap."""
    leaves, seen, waiting = set(), set(), [losses.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        call = getattr(node, "call", None)
        if isinstance(call, _Call) and call.rule:
            waiting.append(call.before)
        elif hasattr(node, "variable"):
            leaves.add(node.variable)
        else:
            waiting.extend(following for following, _ in node.next_functions)
    return leaves


def _refuse_modes(model: nn.Module) -> None:
    """Refuse layers that mix examples or draw at random in their present mode."""
    for name, layer in model.named_modules():
        where = f"{name or 'the model itself'} ({type(layer).__name__})"
        if isinstance(layer, _BATCH_NORMS):
            if layer.training:
                raise ValueError(
                    f"model has {where} in training mode, where the statistics of the batch tie the examples together "
                    "and a per-example gradient is not defined; call model.eval() first"
                )
            if layer.running_mean is None:
                raise ValueError(
                    f"model has {where} without running statistics: it uses those of the batch in evaluation mode "
                    "too, and a per-example gradient is not defined; build it with track_running_stats=True"
                )
        elif layer.training and _random(layer):
            raise ValueError(
                f"model has {where} in training mode, where it draws a new mask in every pass; call model.eval() first"
            )


def _random(layer: nn.Module) -> bool:
    rate = layer.p if isinstance(layer, nn.modules.dropout._DropoutNd) else getattr(layer, "dropout", 0)
    return isinstance(rate, float) and rate > 0


def _refuse_integers(name: str) -> Callable:
    def hook(layer: nn.Module, arguments: tuple) -> None:
        for tensor in arguments:
            if isinstance(tensor, Tensor) and not (tensor.is_floating_point() or tensor.is_complex()):
                raise TypeError(
                    f"inputs reach the layer {name or 'at the top'} ({type(layer).__name__}) as {tensor.dtype}; "
                    f"it needs floating-point numbers, such as inputs.to({layer.weight.dtype})"
                )

    return hook
