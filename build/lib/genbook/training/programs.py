"""How a stack of replicas computes its gradients: by autograd for any network, written out for plain MLPs.

A program holds the flat vector of all its replicas' parameters, of which its stacked modules' parameters are views.
"""

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from genbook.base.errors import TrainingError
from genbook.base.seeding import INITIALISATION, generator
from genbook.gradients import RunningMean, robust_average
from genbook.gradients.forms import Explicit, Form, Outer
from genbook.models import StackedConv1d, StackedConv2d, StackedLayer, initialise, stack, written
from genbook.models.dropout import dropout_at, has_dropout, tell_streams
from genbook.models.kinds import RANDOM, is_from_elsewhere
from genbook.training.batches import Batches
from genbook.training.layout import Layout
from genbook.training.losses import LOSSES, EarlyTargets
from genbook.training.memory import layer_outputs
from genbook.training.replica import Replica

#: Examples on which a network from elsewhere is compared in the stack and alone.
_TRIED = 3
#: Entries of a convolutional network's widest layer on a batch, and of all replicas that pass at once: what one layer
#: hands to the next stays in a processor's cache. Beyond the first number a convolution alone is at its fastest.
_APART, _TOGETHER = 1 << 17, 1 << 20


def initial_model(replica: Replica) -> nn.Module:
    """The plain network of a replica at its start, on the CPU, in the precision of its inputs."""
    seed = replica.seed if replica.init_seed is None else replica.init_seed
    model = copy.deepcopy(replica.model).to("cpu", replica.dtype)
    initialise(model, generator(seed, INITIALISATION), replica.recipe.init_scale)
    if replica.initialise is not None:
        with torch.no_grad():
            replica.initialise(model)
    return model.train()


def outputs_of(replica: Replica) -> int:
    """The number of outputs C of a replica's network, by its answer to one example."""
    examples = replica.data["train"].inputs[:1].to("cpu")
    model = copy.deepcopy(replica.model).to("cpu", replica.dtype).eval()
    with torch.no_grad():
        outputs = model(examples)
    if outputs.dim() != 2:
        raise TrainingError(f"the network answers one example with shape {tuple(outputs.shape)}; it must be [1, C]")
    return outputs.shape[1]


def _refuse_other_outputs(module: nn.Module, plain: Sequence[nn.Module], replicas: Sequence[Replica]) -> None:
    """Raise `TrainingError` where networks give other outputs in the stack than alone, on a few examples.

    A forward pass that is neither PyTorch's nor ours may count axes from the front, where a stack has its replicas.
    """
    elsewhere = dict.fromkeys(type(part).__name__ for part in plain[0].modules() if is_from_elsewhere(part))
    if not elsewhere:
        return
    inputs = torch.stack([replica.data["train"].inputs[:_TRIED].to("cpu") for replica in replicas])
    module.eval()
    with torch.no_grad():
        try:
            outputs = module(inputs)
            alike = all(
                torch.allclose(outputs[place], plain[place].eval()(inputs[place]), rtol=1e-3, atol=1e-5)
                for place in {0, len(plain) - 1}
            )
        except (RuntimeError, ValueError, IndexError, TypeError, AttributeError):
            alike = False
    module.train()
    if not alike:
        raise TrainingError(
            f"{', '.join(elsewhere)}: the network gives other outputs in a stack of replicas [R, B, ...] than alone; "
            "count axes from the end, as in softmax(-1), or use layers of torch.nn, which a stack knows"
        )


def _keep_rows(module: nn.Module, rows: Tensor) -> None:
    """Forget the frozen parameters and the buffers of other replicas."""
    for layer in module.modules():
        if isinstance(layer, StackedLayer):
            for parameter in layer.parameters():
                if not parameter.requires_grad:
                    parameter.data = parameter.data[rows]
            for name, buffer in layer.named_buffers():
                setattr(layer, name, buffer[rows])


