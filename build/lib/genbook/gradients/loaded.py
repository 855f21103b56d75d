"""All examples of a measurement: one batch that was given whole, or the batches of an iterable, one at a time."""

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from genbook.gradients.arguments import Inputs
from genbook.gradients.batch import Batch, numbered
from genbook.gradients.refusals import Refused

Data = Inputs | Iterable
"""Inputs as in `Inputs`; or, where no targets are given, an iterable of batches, such as a DataLoader."""


class Batches:
    """The batches of a measurement, gone through as often as needed."""

    def __init__(
        self,
        replicas: int | None,
        inputs: Data,
        targets: Tensor | None,
        groups: Tensor | Sequence | None = None,
        group_names: Sequence[str] | None = None,
        chunk_size: int | None = None,
        devices: Sequence[torch.device] = (),
    ):
        """See `coherence` for the arguments; `devices` are those of the model."""
        self.m, self._axis = 0, 1 if replicas else 0
        self.names: tuple[str, ...] = ()
        self._batch = lambda inputs, targets, groups, names: Batch(
            replicas, inputs, targets, groups, names, chunk_size, devices
        )
        self._loader: Iterable = ()
        self._only: Batch | None = None
        if targets is None and isinstance(inputs, Mapping):
            inputs, targets = _pair(inputs, "inputs")
        if targets is not None:
            self._only = self._batch(inputs, targets, groups, group_names)
            self.names = self._only.names
            return
        if isinstance(inputs, Tensor) or not isinstance(inputs, Iterable):
            raise TypeError(
                f"targets are missing, and inputs is {type(inputs).__name__}; without targets it must be an iterable "
                "of batches, such as a DataLoader"
            )
        self._loader, self._labels = inputs, None
        if groups is not None:
            self._labels, self.names = numbered(groups, group_names)
        elif group_names is not None:
            raise ValueError("group_names are given without groups")
        self._start = _Randomness(inputs)

    @property
    def alone(self) -> bool:
        """Whether all examples are known to come in one chunk."""
        return self._only is not None and self._only.chunks == 1

    def refuse_once(self, why: str) -> None:
        """Refuse what can be gone through only once."""
        if self._only is None and isinstance(self._loader, Iterator):
            raise ValueError(
                f"inputs is {type(self._loader).__name__}, an iterator that gives its batches once, and {why}; give a "
                "list of batches or a DataLoader"
            )

    def __iter__(self) -> Iterator[Batch]:
        """The batches; `m` afterwards is the number of examples in all of them."""
        self.m = 0
        for batch in self._loaded() if self._only is None else [self._only]:
            self.m += batch.m
            yield batch

    def again(self) -> Iterator[Batch]:
        """The batches once more, with the random numbers of the first time: a shuffled order repeats itself."""
        if self._only is None:
            self._start.put_back()
        yield from self

    def _loaded(self) -> Iterator[Batch]:
        for k, batch in enumerate(self._loader):
            inputs, targets = _pair(batch, f"batch {k}")
            labels = None
            if self._labels is not None:
                labels = self._labels[..., self.m : self.m + _length(targets, self._axis)]
            yield self._batch(inputs, targets, labels, self.names or None)
        if self.m == 0:
            raise ValueError("inputs are empty; coherence needs at least one example")
        if self._labels is not None and self._labels.shape[-1] != self.m:
            raise ValueError(
                f"groups have the shape {list(self._labels.shape)}; they need one label per example, [{self.m}]"
            )

    def refuse_other(self, before: Tensor, again: Tensor) -> None:
        """Refuse examples whose losses [R, m] are not those of the first time."""
        if before.shape == again.shape:
            apart = (before - again).abs() > torch.finfo(before.dtype).eps ** 0.5 * before.abs()
            if not bool(apart.any()):
                return
        raise Refused(
            f"inputs ({type(self._loader).__name__}) give other examples, or in another order, when they are gone "
            "through again, which alignments need: draw augmentations once and for all, do not shuffle in a way that "
            "PyTorch's, NumPy's and Python's generators do not decide, or set alignments=False"
        )


def _pair(batch: Any, called: str) -> tuple[Inputs, Tensor]:
    """Inputs and targets of one batch."""
    if isinstance(batch, Mapping):
        if "labels" not in batch:
            raise TypeError(
                f"{called} is a mapping without 'labels' but with {', '.join(map(repr, batch))}; give targets, or have "
                "them under 'labels'"
            )
        return {name: value for name, value in batch.items() if name != "labels"}, batch["labels"]
    if isinstance(batch, list | tuple) and len(batch) == 2:
        return batch[0], batch[1]
    what = f"has {len(batch)} parts" if isinstance(batch, list | tuple) else f"is {type(batch).__name__}"
    raise TypeError(
        f"{called} {what}; it must be a pair (inputs, targets), where inputs may be a tuple or a mapping, or a mapping "
        "with 'labels'"
    )


def _length(targets: object, axis: int) -> int:
    return targets.shape[axis] if isinstance(targets, Tensor) and targets.dim() > axis else 0


class _Randomness:
    """The states of the generators that a loader may draw its order and its augmentations from."""

    def __init__(self, loader: object):
        holders = (loader, *(getattr(loader, name, None) for name in ("sampler", "batch_sampler", "dataset")))
        found = {getattr(holder, "generator", None) for holder in holders}
        self._own = [(g, g.get_state()) for g in found if isinstance(g, torch.Generator)]
        self._states = torch.get_rng_state(), np.random.get_state(), random.getstate()

    def put_back(self) -> None:
        """As at the beginning."""
        torch.set_rng_state(self._states[0])
        np.random.set_state(self._states[1])
        random.setstate(self._states[2])
        for generator, state in self._own:
            generator.set_state(state)
