"""One forward and one backward pass in which every layer hands over the form of its per-example gradients.

A hook on each layer tells of its calls: in the two small passes of a `Plan`, which decide where rows are examples, and
in every pass that measures, where a `Tap` is put behind them. The batch is the first axis of the model's inputs (the
second one of a stack, after the replicas). Parameters used without a layer are seen in the functions that use them.
What neither accounts for in a pass (an expert that meets some of the examples) is found by walking the graph of that
pass, and gets its gradients from one backward pass per example.
"""

import contextlib
import functools
import warnings
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from genbook import models
from genbook.gradients import planning
from genbook.gradients.arguments import Arguments
from genbook.gradients.batch import Batch, Chunk, picked
from genbook.gradients.check import Check, Difference, Example, Picked
from genbook.gradients.culprits import Generators, refuse_draws
from genbook.gradients.fallback import written
from genbook.gradients.forms import Explicit, Form
from genbook.gradients.losses import Loss, per_example
from genbook.gradients.planning import Plan
from genbook.gradients.refusals import BATCH_NORMS, Refused, called, refuse_integers, refuse_script
from genbook.gradients.rules import RULES, Layer, rule_for
from genbook.gradients.taps import Pass, Sink, Watcher

_DENSE = (nn.Linear, nn.Conv1d, nn.Conv2d, models.StackedLinear, models.StackedConv1d, models.StackedConv2d)


