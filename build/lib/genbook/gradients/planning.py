"""What two small forward passes tell about a model: which calls of its layers have an example in every row.

A shape alone does not tell the batch: a sequence may be as long as the batch is large. So the number of examples is
varied, to two numbers that occur in no shape of the model or the data. A call is believed to have its examples in its
rows where the rows follow that number, and where an example's row is the same in both passes, among other examples and
in another place. An example whose loss is not the same in both passes has no gradient of its own: such a model or loss
is refused.

Where parameters are left that no layer with a rule accounts for, two passes more look at the functions that use them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary, ref

import torch
from torch import Tensor, nn

from genbook.gradients.batch import Batch, Chunk
from genbook.gradients.culprits import first_difference, unchanged
from genbook.gradients.losses import Loss
from genbook.gradients.operations import Use
from genbook.gradients.places import CONSTANT, Place, close, place_of
from genbook.gradients.refusals import Refused, refuse_model
from genbook.gradients.rules import Layer
from genbook.gradients.uses import Recording, copied

if TYPE_CHECKING:
    from genbook.gradients.capture import Capture

_KEPT = 32  # plans for one model: shapes of inputs, losses, modes


Rows = tuple[Place, Place] | str | None
"""Where the examples are in a layer's inputs and outputs; `CONSTANT` where there are none, None if it is not known."""


@dataclass
class Plan:
    """What is known about a model, a loss and the shape of an example."""

    rows: Mapping[str, Sequence[Rows]]
    """For the calls of every layer, in their order, where the examples are."""
    uses: Mapping[tuple, Sequence[Use | None]] = field(default_factory=dict)
    """For the calls of functions on parameters, in their order, how they use them."""
    disproved: Set[str] = frozenset()
    """Parameters whose uses are not understood: their gradients come from backward passes."""
    looked_into: bool = False
    """Whether functions have been looked at."""
    unknown: str = ""
    """The functions without a rule."""
    checked: bool = False
    """Whether its answers have been compared with backward passes of single examples."""

    def of(self, layer: Layer, call: int) -> Rows:
        """What is known of the k-th call of a layer."""
        rows = self.rows.get(layer.name, ())
        return rows[call] if call < len(rows) else None


_PLANS: WeakKeyDictionary[nn.Module, dict[tuple, Plan]] = WeakKeyDictionary()


def plan_for(capture: Capture, batch: Batch) -> Plan:
    """The plan of an earlier call on this model with such a loss and such examples, or a new one."""
    plans = _PLANS.setdefault(capture.model, {})
    try:
        key = _key(capture, batch)
        hash(key)
    except TypeError:  # a loss that cannot be remembered, such as a bound method
        return _made(capture, batch)
    if key not in plans:
        if len(plans) == _KEPT:
            plans.clear()
        plans[key] = _made(capture, batch)
    return plans[key]


def _key(capture: Capture, batch: Batch) -> tuple:
    """What has to be equal for a plan to hold: modes, hooks, trained parameters, the loss, the shape of an example."""
    given = (*batch.inputs.tensors.values(), batch.targets)
    data = tuple((t.shape[: batch.axis], t.shape[batch.axis + 1 :], t.dtype, t.device) for t in given)
    return capture.state, tuple(capture.names.values()), data, batch.inputs.key, _of_loss(capture.loss)


def _of_loss(loss: Loss) -> tuple:
    """PyTorch's own losses are known by their settings, others as the object that they are."""
    if not type(loss).__module__.startswith("torch.nn.modules.loss"):
        return ref(loss), getattr(loss, "reduction", None), getattr(loss, "training", None)
    settings = {name: value for name, value in vars(loss).items() if isinstance(value, bool | int | float | str)}
    return type(loss), *sorted(settings.items()), *(None if b is None else b.shape for b in loss._buffers.values())


def _made(capture: Capture, batch: Batch) -> Plan:
    refuse_model(capture.model)
    capture.look()
    chosen = _chosen(capture, batch)
    first, second = _Calls(), _Calls()
    with unchanged(capture.model):
        outputs, losses = _probe(capture, first, batch, chosen.first)
        others, again = _probe(capture, second, batch, chosen.second)
    floor = 100 * torch.finfo(losses.dtype).eps * float(outputs.detach().abs().nan_to_num(0, 0, 0).amax())
    if not chosen.alike(losses, again, 1, floor):
        _refuse_mixing(capture, batch, chosen, chosen.alike(outputs, others, batch.axis, floor))
    plan = Plan({name: _rows(layer, first, second, chosen, batch) for name, layer in first.layers.items()})
    known = {name for layer in first.layers.values() if all(plan.rows[layer.name]) for name in layer.own.values()}
    if not known.issuperset(capture.names.values()):
        look_into(plan, capture, batch)
    return plan


def look_into(plan: Plan, capture: Capture, batch: Batch) -> None:
    """Find out how functions use what no layer accounts for, and hold that to backward passes."""
    plan.looked_into = True
    if batch.replicas:
        return
    capture.look()
    chosen = _chosen(capture, batch)
    first = Recording(capture.parameters, plan, chosen)
    second = Recording(capture.parameters, plan, chosen, before=first)
    _probe(capture, first, batch, chosen.first)
    _probe(capture, second, batch, chosen.second)
    plan.uses = {key: tuple(uses) for key, uses in second.found.items() if any(uses)}
    names = {name for _, parameters in plan.uses for name in parameters}
    if not names:
        return
    inputs, targets = batch.some(chosen.first)
    chunk = Chunk(slice(0, len(chosen.first)), inputs, targets, [[0, len(chosen.first)]], batch.axis)
    plan.disproved = capture.disproved(chunk, plan, names)
    plan.unknown = ", ".join(
        sorted(
            {
                function
                for (function, parameters), uses in plan.uses.items()
                if any(use and use.how == "each" for use in uses) and set(parameters) - plan.disproved
            }
        )
    )


