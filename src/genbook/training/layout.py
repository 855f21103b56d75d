"""Where each replica's parameters lie in the flat vector that the optimiser steps through."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Block:
    """K replicas' values of one parameter, side by side: [K, *shape] from `start` on."""

    replicas: tuple[int, ...]
    shape: tuple[int, ...]
    start: int

    @property
    def size(self) -> int:
        """Entries a replica."""
        return math.prod(self.shape)

    @property
    def stop(self) -> int:
        """One past the last entry."""
        return self.start + len(self.replicas) * self.size

    def view(self, flat: Tensor) -> Tensor:
        """The block of a flat vector as [K, *shape]."""
        return flat[self.start : self.stop].view(len(self.replicas), *self.shape)


class Layout:
    """Blocks in the order in which they lie; replicas are numbered by their place in the stack."""

    def __init__(self, blocks: Sequence[tuple[Sequence[int], Sequence[int]]]):
        """`blocks` are pairs of (replicas, shape of one replica's parameter)."""
        self.blocks: list[Block] = []
        start = 0
        for replicas, shape in blocks:
            self.blocks.append(Block(tuple(replicas), tuple(shape), start))
            start = self.blocks[-1].stop
        self.size = start

    def kept(self, keep: Sequence[int], device: torch.device) -> tuple["Layout", Tensor]:
        """The layout of the replicas `keep`, renumbered in their order, and where its entries lie in this one."""
        number = {replica: place for place, replica in enumerate(keep)}
        pieces, blocks = [], []
        for block in self.blocks:
            rows = [row for row, replica in enumerate(block.replicas) if replica in number]
            starts = block.start + torch.tensor(rows, dtype=torch.long) * block.size
            pieces.append((starts.unsqueeze(1) + torch.arange(block.size)).flatten())
            blocks.append(([number[block.replicas[row]] for row in rows], block.shape))
        return Layout([b for b in blocks if b[0]]), torch.cat(pieces).to(device)

    def by_entry(self, values: Sequence[float], like: Tensor) -> Tensor:
        """Each replica's value at all of its entries of the flat vector, [size], with the type of `like`."""
        counts = [size for block in self.blocks for size in [block.size] * len(block.replicas)]
        each = [values[replica] for block in self.blocks for replica in block.replicas]
        there = torch.tensor(each, dtype=like.dtype).repeat_interleave(torch.tensor(counts))
        return there.to(like.device)

    def entries(self, replicas: int) -> list[int]:
        """How many entries of the flat vector are each replica's."""
        counts = [0] * replicas
        for block in self.blocks:
            for replica in block.replicas:
                counts[replica] += block.size
        return counts

    def by_replica(self, flat: Tensor, replicas: int) -> Tensor:
        """Sums over each replica's entries, [R]."""
        sums = flat.new_zeros(replicas)
        for block in self.blocks:
            index = torch.tensor(block.replicas, device=flat.device)
            sums.index_add_(0, index, block.view(flat).flatten(1).sum(1))
        return sums
