"""Where the examples of a batch are in a tensor: along an axis, or hidden in one that was flattened."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Place:
    """Entry (o, i, j) of an axis of outer · m · inner entries is of example i."""

    axis: int
    outer: int = 1
    inner: int = 1

    @property
    def alone(self) -> bool:
        """Whether the axis has an entry for each example."""
        return self.outer == self.inner == 1

    def length(self, m: int) -> int:
        """Of the axis for m examples."""
        return self.outer * m * self.inner

    def fits(self, tensor: Tensor, m: int) -> bool:
        """Whether a tensor may have its m examples here."""
        return tensor.dim() > self.axis and tensor.shape[self.axis] == self.length(m)

    def front(self, tensor: Tensor, m: int) -> Tensor:
        """The examples as the first axis; where they are not alone, outer and inner stay as two axes."""
        if self.alone:
            return tensor.movedim(self.axis, 0)
        return tensor.unflatten(self.axis, (self.outer, m, self.inner)).movedim(self.axis + 1, 0)

    def back(self, example: Tensor) -> Tensor:
        """One example of `front` as a batch of one."""
        if self.alone:
            return example.unsqueeze(self.axis)
        return example.flatten(self.axis, self.axis + 1)


FIRST = Place(0)
CONSTANT = "constant"
"""In the place of a `Place`: the same whatever the examples are."""


def place_of(first: Tensor, second: Tensor, sizes: tuple[int, int], places: Tensor) -> Place | None:
    """Where examples are that two batches share; `places` in the second of those that are all of the first.

    Rows of an example must be equal to half of their digits, whatever the other examples are.
    """
    small, large = sizes
    if first.dim() != second.dim() or first.dtype != second.dtype:
        return None
    for axis, (a, b) in enumerate(zip(first.shape, second.shape, strict=True)):
        others = first.shape[:axis] + first.shape[axis + 1 :], second.shape[:axis] + second.shape[axis + 1 :]
        if a == b or a % small or b != a // small * large or others[0] != others[1]:
            continue
        for outer in _divisors(a // small):
            place = Place(axis, outer, a // small // outer)
            if close(place.front(first, small), place.front(second, large).index_select(0, places)):
                return place
    return None


def _divisors(n: int) -> list[int]:
    small = [k for k in range(1, math.isqrt(n) + 1) if n % k == 0]
    return sorted({*small, *(n // k for k in small)}, key=lambda k: (k not in (1, n), k))


def close(a: Tensor, b: Tensor, floor: float = 0.0) -> bool:
    """Equal to half of the digits; what is not finite agrees with what is not."""
    if not (a.is_floating_point() or a.is_complex()):
        return a.equal(b)
    if not a.numel():
        return True
    digits = torch.finfo(a.dtype).eps ** 0.5
    if bool((a - b).abs().amax() <= digits * a.abs().amax() + floor):
        return True  # all is finite
    finite = a.isfinite() & b.isfinite()
    a, b = a.where(finite, 0), b.where(finite, 0)
    return bool(((a - b).abs() <= digits * a.abs().amax() + floor).all())
