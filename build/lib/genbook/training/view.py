"""What a probe sees: some replicas of one stack at one moment, and the sets of examples that they were given."""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from genbook.base.errors import TrainingError
from genbook.models import StackedLayer, written
from genbook.training.batches import batch_last, pool
from genbook.training.losses import LOSSES, Loss
from genbook.training.replica import Replica

# Rows of R x examples in one forward pass: keeps what a probe holds at once small; of images, whose layers are wider.
_ROWS, _IMAGES = 1 << 15, 1 << 12


@dataclass
class Sets:
    """The sets of examples of some replicas on the device, loaded when first asked for."""

    replicas: list[Replica]
    outputs: int
    device: torch.device
    _cache: dict = field(default_factory=dict)

    @property
    def loss(self) -> Loss:
        """The loss that these replicas are trained on."""
        return LOSSES[self.replicas[0].recipe.loss]

    def _get(self, on: str, what: str, load):
        for replica in self.replicas:
            if on not in replica.data:
                raise TrainingError(
                    f"a probe asks for examples {on!r}; a replica has {', '.join(map(repr, replica.data))}"
                )
        if (on, what) not in self._cache:
            self._cache[on, what] = load()
        return self._cache[on, what]

    def inputs(self, on: str) -> Tensor:
        """[R, n, ...]; without a copy where all replicas share one set."""

        def load() -> Tensor:
            distinct, places = pool([r.data[on].inputs for r in self.replicas], self.device)
            if len(distinct) == 1:
                return distinct.expand(len(self.replicas), *distinct.shape[1:])
            return distinct[places]

        return self._get(on, "inputs", load)

    def targets(self, on: str, labels: str = "given") -> Tensor:
        """[R, n] or [R, n, C]: labels as "given" to the network, or "true" (as given where there was no corruption)."""

        def load() -> Tensor:
            rows = []
            for replica in self.replicas:
                examples = replica.data[on]
                chosen = examples.labels if labels == "given" or examples.true_labels is None else examples.true_labels
                rows.append(self.loss.targets(chosen, self.outputs, replica.dtype))
            return torch.stack(rows).to(self.device)

        return self._get(on, labels, load)

    def groups(self, on: str) -> dict[str, Tensor]:
        """Boolean masks [R, n] by name; a replica without the group has an empty one."""

        def load() -> dict[str, Tensor]:
            names = dict.fromkeys(name for r in self.replicas for name in r.data[on].groups)
            empty = torch.zeros(len(self.replicas[0].data[on]), dtype=torch.bool)
            return {
                name: torch.stack([r.data[on].groups.get(name, empty) for r in self.replicas]).to(self.device)
                for name in names
            }

        return self._get(on, "groups", load)


class View:
    """R replicas of one stack after `step` updates; at their ends, after as many as each has made.

    Attributes:
        model: the stacked module, in evaluation mode; probes must leave its parameters as they are.
        replicas: their settings, in the order of the stack.
        step: updates made, [R] at their ends; `epoch` is `step` over the steps of an epoch.
        sets: their examples.
        initial: the trained parameters at the start, [R, ...] each, in the order of `model.parameters()`.
    """

    def __init__(self, model: nn.Module, sets: Sets, step: int | np.ndarray, initial: Sequence[Tensor]):
        """A view is made by the engine."""
        self.model, self.sets, self.step, self.initial = model, sets, step, initial
        self.replicas = sets.replicas
        self.epoch = step / sets.replicas[0].steps_per_epoch
        self._outputs: dict[str, Tensor] = {}

    @property
    def loss(self) -> Loss:
        """The loss that these replicas are trained on."""
        return self.sets.loss

    @torch.no_grad()
    def outputs(self, on: str) -> Tensor:
        """The networks' outputs on a set, batch last: [R, C, n]; computed once a view."""
        if on not in self._outputs:
            inputs = self.sets.inputs(on)
            if inputs.dim() == 3 and written.is_mlp(self.model):
                parts = self._written(self.model, inputs)
            else:
                parts = self._called(inputs)
            self._outputs[on] = torch.cat(list(parts), dim=2)
        return self._outputs[on]

    def _called(self, inputs: Tensor) -> Iterator[Tensor]:
        chunk = max(1, (_IMAGES if inputs.dim() > 4 else _ROWS) // len(inputs))
        for part in inputs.split(chunk, dim=1):
            yield self.model(part).transpose(1, 2)

    @staticmethod
    def _written(model: nn.Sequential, inputs: Tensor) -> Iterator[Tensor]:
        buffers = written.Buffers()
        for part in inputs.split(written.chunk_of(model), dim=1):
            yield written.forward(model, part.transpose(1, 2), buffers)[1].clone()

    def values(self, on: str, labels: str = "given") -> Tensor:
        """The loss of each example, [R, n]."""
        return self.loss.values(self.outputs(on), batch_last(self.sets.targets(on, labels)))

    def correct(self, on: str, labels: str = "given") -> Tensor:
        """Whether each example is classified as labelled, [R, n]."""
        return self.loss.correct(self.outputs(on), batch_last(self.sets.targets(on, labels)))

    def substack(self, places: Sequence[int]) -> "View":
        """The same view of some of its replicas."""
        rows = torch.tensor(places, device=self.sets.device)
        model = copy.deepcopy(self.model)
        for layer in model.modules():
            if isinstance(layer, StackedLayer):
                for parameter in layer.parameters():
                    parameter.data = parameter.data[rows]
                for name, buffer in layer.named_buffers():
                    setattr(layer, name, buffer[rows])
        sets = Sets([self.replicas[p] for p in places], self.sets.outputs, self.sets.device)
        view = View(model, sets, self.step, [start[rows] for start in self.initial])
        view._outputs = {on: outputs[rows] for on, outputs in self._outputs.items()}
        return view
