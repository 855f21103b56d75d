"""A few examples, compared with backward passes of their own while the answer is made.

Of every form that is sent on, the factors of the examples drawn are kept, and nothing else of it. Each of them has a
forward pass of its own; a few share the backward pass, of a sum of their losses in which each has another weight, and
where that differs it is done once more for each.
"""

import functools
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

_TOGETHER = 8
"""Examples that are compared at once."""

_ENTRIES = 1 << 16
"""Of an outer product that are compared: an example that is taken for another differs in all of them."""

Gradient = dict[str, Tensor]
Example = tuple[Arguments, Tensor, int]
"""Inputs and targets of a pass, and the row in them."""
Backward = Callable[[Sequence[Example], Sequence[float]], Gradient]
"""The gradient, [R, *shape] by name, of the sum of examples' losses times weights."""


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

    def compare(self, gradient: Backward, batch: Batch, dtype: torch.dtype) -> Difference | None:
        """The first difference, or None."""
        for start in range(0, len(self.places), _TOGETHER):
            some = range(start, min(start + _TOGETHER, len(self.places)))
            if len(some) > 1 and not self._differ(some, gradient, dtype):
                continue
            for k in some:
                for name, (replica, fraction) in self._confirmed(k, gradient, dtype).items():
                    return Difference(name, batch.given(replica, self.places[k]), fraction)
        return None

    def _differ(self, some: Sequence[int], gradient: Backward, dtype: torch.dtype) -> bool:
        """Whether there may be a difference in any of some examples."""
        weights = [1 + k / len(some) for k in range(len(some))]
        own = gradient([self._alone(k) for k in some], weights)
        return bool(self._differences(some, own, _FINE[dtype], weights))

    def _alone(self, k: int) -> Example:
        return *self.chunk.some([self.rows[k]]), 0

    def _confirmed(self, k: int, gradient: Backward, dtype: torch.dtype) -> dict[str, tuple[int, float]]:
        """The differences of the k-th example, unless it rounds otherwise alone than in the batch."""
        found = self._differences([k], gradient([self._alone(k)], [1.0]), _FINE[dtype])
        if not found or any(fraction > _COARSE[dtype] for _, fraction in found.values()):
            return found
        own = gradient([(self.chunk.inputs, self.chunk.targets, self.rows[k])], [1.0])
        return self._differences([k], own, _FINE[dtype])

    def wrong(self, gradient: Backward, dtype: torch.dtype) -> set[str]:
        """The parameters that are kept and differ in any example."""
        return {
            name
            for k in range(len(self.rows))
            for name in self._differences([k], gradient([self._alone(k)], [1.0]), _FINE[dtype])
        }

    def _differences(
        self, some: Sequence[int], own: Gradient, tolerance: float, weights: Sequence[float] = (1.0,)
    ) -> dict[str, tuple[int, float]]:
        """The parameters in which some examples' weighted forms are not the gradient `own`: replica, how far apart."""
        factors = self._squares.new_tensor(weights)
        squares = self._squares[..., some] @ factors.square()
        whole = squares.sum(0)
        columns = slice(some[0], some[-1] + 1)
        apart = torch.stack([_squared_distance(f[:, columns], own[name], factors) for name, f in self.forms.items()])
        wrong = (apart > tolerance**2 * (squares + _FLOOR**2 * whole)) & apart.isfinite()
        if not wrong.any():
            return {}
        fractions = (apart / whole).sqrt()
        return {
            name: (replicas.index(True), float(of[replicas.index(True)]))
            for name, replicas, of in zip(self.forms, wrong.tolist(), fractions.tolist(), strict=True)
            if any(replicas)
        }

    @functools.cached_property
    def _squares(self) -> Tensor:
        """‖g_i‖² by parameter, [P, R, n]."""
        return torch.stack([form.squared_norms for form in self.forms.values()])


def _squared_distance(form: Form, gradient: Tensor, weights: Tensor) -> Tensor:
    """‖G − Σ w_i g_i‖² of a gradient [R, *shape], [R]; of large b aᵀ by rows spread over it."""
    if not isinstance(form, Outer):
        total = form.total(weights.to(form.squared_norms.dtype).expand(len(gradient), -1))
        return squared((gradient - total).reshape(len(gradient), -1))
    step = -(-form.shape[0] * form.shape[1] // _ENTRIES)
    b = form.b[:, :, ::step] * weights.to(form.b.dtype).unsqueeze(1)
    apart = torch.baddbmm(gradient[:, ::step].to(b.dtype), b.mT, form.a, alpha=-1)
    return squared(apart.flatten(1)) * step
