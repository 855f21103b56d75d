"""What two small forward passes tell about a model: which calls of its layers have an example in every row.

A shape alone does not tell the batch: a sequence may be as long as the batch is large. So the number of examples is
varied, to two numbers that occur in no shape of the model or the data. A call is believed to have its examples in its
rows where the rows follow that number, and where an example's row is the same in both passes, among other examples and
in another place. An example whose loss is not the same in both passes has no gradient of its own: such a model or loss
is refused.
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
from genbook.gradients.refusals import Refused, refuse_model
from genbook.gradients.taps import Layer

if TYPE_CHECKING:
    from genbook.gradients.capture import Capture

_KEPT = 32  # plans for one model: shapes of inputs, losses, modes


@dataclass
class Plan:
    """What is known about a model, a loss and the shape of an example."""

    rows: Mapping[str, tuple[bool, ...]]
    """For the calls of every layer, in their order, whether rows are examples."""
    disproved: Set[str] = frozenset()
    """Parameters that torch.func gets wrong."""
    unknown: str = ""
    """The kinds of layers without a rule."""
    checked: bool = False
    """Whether its answers have been compared with backward passes of single examples."""

    def follows(self, layer: Layer, call: int) -> Set[str]:
        """The parameters whose gradients the k-th call of a layer accounts for."""
        rows = self.rows.get(layer.name, ())
        return set(layer.own.values()) - self.disproved if call < len(rows) and rows[call] else set()


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
    modules = tuple(
        (type(m), m.training, len(m._forward_hooks), len(m._forward_pre_hooks), "forward" in vars(m))
        for m in capture.model.modules()
    )
    data = tuple(
        (t.shape[: batch.axis], t.shape[batch.axis + 1 :], t.dtype, t.device) for t in (batch.inputs, batch.targets)
    )
    return modules, tuple(capture.names.values()), data, _of_loss(capture.loss)


def _of_loss(loss: Loss) -> tuple:
    """PyTorch's own losses are known by their settings, others as the object that they are."""
    if not type(loss).__module__.startswith("torch.nn.modules.loss"):
        return ref(loss), getattr(loss, "reduction", None), getattr(loss, "training", None)
    settings = {name: value for name, value in vars(loss).items() if isinstance(value, bool | int | float | str)}
    return type(loss), *sorted(settings.items()), *(None if b is None else b.shape for b in loss._buffers.values())


def _made(capture: Capture, batch: Batch) -> Plan:
    refuse_model(capture.model)
    tensors = (batch.inputs, batch.targets, *capture.model.parameters(), *capture.model.buffers())
    chosen = _probes(batch.m, (t.shape for t in tensors))
    first, second = Recording(), Recording()
    with unchanged(capture.model):
        outputs, losses = _probe(capture, first, batch, chosen.first)
        others, again = _probe(capture, second, batch, chosen.second)
    floor = 100 * torch.finfo(losses.dtype).eps * float(outputs.detach().abs().nan_to_num(0, 0, 0).amax())
    if not chosen.alike(losses, again, 1, floor):
        _refuse_mixing(capture, batch, chosen, chosen.alike(outputs, others, batch.axis, floor))
    known = {name: layer for name, layer in first.layers.items() if layer.rule or not (batch.replicas or name == "")}
    plan = Plan({name: _rows(first.calls[name], second.calls[name], chosen, batch.axis) for name in known})
    unknown = {name: layer for name, layer in known.items() if layer.rule is None and any(plan.rows[name])}
    if unknown:
        inputs, targets = batch.some(chosen.first)
        chunk = Chunk(slice(0, len(chosen.first)), inputs, targets, [[0, len(chosen.first)]], batch.axis)
        plan.disproved = capture.disproved(chunk, plan, {name for l in unknown.values() for name in l.own.values()})
        believed = [layer for layer in unknown.values() if set(layer.own.values()) - plan.disproved]
        plan.unknown = ", ".join(sorted({type(layer.module).__name__ for layer in believed}))
    return plan


def _probe(capture: Capture, recording: Recording, batch: Batch, chosen: Sequence[int]) -> tuple[Tensor, Tensor]:
    try:
        return capture.forward(recording, *batch.some(chosen))
    except Exception as error:
        capture.forward(None, batch.inputs, batch.targets)  # what there is to say of all examples
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
class Recording:
    """What layers were called on and what they gave, in a pass without Taps."""

    layers: dict[str, Layer] = field(default_factory=dict)
    calls: dict[str, list[tuple[Tensor | None, Tensor | None]]] = field(default_factory=lambda: defaultdict(list))

    def called(self, layer: Layer, inputs: Tensor | None, output: object) -> None:
        """Keep copies: what follows may overwrite them."""
        self.layers[layer.name] = layer
        self.calls[layer.name].append((_copy(inputs), _copy(output)))


def _copy(tensor: object) -> Tensor | None:
    return tensor.detach().clone() if isinstance(tensor, Tensor) else None


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


def _probes(m: int, shapes: Iterable[torch.Size]) -> Probes:
    """Examples spread over all m, as many as occur in none of `shapes`; repeated where there are too few."""
    taken = {m}.union(*shapes)
    sizes = (size for size in range(3, len(taken) + 5) if size not in taken)
    small, large = next(sizes), next(sizes)
    chosen = [k * m // large if m > large else k % m for k in range(large)]
    shared, others = chosen[:small], chosen[small:]
    second = [others[0], shared[0], *others[1:], *shared[1:]]
    return Probes(shared, second, [1, *range(large - small + 1, large)])


def close(a: Tensor, b: Tensor, floor: float = 0.0) -> bool:
    """Equal to half of the digits; what is not finite agrees with what is not."""
    if not (a.is_floating_point() or a.is_complex()):
        return a.equal(b)
    finite = a.isfinite() & b.isfinite()
    a, b = a.where(finite, 0), b.where(finite, 0)
    scale = a.abs().amax() if a.numel() else floor
    return bool(((a - b).abs() <= torch.finfo(a.dtype).eps ** 0.5 * scale + floor).all())


def _rows(calls: Sequence[tuple], others: Sequence[tuple], chosen: Probes, axis: int) -> tuple[bool, ...]:
    """Which calls of a layer have examples for rows."""
    pairs = zip(calls, others, strict=False)
    return tuple(all(chosen.alike(a, b, axis) for a, b in zip(call, other, strict=True)) for call, other in pairs)