class StackedProgram:
    """Replicas of one architecture, gradients by autograd.

    On a processor convolutional networks pass in parts of the stack, and wide ones in two dimensions one after another.
    """

    def __init__(self, replicas: Sequence[Replica], device: torch.device):
        """Draw the initial weights of `replicas` and lay them out."""
        self.loss = LOSSES[replicas[0].recipe.loss]
        plain = [initial_model(replica) for replica in replicas]
        try:
            self.modules = self._parts(plain, replicas, device)
        except TypeError as error:
            raise TrainingError(str(error)) from None
        for places, module in self.modules:
            _refuse_other_outputs(module, plain[places[0] : places[-1] + 1], replicas[places[0] : places[-1] + 1])
            module.to(device)
        self._augmented = replicas[0].recipe.augmentation is not None
        self._seeds = [replica.seed for replica in replicas] if has_dropout(plain[0]) else None
        members = range(len(replicas))
        trained = [p for p in self.module.parameters() if p.requires_grad]
        if not trained:
            raise TrainingError("the network has no trained parameter: all are frozen, or there are none")
        self.layout = Layout([(members, p.shape[1:]) for p in trained])
        parts = [[p.detach() for p in module.parameters() if p.requires_grad] for _, module in self.modules]
        self.parameters = torch.cat([p.flatten() for pieces in zip(*parts, strict=True) for p in pieces])
        self.gradient = torch.zeros_like(self.parameters)
        self._early = self._early_targets(replicas)
        self._alias()

    def _early_targets(self, replicas: Sequence[Replica]) -> EarlyTargets | None:
        rule, examples = replicas[0].recipe.early_learning, len(replicas[0].data["train"])
        if rule is None:
            return None
        return EarlyTargets(rule, len(replicas), examples, outputs_of(replicas[0]), self.parameters)

    def _parts(
        self, plain: Sequence[nn.Module], replicas: Sequence[Replica], device: torch.device
    ) -> list[tuple[list[int], nn.Module]]:
        """Stacked modules with the places of their replicas, which lie side by side."""
        places, whole = list(range(len(plain))), stack(plain)
        size = self._together(whole, replicas[0], device) or len(plain)
        if size >= len(plain):
            return [(places, whole)]
        parts = [places[start : start + size] for start in range(0, len(plain), size)]
        return [(part, stack([plain[place] for place in part])) for part in parts]

    def _together(self, module: nn.Module, replica: Replica, device: torch.device) -> int | None:
        """How many replicas pass at once; None is all."""
        kinds = {type(layer) for layer in module.modules()}
        if device.type != "cpu" or not kinds & {StackedConv1d, StackedConv2d}:
            return None
        entries = replica.batch_size * max(layer_outputs(replica))
        return 1 if StackedConv2d in kinds and entries >= _APART else max(1, _TOGETHER // entries)

    @property
    def capturable(self) -> bool:
        """Whether each step launches the same kernels on the same memory, as far as the layers are known for it."""
        known = not any(is_from_elsewhere(part) or isinstance(part, RANDOM) for part in self.module.modules())
        return known and self._seeds is None and not self._augmented  # what is drawn on the CPU is no part of a graph

    @property
    def module(self) -> Any:
        """The stack, or its first part."""
        return self.modules[0][1]

    def trained(self, flat: Tensor) -> list[list[Tensor]]:
        """The parts of a flat vector that belong to each module's trained parameters, in their order."""
        return [
            [block.view(flat)[places[0] : places[-1] + 1] for block in self.layout.blocks] for places, _ in self.modules
        ]

    def _alias(self) -> None:
        views = zip(self.modules, self.trained(self.parameters), self.trained(self.gradient), strict=True)
        for (_, module), values, gradients in views:
            trained = (p for p in module.parameters() if p.requires_grad)
            for parameter, value, gradient in zip(trained, values, gradients, strict=True):
                parameter.data = value
                parameter.grad = gradient

    def keep(self, keep: Sequence[int]) -> Tensor:
        """Forget the replicas that are not in `keep`; returns where the entries kept lay in the flat vector."""
        self.layout, entries = self.layout.kept(keep, self.parameters.device)
        self.parameters, self.gradient = self.parameters[entries], self.gradient[entries]
        parts, number = [], {place: k for k, place in enumerate(keep)}
        for places, module in self.modules:
            staying = [row for row, place in enumerate(places) if place in number]
            if staying:
                _keep_rows(module, torch.tensor(staying, dtype=torch.long, device=self.parameters.device))
                parts.append(([number[places[row]] for row in staying], module))
        self.modules = parts
        self._seeds = None if self._seeds is None else [self._seeds[place] for place in keep]
        if self._early is not None:
            self._early.keep(keep)
        self._alias()
        return entries

    def compute_gradient(self, batches: Batches, step: int) -> None:
        """Fill `gradient` with that of each replica's mean loss on its batch."""
        inputs, targets = batches.at(step)
        inputs = inputs.expand(len(targets), *inputs.shape[1:])
        self.gradient.zero_()
        for places, module in self.modules:
            part = slice(places[0], places[-1] + 1)
            if self._seeds is not None:
                tell_streams(module, [generator(seed, dropout_at(step)) for seed in self._seeds[part]])
            outputs = module(inputs[part])
            found = outputs.detach().transpose(1, 2).contiguous()
            outputs.backward(self._by_outputs(found, targets[part], batches, step, part).transpose(1, 2))

    def _by_outputs(
        self, outputs: Tensor, targets: Tensor, batches: Batches, step: int, part: slice = slice(None)
    ) -> Tensor:
        """The gradient of what is minimised, of the replicas of a part, by their outputs [R, C, B]."""
        gradient = self.loss.gradient(outputs, targets)
        if self._early is not None:
            gradient.add_(self._early.gradient(outputs, batches.rows_at(step)[part], part))
        return gradient

    def extra_state(self) -> dict[str, Tensor]:
        """What a program carries from step to step besides parameters and buffers."""
        return {} if self._early is None else {"early targets": self._early.targets}

    def restore_extra_state(self, state: dict[str, Tensor]) -> None:
        """Go on from a saved `extra_state`."""
        if self._early is not None:
            self._early.restore(state["early targets"])


class AveragedProgram(StackedProgram):
    """Replicas of one architecture, a robust average in the place of the mean gradient; a rule takes all at once."""

    def _together(self, module: nn.Module, replica: Replica, device: torch.device) -> int | None:
        return None

    def __init__(self, replicas: Sequence[Replica], device: torch.device):
        """Draw the initial weights of `replicas` and lay them out."""
        super().__init__(replicas, device)
        average = replicas[0].recipe.average
        assert average is not None, "a stack without a robust average is a StackedProgram"
        self.rule = robust_average(average)
        if self._seeds is not None:
            raise TrainingError("a robust average compares the examples of one network; leave its Dropout out")

    @property
    def capturable(self) -> bool:
        """Not where the lens captures per-example gradients: it checks them on the way."""
        return False

    def keep(self, keep: Sequence[int]) -> Tensor:
        """Forget the replicas that are not in `keep`, in the rule's memory too."""
        rows = torch.tensor(keep, dtype=torch.long, device=self.parameters.device)
        self.rule.restore({name: values[rows] for name, values in self.rule.state().items()})
        return super().keep(keep)

    def compute_gradient(self, batches: Batches, step: int) -> None:
        """Fill `gradient` with the rule's average over each replica's batch."""
        inputs, targets = batches.at(step)
        inputs = inputs.expand(len(targets), *inputs.shape[1:])
        targets = targets if targets.dim() == 2 else targets.transpose(1, 2)
        self.rule.backward(self.module, self.loss.module(), inputs, targets)

    def extra_state(self) -> dict[str, Tensor]:
        """The gradients that the rule remembers."""
        return self.rule.state()

    def restore_extra_state(self, state: dict[str, Tensor]) -> None:
        """Go on from a saved `extra_state`."""
        self.rule.restore({name: values.to(self.parameters.device) for name, values in state.items()})


class WrittenProgram(StackedProgram):
    """MLPs with the backward pass written out, batch last; products go straight into `gradient`."""

    def __init__(self, replicas: Sequence[Replica], device: torch.device):
        """Draw the initial weights of `replicas` and lay them out."""
        super().__init__(replicas, device)
        self._buffers = written.Buffers()

    @torch.no_grad()
    def compute_gradient(self, batches: Batches, step: int) -> None:
        """Fill `gradient` with that of each replica's mean loss on its batch."""
        inputs, targets = batches.at(step)
        hidden, outputs = written.forward(self.module, inputs.transpose(1, 2), self._buffers, shared=batches.one)
        by_outputs = self._by_outputs(outputs, targets, batches, step)
        for place, h, gradient in written.backward(self.module, hidden, by_outputs, self._buffers):
            layer: Any = self.module[place]
            if batches.one and place == 0:
                torch.mm(gradient.flatten(0, 1), h[0].T, out=layer.weight.grad.flatten(0, 1))
            else:
                torch.bmm(gradient, h.transpose(1, 2), out=layer.weight.grad)
            if layer.bias is not None:
                torch.sum(gradient, 2, out=layer.bias.grad)


class WrittenAveragedProgram(AveragedProgram):
    """MLPs with a robust average: the passes written out, each layer's gradients handed to the rule as factors."""

    def __init__(self, replicas: Sequence[Replica], device: torch.device):
        """Draw the initial weights of `replicas` and lay them out."""
        super().__init__(replicas, device)
        self._buffers = written.Buffers()

    @property
    def capturable(self) -> bool:
        """Where the rule carries nothing from step to step."""
        return not isinstance(self.rule, RunningMean)

    @torch.no_grad()
    def compute_gradient(self, batches: Batches, step: int) -> None:
        """Fill `gradient` with the rule's average over each replica's batch; zero where it has none yet."""
        inputs, targets = batches.at(step)
        hidden, outputs = written.forward(self.module, inputs.transpose(1, 2), self._buffers, shared=batches.one)
        # by each example's own loss, of which the batch's is the mean
        by_outputs = self.loss.gradient(outputs, targets).mul_(batches.size)
        forms: dict[str, Form] = {}
        for place, h, gradient in written.backward(self.module, hidden, by_outputs, self._buffers):
            b = gradient.transpose(1, 2)
            forms[f"{place}.weight"] = Outer(h.transpose(1, 2).expand(len(b), -1, -1), b)
            layer: Any = self.module[place]
            if layer.bias is not None:
                forms[f"{place}.bias"] = Explicit(b, b.shape[2:])
        averages = self.rule.combined(forms, batches.size)
        if not averages:
            self.gradient.zero_()
        for name, average in averages.items():
            whole = self.module.get_parameter(name).grad
            assert whole is not None, "each parameter's gradient is a view of the flat one"
            whole.copy_(average)
