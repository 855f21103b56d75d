"""A few examples, compared with backward passes of their own while the answer is made.

Of every form that is sent on, the factors of the examples drawn are kept, and nothing else of it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from genbook.gradients.arguments import Arguments
from genbook.gradients.batch import Batch, Chunk
from genbook.gradients.forms import Form, Outer, squared
from genbook.gradients.planning import Plan

_SEED = 0
_FINE = {torch.float64: 1e-8, torch.float32: 1e-3, torch.bfloat16: 0.2, torch.float16: 0.1}
"""Allowed of a parameter's gradient."""
_COARSE = {torch.float64: 1e-8, torch.float32: 0.1, torch.bfloat16: 0.5, torch.float16: 0.5}
"""Allowed of it all where the form is the gradient in the batch: a ReLU may round to the other side of zero there."""
_FLOOR = 1e-3
"""Of what is allowed, taken of the whole gradient: what is zero but for rounding has no digits of its own."""

_ENTRIES = 1 << 16
"""Of an outer product that are compared: an example that is taken for another differs in all of them."""

Gradient = dict[str, Tensor]


@dataclass(frozen=True)
class Difference:
    """A gradient that is not that of the example's own backward pass, apart by a fraction of its whole length."""

    name: str
    example: int
    fraction: float


class Check:
    """The examples of a batch that are due to be compared."""

    def __init__(self, check: int | str, plan: Plan, batch: Batch):
        """Draw `check` examples, or take "all"; none where the plan has been checked before."""
        if check != "all" and (isinstance(check, str) or int(check) != check or check < 0):
            raise ValueError(f'check is {check!r}; it must be a number of examples from 0 on, or "all"')
        self.plan, self.batch = plan, batch
        if check == "all":
            self.due = set(range(batch.m))
        elif plan.checked:
            self.due = set()
        else:
            draw = torch.randperm(batch.m, generator=torch.Generator().manual_seed(_SEED))
            self.due = set(draw[:check].tolist())

    def of(self, chunk: Chunk) -> "Picked | None":
        """The examples of a chunk that are due, which they are only once."""
        places = sorted(self.due.intersection(range(chunk.columns.start, chunk.columns.stop)))
        self.due.difference_update(places)
        return Picked(places, chunk) if places else None

    def passed(self) -> None:
        """All that was drawn has been compared."""
        self.plan.checked = self.plan.checked or not self.due


class Picked:
    """The examples of one chunk to compare, and the factors of their gradients."""

    def __init__(self, places: Sequence[int], chunk: Chunk):
        """`places` in the batch."""
        self.places, self.chunk = places, chunk
        self.rows = [place - chunk.columns.start for place in places]
        self.forms: dict[str, Form] = {}

    def keep(self, name: str, form: Form) -> None:
        """Copies of the factors of these examples."""
        self.forms[name] = form[:, torch.tensor(self.rows)]

    def compare(
        self, gradient: Callable[[Arguments, Tensor, int], Gradient], batch: Batch, dtype: torch.dtype
    ) -> Difference | None:
        """The first difference, or None.

        `gradient` gives that of one example's loss, [R, *shape] by name, from a backward pass over inputs and targets.
        """
        for k, place in enumerate(self.places):
            for name, (replica, fraction) in self._confirmed(k, gradient, dtype).items():
                return Difference(name, batch.given(replica, place), fraction)
        return None

    def _confirmed(
        self, k: int, gradient: Callable[[Arguments, Tensor, int], Gradient], dtype: torch.dtype
    ) -> dict[str, tuple[int, float]]:
        """The differences of the k-th example, unless it rounds otherwise alone than in the batch."""
        found = self._differences(k, gradient(*self.chunk.some([self.rows[k]]), 0), _FINE[dtype])
        if not found or any(fraction > _COARSE[dtype] for _, fraction in found.values()):
            return found
        return self._differences(k, gradient(self.chunk.inputs, self.chunk.targets, self.rows[k]), _FINE[dtype])

    def wrong(self, gradient: Callable[[Arguments, Tensor, int], Gradient], dtype: torch.dtype) -> set[str]:
        """The parameters that are kept and differ in any example."""
        return {
            name
            for k, row in enumerate(self.rows)
            for name in self._differences(k, gradient(*self.chunk.some([row]), 0), _FINE[dtype])
        }

    def _differences(self, k: int, own: Gradient, tolerance: float) -> dict[str, tuple[int, float]]:
        """The parameters in which the k-th example's form is not the gradient `own`: replica, and how far apart."""
        forms = {name: form[:, k : k + 1] for name, form in self.forms.items()}
        squares = {name: form.squared_norms[:, 0] for name, form in forms.items()}
        whole = sum(squares.values())
        found = {}
        for name, form in forms.items():
            apart = _squared_distance(form, own[name])
            wrong = (apart > tolerance**2 * (squares[name] + _FLOOR**2 * whole)) & apart.isfinite()
            if wrong.any():
                replica = int(wrong.nonzero()[0])
                found[name] = replica, float((apart / whole)[replica].sqrt())
        return found


def _squared_distance(form: Form, gradient: Tensor) -> Tensor:
    """‖G − g‖² of a gradient [R, *shape] and one example's form, [R]; of a large b aᵀ by rows spread over it."""
    if not isinstance(form, Outer):
        return squared(gradient.reshape(len(gradient), -1) - form.explicit()[:, 0])
    step = -(-form.shape[0] * form.shape[1] // _ENTRIES)
    apart = torch.addcmul(gradient[:, ::step], form.b.mT[:, ::step], form.a, value=-1)
    return squared(apart.flatten(1)) * step
