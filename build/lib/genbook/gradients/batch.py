"""The examples of a measurement: checked, put in the order of their groups, cut into chunks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from genbook.gradients.arguments import Arguments, Inputs


@dataclass(frozen=True)
class Chunk:
    """Some of the examples, with where each group begins and ends among them."""

    columns: slice
    inputs: Arguments
    targets: Tensor
    bounds: list[list[int]]
    """For every replica K + 1 offsets into the chunk; one entry alone where all replicas agree."""
    axis: int
    """That of the examples: 1 for a stack."""

    def some(self, rows: Sequence[int]) -> tuple[Arguments, Tensor]:
        """Inputs and targets of some of the examples."""
        return picked(self.inputs, self.targets, rows, self.axis)


def picked(inputs: Arguments, targets: Tensor, rows: Sequence[int], axis: int) -> tuple[Arguments, Tensor]:
    """Some of the rows along an axis, in the order asked for."""

    def some(tensor: Tensor) -> Tensor:
        return tensor.index_select(axis, torch.tensor(rows, device=tensor.device))

    return inputs.each(some), some(targets)


class Batch:
    """The m examples of R replicas (None for a plain module), sorted by group so that a group is a slice."""

    def __init__(
        self,
        replicas: int | None,
        inputs: Inputs | Arguments,
        targets: Tensor,
        groups: Tensor | Sequence | None = None,
        group_names: Sequence[str] | None = None,
        chunk_size: int | None = None,
        devices: Sequence[torch.device] = (),
    ):
        """Refuse what does not fit together; see `coherence` for the arguments.

        Examples that lie on none of `devices` come to the first of them, a chunk at a time.
        """
        if not isinstance(targets, Tensor):
            raise TypeError(f"targets is {type(targets).__name__}; it must be a tensor")
        self.replicas, self.inputs, self.targets, self.devices = replicas, Arguments(inputs), targets, devices
        lead = 2 if replicas else 1
        for name, tensor in self.inputs.tensors.items():
            self._refuse_lead(name, tensor, lead)
        self.m = targets.shape[lead - 1]
        if self.m == 0:
            raise ValueError("inputs are empty; coherence needs at least one example")
        if chunk_size is not None and (int(chunk_size) != chunk_size or chunk_size < 1):
            raise ValueError(f"chunk_size is {chunk_size}; it must be a positive number of examples, or None for all")
        self.chunk_size = min(int(chunk_size or self.m), self.m)
        self._group(groups, group_names)

    def _refuse_lead(self, name: str, tensor: Tensor, lead: int) -> None:
        replicas = self.replicas
        if tensor.dim() < lead or self.targets.shape[:lead] != tensor.shape[:lead]:
            several = "" if name == "inputs" else "; what all examples share is given as Shared(...)"
            raise ValueError(
                f"{name} {tuple(tensor.shape)} and targets {tuple(self.targets.shape)} must begin alike, with "
                + (f"the {replicas} replicas and the number of examples" if replicas else "the number of examples")
                + several
            )
        if replicas and tensor.shape[0] != replicas:
            raise ValueError(
                f"{name} have {tensor.shape[0]} replicas, the model {replicas}; inputs that all replicas share are "
                "given as inputs.expand(R, ...)"
            )

    def _group(self, groups: Tensor | Sequence | None, names: Sequence[str] | None) -> None:
        if groups is None:
            if names is not None:
                raise ValueError("group_names are given without groups")
            self.labels, self.order = None, None
            self.names: tuple[str, ...] = ()
            return
        labels, self.names = numbered(groups, names)
        shape = (self.replicas or 1, self.m)
        if labels.shape not in {(self.m,), shape}:
            wanted = f"[{self.m}]" + (f" or [{self.replicas}, {self.m}]" if self.replicas else "")
            raise ValueError(f"groups have the shape {list(labels.shape)}; they need one label per example, {wanted}")
        self.labels = labels.expand(shape)
        in_order = bool((self.labels.diff(dim=1) >= 0).all())
        self.order = None if in_order else self.labels.argsort(dim=1, stable=True)

    @property
    def chunks(self) -> int:
        """How many chunks there are."""
        return -(-self.m // self.chunk_size)

    @property
    def counts(self) -> Tensor:
        """Examples of every group, [R, K]."""
        if self.labels is None:
            return torch.full((self.replicas or 1, 1), self.m)
        return torch.stack([row.bincount(minlength=len(self.names)) for row in self.labels]).cpu()

    def __iter__(self) -> Iterator[Chunk]:
        """The chunks, group after group."""
        for start in range(0, self.m, self.chunk_size):
            columns = slice(start, min(start + self.chunk_size, self.m))
            inputs, targets = self._near(
                self.inputs.each(lambda tensor: self._take(tensor, columns)),  # noqa: B023
                self._take(self.targets, columns),
            )
            yield Chunk(columns, inputs, targets, self._bounds(columns), self.axis)

    def _near(self, inputs: Arguments, targets: Tensor) -> tuple[Arguments, Tensor]:
        """On the device of the model, in whatever memory they lie."""
        if self.devices and inputs.device not in self.devices:
            inputs = inputs.on(self.devices[0])
        if self.devices and targets.device not in self.devices:
            targets = targets.to(self.devices[0])
        return inputs, targets

    @property
    def whole(self) -> Chunk:
        """All examples at once."""
        (chunk,) = self
        return chunk

    @property
    def as_given(self) -> tuple[Arguments, Tensor]:
        """Inputs and targets of all examples, in the order in which they were given."""
        return self._near(self.inputs, self.targets)

    @property
    def axis(self) -> int:
        """That of the examples."""
        return 1 if self.replicas else 0

    def some(self, examples: Sequence[int]) -> tuple[Arguments, Tensor]:
        """Inputs and targets of some of the examples, in the order in which they were given."""
        return self._near(*picked(self.inputs, self.targets, examples, self.axis))

    def given(self, replica: int, place: int) -> int:
        """Where the example at a place of the sorted ones was given."""
        return place if self.order is None else int(self.order[min(replica, len(self.order) - 1), place])

    def _take(self, tensor: Tensor, columns: slice) -> Tensor:
        if self.order is None:
            return tensor[:, columns] if self.replicas else tensor[columns]
        order = self.order[:, columns].to(tensor.device)
        if not self.replicas:
            return tensor[order[0]]
        return tensor[torch.arange(self.replicas, device=order.device).unsqueeze(1), order]

    def _bounds(self, columns: slice) -> list[list[int]]:
        size = columns.stop - columns.start
        if self.labels is None:
            return [[0, size]]
        labels = self.labels if self.order is None else self.labels.gather(1, self.order)
        edges = torch.arange(1, len(self.names), device=labels.device).expand(len(labels), -1).contiguous()
        inner = torch.searchsorted(labels[:, columns].contiguous(), edges).tolist()
        bounds = [[0, *row, size] for row in inner]
        return bounds[:1] if all(row == bounds[0] for row in bounds) else bounds

    def in_given_order(self, values: Tensor) -> Tensor:
        """Values [R, P, m] of the sorted examples, back in the order in which they were given."""
        if self.order is None:
            return values
        places = self.order.to(values.device).unsqueeze(1).expand_as(values)
        return torch.empty_like(values).scatter_(2, places, values)


def numbered(groups: Tensor | Sequence, names: Sequence[str] | None) -> tuple[Tensor, tuple[str, ...]]:
    """Labels 0 to K − 1 and the names of the groups."""
    values = groups.detach().cpu().numpy() if isinstance(groups, Tensor) else np.asarray(groups)
    if values.dtype.kind in "US":
        if names is None:
            names = tuple(str(name) for name in np.unique(values))
        unknown = set(np.unique(values).tolist()) - set(names)
        if unknown:
            raise ValueError(f"groups has the labels {sorted(unknown)}, which are not in group_names {list(names)}")
        place = {name: k for k, name in enumerate(names)}
        numbers = np.vectorize(place.__getitem__, otypes=[np.int64])(values)
        return torch.from_numpy(numbers), tuple(names)
    if values.dtype.kind not in "biu":
        raise TypeError(f"groups hold {values.dtype}; labels are booleans, integers from 0, or strings")
    if values.size and values.min() < 0:
        raise ValueError(f"groups hold the label {values.min()}; labels are booleans, integers from 0, or strings")
    number = 2 if values.dtype.kind == "b" else int(values.max(initial=0)) + 1
    if names is None:
        names = ("False", "True") if values.dtype.kind == "b" else tuple(str(k) for k in range(number))
    if len(names) < number:
        raise ValueError(f"group_names has {len(names)} names, but groups hold labels up to {number - 1}")
    return torch.from_numpy(values.astype(np.int64)), tuple(names)