def _probe(
    capture: Capture, recording: Recording | _Calls, batch: Batch, chosen: Sequence[int]
) -> tuple[Tensor, Tensor]:
    try:
        return capture.forward(recording, *batch.some(chosen))
    except Exception as error:
        capture.forward(None, *batch.as_given)  # what there is to say of all examples
        if isinstance(error, Refused | TypeError):
            raise
        said = str(error).partition("\n")[0]
        raise Refused(
            f"model and loss run on {batch.m} examples but not on {len(chosen)} ({said}); they must take any number of "
            "examples, each on its own"
        ) from error


def _refuse_mixing(capture: Capture, batch: Batch, chosen: Probes, outputs_alike: bool) -> None:
    """Say whether it is the loss or a module in which an example depends on the others."""
    if outputs_alike:
        raise Refused(
            "loss gives an example another value among other examples, and its gradients per example are not defined; "
            "it must be a mean or a sum over examples"
        )
    first, second = (batch.some(examples)[0] for examples in (chosen.first, chosen.second))
    where = first_difference(capture.model, first, second, lambda a, b: chosen.alike(a, b, batch.axis))
    raise Refused(
        "model gives an example another output among other examples or in another pass"
        + (f", first in {where}" if where else "")
        + ": examples see each other, or the model keeps a state; a per-example gradient is not defined"
    )


@dataclass
class _Calls:
    """What layers were called on and what they gave, in a pass without Taps."""

    layers: dict[str, Layer] = field(default_factory=dict)
    calls: dict[str, list[tuple[Tensor | None, Tensor | None]]] = field(default_factory=lambda: defaultdict(list))
    uses: None = None

    def begins(self, layer: Layer) -> None:
        """Nothing to do."""

    def called(self, layer: Layer, inputs: Tensor | None, output: object) -> None:
        """Keep copies: what follows may overwrite them."""
        self.layers[layer.name] = layer
        self.calls[layer.name].append((copied(inputs), copied(output)))


@dataclass(frozen=True)
class Probes:
    """The examples of two passes: those of the first are among those of the second, in other places."""

    first: Sequence[int]
    second: Sequence[int]
    places: Sequence[int]
    """Where the examples of the first are in the second."""

    def alike(self, a: object, b: object, axis: int, floor: float = 0.0) -> bool:
        """Whether a [.., first, ..] and b [.., second, ..] agree in the examples that they share."""
        if not (isinstance(a, Tensor) and isinstance(b, Tensor) and a.dim() == b.dim() > axis):
            return False
        if (a.shape[axis], b.shape[axis]) != (len(self.first), len(self.second)):
            return False
        a, b = a.detach(), b.detach().index_select(axis, torch.tensor(self.places, device=b.device))
        return a.shape == b.shape and close(a, b, floor)

    def place(self, a: Tensor | None, b: Tensor | None) -> Place | str | None:
        """Where two tensors of the passes have their examples; `CONSTANT` where they are the same."""
        if a is None or b is None:
            return None
        if a.shape == b.shape and a.dtype == b.dtype and close(a, b):
            return CONSTANT
        sizes = len(self.first), len(self.second)
        return place_of(a, b, sizes, torch.tensor(self.places, device=b.device))


def _chosen(capture: Capture, batch: Batch) -> Probes:
    tensors = (batch.targets, *capture.model.parameters(), *capture.model.buffers())
    return _probes(batch.m, (*batch.inputs.shapes, *(t.shape for t in tensors)))


def _probes(m: int, shapes: Iterable[torch.Size]) -> Probes:
    """Examples spread over all m, as many as occur in none of `shapes`; repeated where there are too few."""
    taken = {m}.union(*shapes)
    sizes = (size for size in range(3, len(taken) + 5) if size not in taken)
    small, large = next(sizes), next(sizes)
    chosen = [k * m // large if m > large else k % m for k in range(large)]
    shared, others = chosen[:small], chosen[small:]
    second = [others[0], shared[0], *others[1:], *shared[1:]]
    return Probes(shared, second, [1, *range(large - small + 1, large)])


def _rows(layer: Layer, first: _Calls, second: _Calls, chosen: Probes, batch: Batch) -> tuple[Rows, ...]:
    """Where the calls of a layer have their examples."""
    pairs = zip(first.calls[layer.name], second.calls[layer.name], strict=False)
    return tuple(_of_call(layer, call, other, chosen, batch) for call, other in pairs)


def _of_call(layer: Layer, call: tuple, other: tuple, chosen: Probes, batch: Batch) -> Rows:
    if all(chosen.alike(a, b, batch.axis) for a, b in zip(call, other, strict=True)):
        return Place(batch.axis), Place(batch.axis)
    if batch.replicas or not layer.rule.anywhere:
        return None
    found = [chosen.place(a, b) for a, b in zip(call, other, strict=True)]
    if None in found or found.count(CONSTANT) == 1:
        return None
    return CONSTANT if found[0] is CONSTANT else (found[0], found[1])
