"""How much memory a grid needs and how much there is, so that a run is refused before it starts and not hours in."""

import copy
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from genbook.base.errors import TrainingError
from genbook.base.recipes import SGD
from genbook.training.replica import Replica

_GIB = 2**30


def replica_bytes(replica: Replica) -> int:
    """What one replica holds while it trains: parameters, their start, gradient, optimiser state, two activations each.

    An estimate from the sizes of the layers' outputs; probes and the allocator come on top.
    """
    inputs, parameters = replica.data["train"].inputs, sum(p.numel() for p in replica.model.parameters())
    outputs = sum(layer_outputs(replica))
    optimiser = replica.recipe.optimiser
    states = (1 if optimiser.momentum else 0) if isinstance(optimiser, SGD) else 2
    activations = replica.batch_size * (inputs[0].numel() + 2 * outputs)
    # Labels, and an epoch's batches: which examples, and their labels.
    labels = 3 * 8 * len(inputs)
    # Parameters and optimiser state three times: as they are, as they were when all was last known to be finite, and
    # when that was last asked; the start, the gradient, and rates and decays where they differ.
    return (parameters * (8 + 3 * states) + activations) * replica.dtype.itemsize + labels


def layer_outputs(replica: Replica) -> list[int]:
    """The entries of each layer's outputs on one example."""
    model = copy.deepcopy(replica.model).to("cpu", replica.dtype).eval()
    found: list[int] = []

    def count(layer: nn.Module, arguments: tuple, output: object) -> None:
        found.append(output.numel() if isinstance(output, torch.Tensor) else 0)

    for layer in model.modules():
        if not list(layer.children()):
            layer.register_forward_hook(count)
    with torch.no_grad():
        model(replica.data["train"].inputs[:1].to("cpu"))
    return found


def data_bytes(replicas: Sequence[Replica]) -> int:
    """What the distinct sets of inputs of some replicas take."""
    distinct = {id(e.inputs): e.inputs for r in replicas for e in r.data.values()}
    return sum(t.numel() * t.element_size() for t in distinct.values())


def free_bytes(device: torch.device) -> int | None:
    """Free memory of the device, within the limit that the system sets this process; `None` where it does not say."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    free = []
    meminfo, limit = Path("/proc/meminfo"), Path("/sys/fs/cgroup/memory.max")
    if meminfo.is_file():
        lines = dict(line.split(":", 1) for line in meminfo.read_text().splitlines())
        free.append(int(lines["MemAvailable"].split()[0]) * 1024)
    if limit.is_file() and limit.read_text().strip() != "max":
        free.append(int(limit.read_text()) - int(limit.with_name("memory.current").read_text()))
    return min(free, default=None)


def refuse_too_many(replicas: Sequence[Replica], device: torch.device, free: int | None = None) -> None:
    """Raise TrainingError where the replicas of one stack need more memory than there is, and say what a shard is.

    Args:
        replicas: of one stack.
        device: where they are to train.
        free: bytes to go by instead of what the device says.
    """
    free = free_bytes(device) if free is None else free
    if free is None:
        return
    each, shared = replica_bytes(replicas[0]), data_bytes(replicas)
    need = each * len(replicas) + shared
    if need <= free:
        return
    fit = max(0, int((free - shared) * 0.9) // each)
    advice = (
        f"train them in shards of at most {fit}" if fit else "one alone does not fit: take a smaller network or batch"
    )
    raise TrainingError(
        f"{len(replicas)} replicas need about {need / _GIB:.3g} GiB ({each / _GIB:.3g} GiB each, data "
        f"{shared / _GIB:.3g} GiB), and {device} has {free / _GIB:.3g} GiB free; {advice}"
    )
