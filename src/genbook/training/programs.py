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
from genbook.models import StackedLayer, initialise, stack, written
from genbook.models.kinds import RANDOM, is_from_elsewhere
from genbook.training.batches import Batches
from genbook.training.layout import Layout
from genbook.training.losses import LOSSES
from genbook.training.replica import Replica

#: Examples on which a network from elsewhere is compared in the stack and alone.
_TRIED = 3


def initial_model(replica: Replica) -> nn.Module:
    """The plain network of a replica at its start, on the CPU, in the precision of its inputs."""
    seed = replica.seed if replica.init_seed is None else replica.init_seed
    model = copy.deepcopy(replica.model).to("cpu", replica.data["train"].inputs.dtype)
    initialise(model, generator(seed, INITIALISATION), replica.recipe.init_scale)
    if replica.initialise is not None:
        with torch.no_grad():
            replica.initialise(model)
    return model.train()


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


class StackedProgram:
    """Replicas of one architecture, gradients by autograd."""

    def __init__(self, replicas: Sequence[Replica], device: torch.device):
        """Draw the initial weights of `replicas` and lay them out."""
        self.loss = LOSSES[replicas[0].recipe.loss]
        plain = [initial_model(replica) for replica in replicas]
        try:
            self.module = stack(plain)
        except TypeError as error:
            raise TrainingError(str(error)) from None
        _refuse_other_outputs(self.module, plain, replicas)
        self.module.to(device)
        members = range(len(replicas))
        trained = [p for p in self.module.parameters() if p.requires_grad]
        if not trained:
            raise TrainingError("the network has no trained parameter: all are frozen, or there are none")
        self.layout = Layout([(members, p.shape[1:]) for p in trained])
        self.parameters = torch.cat([p.detach().flatten() for p in trained])
        self.gradient = torch.zeros_like(self.parameters)
        self._alias()

    @property
    def capturable(self) -> bool:
        """Whether each step launches the same kernels on the same memory, as far as the layers are known for it."""
        return not any(is_from_elsewhere(part) or isinstance(part, RANDOM) for part in self.module.modules())

    @property
    def modules(self) -> list[tuple[list[int], nn.Module]]:
        """Stacked modules with the places of their replicas."""
        return [(list(range(len(self.layout.blocks[0].replicas))), self.module)]

    def trained(self, flat: Tensor) -> list[list[Tensor]]:
        """The parts of a flat vector that belong to each module's trained parameters, in their order."""
        return [[block.view(flat) for block in self.layout.blocks]]

    def _alias(self) -> None:
        trained = (p for p in self.module.parameters() if p.requires_grad)
        for block, parameter in zip(self.layout.blocks, trained, strict=True):
            parameter.data = block.view(self.parameters)
            parameter.grad = block.view(self.gradient)

    def keep(self, keep: Sequence[int]) -> Tensor:
        """Forget the replicas that are not in `keep`; returns where the entries kept lay in the flat vector."""
        self.layout, entries = self.layout.kept(keep, self.parameters.device)
        self.parameters, self.gradient = self.parameters[entries], self.gradient[entries]
        rows = torch.tensor(keep, dtype=torch.long, device=self.parameters.device)
        for layer in self.module.modules():
            if isinstance(layer, StackedLayer):
                for parameter in layer.parameters():
                    if not parameter.requires_grad:
                        parameter.data = parameter.data[rows]
                for name, buffer in layer.named_buffers():
                    setattr(layer, name, buffer[rows])
        self._alias()
        return entries

    def compute_gradient(self, batches: Batches, step: int) -> None:
        """Fill `gradient` with that of each replica's mean loss on its batch."""
        inputs, targets = batches.at(step)
        self.gradient.zero_()
        outputs = self.module(inputs.expand(len(targets), *inputs.shape[1:]))
        by_outputs = self.loss.gradient(outputs.detach().transpose(1, 2).contiguous(), targets)
        outputs.backward(by_outputs.transpose(1, 2))

    def extra_state(self) -> dict[str, Tensor]:
        """What a program carries from step to step besides parameters and buffers."""
        return {}

    def restore_extra_state(self, state: dict[str, Tensor]) -> None:
        """Go on from a saved `extra_state`."""


class AveragedProgram(StackedProgram):
    """Replicas of one architecture, a robust average in the place of the mean gradient."""

    def __init__(self, replicas: Sequence[Replica], device: torch.device):
        """Draw the initial weights of `replicas` and lay them out."""
        super().__init__(replicas, device)
        average = replicas[0].recipe.average
        assert average is not None, "a stack without a robust average is a StackedProgram"
        self.rule = robust_average(average)

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

    module: nn.Sequential

    def __init__(self, replicas: Sequence[Replica], device: torch.device):
        """Draw the initial weights of `replicas` and lay them out."""
        super().__init__(replicas, device)
        self._buffers = written.Buffers()

    @torch.no_grad()
    def compute_gradient(self, batches: Batches, step: int) -> None:
        """Fill `gradient` with that of each replica's mean loss on its batch."""
        inputs, targets = batches.at(step)
        hidden, outputs = written.forward(self.module, inputs.transpose(1, 2), self._buffers, shared=batches.one)
        by_outputs = self.loss.gradient(outputs, targets)
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

    module: nn.Sequential

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