class Capture:
    """The hooks on one model, for any number of passes; a context manager that removes them at its end."""

    def __init__(self, model: nn.Module, loss: Loss):
        """Hold a model and the losses of examples; see `losses.per_example` for `loss`.

        Raises:
            TypeError: if `model` is no module, or `loss` no function.
            Refused: if the model has nothing to train.
        """
        if not isinstance(model, nn.Module):
            raise TypeError(f"model is {type(model).__name__}; it must be a torch.nn.Module")
        self.model, self.loss = model, loss
        self.criterion = per_example(loss)
        self.replicas = replicas_of(model)
        self.axis = 1 if self.replicas else 0
        self.modules = dict(model.named_modules())
        self.names = {p: name for name, p in model.named_parameters() if p.requires_grad}
        if not self.names:
            raise Refused("model has no parameter that requires a gradient; there is nothing to measure")
        # PyTorch's backward pass through BatchNorm in evaluation mode is wrong for a single example on CPUs (2.12).
        self._fewest = 2 if any(isinstance(layer, BATCH_NORMS) for layer in self.modules.values()) else 1
        self._anchor = torch.zeros((), requires_grad=True)  # a loss that reaches no parameter has a graph, too
        self._autocast: contextlib.AbstractContextManager = contextlib.nullcontext()
        self._watcher: Watcher | None = None
        self._told: set[str] = set()
        self._handles: list[RemovableHandle] = []
        self._looking = False

    @property
    def devices(self) -> list[torch.device]:
        """Those on which the model lies, that of its first trained parameter first."""
        own = (t for m in self.modules.values() for of in (m._parameters, m._buffers) for t in of.values())
        return list(dict.fromkeys(t.device for t in (*self.names, *own) if t is not None))

    @property
    def parameters(self) -> dict[str, Tensor]:
        """Those trained, by name."""
        return {name: p for p, name in self.names.items()}

    @property
    def shapes(self) -> dict[str, torch.Size]:
        """The shape of every trained parameter in one replica."""
        return {name: p.shape[1:] if self.replicas else p.shape for p, name in self.names.items()}

    def __enter__(self) -> "Capture":
        """Look after autocast: where the caller has it on, it is for the model's forward pass alone."""
        device = next(iter(self.names)).device.type
        with contextlib.ExitStack() as left:
            if torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device):
                self._autocast = torch.autocast(device, torch.get_autocast_dtype(device))
                left.enter_context(torch.autocast(device, enabled=False))
            self._left = left.pop_all()
        return self

    def __exit__(self, *exception) -> None:
        """Take the hooks off."""
        for handle in self._handles:
            handle.remove()
        self._left.close()

    # -- hooks ---------------------------------------------------------------------------------------------------------

    @functools.cached_property
    def layers(self) -> list[Layer]:
        """The modules with a rule and trained parameters of their own."""
        found = []
        for name, module in self.modules.items():
            refuse_script(name, module)
            rule = rule_for(module) if module._parameters else None
            if rule is None:
                continue
            own = {k: self.names[p] for k, p in module._parameters.items() if p in self.names and k in rule.parameters}
            if own:
                found.append(Layer(name, module, own, rule))
        return found

    @functools.cached_property
    def state(self) -> tuple:
        """What of the modules has to be equal for a plan to hold: kinds, modes, hooks of others, rules."""
        return tuple(
            (
                type(m),
                m.training,
                len(m._forward_hooks),
                len(m._forward_pre_hooks),
                "forward" in vars(m),
                RULES.get(type(m)),
            )
            for m in self.modules.values()
        )

    def hook(self) -> None:
        """Be told of what layers were called on and what they gave."""
        if not self._handles:
            # A rule speaks of the layer's own call, between the hooks of others.
            self._handles += [
                layer.module.register_forward_hook(self._after(layer), prepend=True, with_kwargs=True)
                for layer in self.layers
            ]

    def look(self) -> None:
        """Be told, too, when a layer is about to be called, as those need to be who look at functions."""
        self.hook()
        if not self._looking:
            self._looking = True
            for name, module in self.modules.items():
                if isinstance(module, _DENSE):
                    self._handles.append(module.register_forward_pre_hook(refuse_integers(name)))
            self._handles += [layer.module.register_forward_pre_hook(self._before(layer)) for layer in self.layers]

    def _before(self, layer: Layer) -> Callable:
        def hook(module: nn.Module, arguments: tuple) -> None:
            if self._watcher is not None:
                self._watcher.begins(layer)

        return hook

    def _after(self, layer: Layer) -> Callable:
        def hook(module: nn.Module, arguments: tuple, keywords: dict, output: object) -> Tensor | None:
            if self._watcher is None:
                return None
            given = (*arguments, *keywords.values())
            alone = len(given) == 1 and isinstance(given[0], Tensor)
            return self._watcher.called(layer, given[0] if alone else None, output)

        return hook

    # -- passes --------------------------------------------------------------------------------------------------------

    def prepare(self, batch: Batch, check: int | str = 3) -> None:
        """Find or make the plan for these examples, and draw those to check unless the plan has been checked.

        Raises:
            Refused: for what has no per-example gradient, or none that can be told.
        """
        self.plan = planning.plan_for(self, batch)
        self.look() if self.plan.uses else self.hook()
        self.check = Check(check, self.plan, batch)

    def run(self, chunk: Chunk, sink: Sink) -> Tensor:
        """Send the form of every parameter's gradients over these examples to `sink`; returns the losses [R, m].

        A parameter that does not reach the loss sends zeros. Needs `prepare` for the batch of the chunk.
        """
        due = self.check.of(chunk)
        if due:
            sink = _both(sink, due.keep)
        losses = self.send(chunk, sink)
        if self.plan.unknown:
            self._tell(self.plan.unknown, "torch.func")
        if due:
            self._refuse_difference(due.compare(self.gradient, self.check.batch, self._precision))
            self.check.passed()
        return losses

    def send(self, chunk: Chunk, sink: Sink) -> Tensor:
        """As `run`, without a check."""
        m = chunk.columns.stop - chunk.columns.start
        inputs, targets = chunk.some([0] * self._fewest) if m < self._fewest else (chunk.inputs, chunk.targets)
        wanted = sink if m >= self._fewest else lambda name, form: sink(name, form[:, :m])
        taps = Pass(self._lead(targets), inputs.device, self.plan, self.parameters)
        losses = self._tapped(taps, inputs, targets)
        outside = {self.names[p] for p in taps.unaccounted(losses) & self.names.keys()} | self.plan.disproved
        if outside - self.plan.disproved and not self.plan.looked_into:
            taps.calls.clear()  # see `Pass.backward`
            planning.look_into(self.plan, self, self.check.batch)
            return self.send(chunk, sink)
        with self._watched_by(taps):  # a checkpoint calls layers again
            sent = taps.backward(losses, wanted, outside)
        outside |= taps.failed
        self._failed, self._precision = taps.failed, taps.half or losses.dtype
        if outside:
            self._outside(outside)
            for name, form in self._one_by_one(chunk, outside).items():
                sink(name, form)
        losses = losses.detach()[:, :m]
        accounted = sent | outside
        for name, shape in self.shapes.items() if len(accounted) < len(self.names) else ():
            if name not in accounted:
                sink(name, Explicit(losses.new_zeros(len(losses), 1, shape.numel()).expand(-1, m, -1), shape))
        return losses

    def _tapped(self, taps: Pass, inputs: Arguments, targets: Tensor) -> Tensor:
        try:
            return self.forward(taps, inputs, targets)[1]
        except RuntimeError as error:
            self.forward(None, inputs, targets)  # what the model itself has to say
            said = str(error).partition("\n")[0]
            raise Refused(
                f"model bears no autograd function behind its layers ({said}); take one backward pass for each example"
            ) from error

    def forward(self, watcher: Watcher | None, inputs: Arguments, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Outputs, and losses [R, m], in a pass of which `watcher` is told."""
        generators, lead = Generators(inputs.device), self._lead(targets)
        looked_into = contextlib.nullcontext() if watcher is None or watcher.uses is None else watcher.uses
        with torch.enable_grad(), self._watched_by(watcher), self._autocast, looked_into:
            outputs = inputs(self.model)
            if not isinstance(outputs, Tensor) or outputs.shape[: len(lead)] != lead:
                got = tuple(outputs.shape) if isinstance(outputs, Tensor) else type(outputs).__name__
                raise Refused(
                    f"model returned {got} for {inputs}; its outputs must be a tensor that begins "
                    f"with {'replicas and examples' if self.replicas else 'the examples'}, {tuple(lead)}"
                )
            if self.replicas:
                losses = self.criterion(outputs.flatten(0, 1), targets.flatten(0, 1)).view(lead)
            else:
                losses = self.criterion(outputs, targets).unsqueeze(0)
        refuse_draws(self.model, inputs, generators)
        return outputs, losses

    def gradient(self, examples: Sequence[Example], weights: Sequence[float] = (1.0,)) -> dict[str, Tensor]:
        """The gradient by name, [R, *shape], of a weighted sum of losses, each from a forward pass of its own."""
        return self._gradients(examples, weights, self.names)

    def _gradients(
        self, examples: Sequence[Example], weights: Sequence[float], parameters: dict[Tensor, str]
    ) -> dict[str, Tensor]:
        total = self._anchor
        for (inputs, targets, row), weight in zip(examples, weights, strict=True):
            if targets.shape[self.axis] < self._fewest:
                inputs, targets = picked(inputs, targets, [row] * self._fewest, self.axis)
            _, losses = self.forward(None, inputs, targets)
            with torch.enable_grad():
                total = total + weight * losses[:, row].sum()
        found = torch.autograd.grad(total, list(parameters), allow_unused=True, materialize_grads=True)
        return {
            name: gradient if self.replicas else gradient.unsqueeze(0)
            for name, gradient in zip(parameters.values(), found, strict=True)
        }

    def disproved(self, chunk: Chunk, plan: Plan, names: set[str]) -> set[str]:
        """Those of some parameters whose forms under a plan are not the gradients of backward passes, or that fail."""
        forms: dict[str, Form] = {}
        self.plan = plan
        self.send(chunk, forms.__setitem__)
        picked = Picked(range(chunk.columns.stop), chunk)
        for name in names:
            picked.keep(name, forms[name])
        return picked.wrong(self.gradient, self._precision) | self._failed

    def _one_by_one(self, chunk: Chunk, names: set[str]) -> dict[str, Form]:
        """The gradients of some parameters of a plain module from a loop over the examples."""
        parameters = {p: name for p, name in self.names.items() if name in names}
        rows = range(chunk.columns.stop - chunk.columns.start)
        found = [self._gradients([(*chunk.some([row]), 0)], [1.0], parameters) for row in rows]
        return {
            name: written(torch.stack([gradients[name] for gradients in found], 1), p.shape)
            for p, name in parameters.items()
        }

    def _lead(self, targets: Tensor) -> torch.Size:
        return targets.shape[: self.axis + 1]

    @contextlib.contextmanager
    def _watched_by(self, watcher: Watcher | None) -> Iterator[None]:
        before, self._watcher = self._watcher, watcher
        try:
            yield
        finally:
            self._watcher = before

    # -- what is said --------------------------------------------------------------------------------------------------

    def _outside(self, names: set[str]) -> None:
        if self.replicas:
            raise Refused(
                f"model uses {', '.join(sorted(names))} outside of its stacked layers, where the gradients per "
                "example of a stack are not known; measure its replicas one by one, from unstack()"
            )
        self._tell(", ".join(sorted(names)), "one backward pass per example")

    def _tell(self, what: str, how: str) -> None:
        message = f"coherence has no rule for {what} in this model: exact by {how}, and slower"
        if message not in self._told:
            self._told.add(message)
            warnings.warn(message, stacklevel=2)

    def _refuse_difference(self, found: Difference | None) -> None:
        if found is None:
            return
        name = found.name.rpartition(".")[0]
        raise Refused(
            f"the gradient of {found.name} for example {found.example} is not that of its own backward pass (off by "
            f"{found.fraction:.2g} of its length): {called(name, self.model.get_submodule(name))} is used in a way "
            "that is not accounted for, or examples see each other; take one backward pass for each example"
        )


def _both(first: Sink, second: Sink) -> Sink:
    def sink(name: str, form: Form) -> None:
        first(name, form)
        second(name, form)

    return sink


def replicas_of(model: nn.Module) -> int | None:
    """R of a stack, None for a plain module."""
    stacked = any(isinstance(layer, models.StackedLayer) for layer in model.modules())
    return models.replicas_of(model) if stacked else None
