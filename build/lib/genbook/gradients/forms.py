"""Per-example gradients of one parameter, kept as the factors that they are made of.

Every form holds the gradients g_i of m examples in R replicas and answers the few questions that coherence asks,
without writing the gradients down where that is dearer. A plain module is R = 1.

- `Outer`: a dense layer, g_i = b_i a_iᵀ (Goodfellow 2015, "Efficient per-example gradient computations").
- `OuterSum`: a weight used at T positions, g_i = Σ_t b_it a_itᵀ (Li et al. 2022, "Large language models can be strong
  differentially private learners", section 4); groups of a convolution are an axis.
- `Rows`: an embedding, whose gradient is zero but for the rows that the example looked up.
- `Explicit`: the gradient itself, for parameters of a size where nothing is saved.
"""

import math
from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor

# Multiply-adds that cost as much time as moving one number to memory and back. It decides whether the gradients of a
# layer are written down; measured on a CPU, where the ratio of arithmetic to traffic is smallest.
_FLOPS_PER_NUMBER = 12


# Entries of the largest temporary that a product for the alignments may need.
_BLOCK = 1 << 20
# Entries up to which `vector_norm` adds float32 squares to seven digits; over millions it keeps four (einsum three).
_PIECE = 1024


def product(first: Tensor, second: Tensor) -> Tensor:
    """first @ second, [R, ., .]; a batch of one is a plain product, for which libraries are up to ten times faster."""
    return (first[0] @ second[0]).unsqueeze(0) if len(first) == 1 else first @ second


def dot(first: Tensor, second: Tensor) -> Tensor:
    """Inner products over the last axis, to seven digits in float32."""
    return torch.linalg.vecdot(first, second)


def squared(rows: Tensor) -> Tensor:
    """Squared norms over the last axis, to seven digits in float32 and without a temporary of the size of `rows`."""
    n = rows.shape[-1]
    whole = n - n % _PIECE
    if n < 2 * _PIECE:
        return torch.linalg.vector_norm(rows, dim=-1).square_()
    pieces = torch.linalg.vector_norm(rows[..., :whole].unflatten(-1, (-1, _PIECE)), dim=-1)
    return pieces.square_().sum(-1) + torch.linalg.vector_norm(rows[..., whole:], dim=-1).square_()


def _columns(weight: Tensor | None, axes: int) -> Tensor | None:
    return None if weight is None else weight.view(*weight.shape, *[1] * axes)


Some = tuple[slice, slice | Sequence[int]]
"""Replicas and examples: a slice is a view, a list makes a copy of these alone."""


class Explicit:
    """Gradients written down, [R, m, *shape]."""

    def __init__(self, gradients: Tensor, shape: Sequence[int]):
        """`gradients` [R, m, n] with n entries of a parameter of `shape` (without the replica axis)."""
        self.gradients = gradients
        self.shape = tuple(shape)

    def __getitem__(self, rows: Some) -> "Explicit":
        """The gradients of some replicas and examples."""
        return Explicit(self.gradients[rows], self.shape)

    @cached_property
    def squared_norms(self) -> Tensor:
        """‖g_i‖², [R, m]."""
        return squared(self.gradients)

    def total(self, weights: Tensor | None = None) -> Tensor:
        """Σ w_i g_i, [R, *shape]; `weights` [R, m], by default ones."""
        g = self.gradients
        total = g.sum(1) if weights is None else product(weights.unsqueeze(1), g).squeeze(1)
        return total.view(len(g), *self.shape)

    def dots(self, direction: Tensor) -> Tensor:
        """g_i · direction, [R, m]; `direction` [R, *shape]."""
        return product(self.gradients, direction.reshape(len(direction), -1, 1)).squeeze(2)

    def second_moment(self) -> Tensor:
        """Σ g_i² by coordinate, [R, *shape]."""
        return dot(self.gradients.mT, self.gradients.mT).view(len(self.gradients), *self.shape)

    def gram(self, other: "Explicit") -> Tensor:
        """g_i · g'_j, [R, m, m']."""
        return product(self.gradients, other.gradients.mT)

    def explicit(self) -> Tensor:
        """The gradients, [R, m, n]."""
        return self.gradients


class Outer:
    """g_i = b_i a_iᵀ with a [R, m, p] and b [R, m, q]; the parameter is [R, q, p]."""

    def __init__(self, a: Tensor, b: Tensor, a_squared: Tensor | None = None, b_squared: Tensor | None = None):
        """`a_squared`, `b_squared` [R, m]: squared norms of the rows where they are known."""
        self.a, self.b = a, b
        self.shape = (b.shape[-1], a.shape[-1])
        self._squared = a_squared, b_squared

    def __getitem__(self, rows: Some) -> "Outer":
        """The gradients of some replicas and examples."""
        return Outer(self.a[rows], self.b[rows])

    @cached_property
    def squared_norms(self) -> Tensor:
        """‖g_i‖² = ‖a_i‖² ‖b_i‖², [R, m]."""
        a, b = self._squared
        return (squared(self.a) if a is None else a) * (squared(self.b) if b is None else b)

    def total(self, weights: Tensor | None = None) -> Tensor:
        """Σ w_i g_i, [R, q, p]; `weights` [R, m], by default ones."""
        b = self.b if weights is None else self.b * weights.unsqueeze(2)
        return product(b.mT, self.a)

    def dots(self, direction: Tensor) -> Tensor:
        """g_i · D = b_i · D a_i, [R, m]; `direction` D [R, q, p]."""
        a, b, direction = self.a, self.b, direction.mT
        if self.shape[0] > self.shape[1]:
            a, b, direction = b, a, direction.mT
        rows = max(1, _BLOCK // (len(a) * b.shape[2]))
        if rows >= a.shape[1]:
            return product(a, direction).mul_(b).sum(2)
        blocks = zip(a.split(rows, 1), b.split(rows, 1), strict=True)
        return torch.cat([product(x, direction).mul_(y).sum(2) for x, y in blocks], 1)

    def second_moment(self) -> Tensor:
        """Σ g_i² by coordinate, [R, q, p]."""
        return product(self.b.square().mT, self.a.square())

    def shares(self, bias: Explicit) -> bool:
        """Whether the gradients of a bias are b: the same memory, not a copy of it."""
        g = bias.gradients
        return g.data_ptr() == self.b.data_ptr() and g.shape == self.b.shape and g.stride() == self.b.stride()

    def gram(self, other: "Outer", bias: bool = False) -> Tensor:
        """(a_i · a'_j)(b_i · b'_j), [R, m, m']; `bias` adds that of a bias with the gradients b."""
        inputs = product(self.a, other.a.mT)
        return (inputs.add_(1) if bias else inputs).mul_(product(self.b, other.b.mT))

    def explicit(self) -> Tensor:
        """The gradients, [R, m, q·p]."""
        return (self.b.unsqueeze(3) * self.a.unsqueeze(2)).flatten(2)


def _rows(factors: Tensor) -> Tensor:
    """[R, m, G, T, p] to [R·G, m·T, p]: one product for the positions of all examples."""
    return factors.transpose(1, 2).flatten(2, 3).flatten(0, 1)


class OuterSum:
    """g_i = Σ_t b_it a_itᵀ with a [R, m, G, T, p] and b [R, m, G, T, q]; the parameter is [R, G·q, p].

    The G groups of a convolution are blocks of rows of the parameter; a dense layer has one.
    """

    def __init__(self, a: Tensor, b: Tensor, shape: Sequence[int]):
        """`shape` of the parameter without the replica axis, with G·q·p entries."""
        self.a, self.b = a, b
        self.shape = tuple(shape)

    def __getitem__(self, rows: Some) -> "OuterSum":
        """The gradients of some replicas and examples."""
        some = OuterSum(self.a[rows], self.b[rows], self.shape)
        if "_gradients" in self.__dict__:
            some._gradients = self._gradients[rows]
        return some

    @property
    def sizes(self) -> tuple[int, int, int]:
        """T, p and q."""
        return *self.a.shape[3:], self.b.shape[-1]

    @property
    def materialised(self) -> bool:
        """Whether writing the gradients down is cheaper than products between positions."""
        positions, p, q = self.sizes
        return positions * (p + q) > p * q * (1 + _FLOPS_PER_NUMBER / positions)

    @cached_property
    def _gradients(self) -> Tensor:
        return (self.b.mT @ self.a).flatten(2)

    @cached_property
    def squared_norms(self) -> Tensor:
        """‖g_i‖² = Σ_tt' (a_it · a_it')(b_it · b_it'), [R, m]."""
        if self.materialised:
            return squared(self._gradients)
        return (self.a @ self.a.mT).mul_(self.b @ self.b.mT).sum((2, 3, 4))

    def total(self, weights: Tensor | None = None) -> Tensor:
        """Σ w_i g_i, [R, *shape]; `weights` [R, m], by default ones."""
        if self.materialised:
            return Explicit(self._gradients, self.shape).total(weights)
        a, b = _rows(self.a), _rows(self.b if weights is None else self.b * _columns(weights, 3))
        return product(b.mT, a).view(len(self.a), *self.shape)

    def dots(self, direction: Tensor) -> Tensor:
        """g_i · D, [R, m]; `direction` D [R, *shape]."""
        if self.materialised:
            return Explicit(self._gradients, self.shape).dots(direction)
        replicas, m, groups, positions, p = self.a.shape
        outputs = product(_rows(self.a), direction.reshape(replicas * groups, -1, p).mT)
        return outputs.mul_(_rows(self.b)).sum(2).view(replicas, groups, m, positions).sum((1, 3))

    def second_moment(self) -> Tensor:
        """Σ g_i² by coordinate, [R, *shape]."""
        return Explicit(self._gradients, self.shape).second_moment()

    def gram(self, other: "OuterSum") -> Tensor:
        """g_i · g'_j, [R, m, m']; between positions where T is small, else between gradients written down."""
        positions, p, q = self.sizes
        theirs = other.sizes[0]
        if positions * theirs * (p + q) > p * q:
            return product(self._gradients, other._gradients.mT)
        mine_a, mine_b, their_a, their_b = (
            x.transpose(1, 2).flatten(2, 3) for x in (self.a, self.b, other.a, other.b)
        )  # [R, G, m·T, .]
        pairs = (mine_a @ their_a.mT).mul_(mine_b @ their_b.mT).sum(1)
        return pairs.view(len(pairs), self.a.shape[1], positions, other.a.shape[1], theirs).sum((2, 4))

    def explicit(self) -> Tensor:
        """The gradients, [R, m, n]."""
        return self._gradients


class Rows:
    """Gradients of an embedding [R, N, d]: example i adds b_it to row k_it; k [R, m, T], b [R, m, T, d]."""

    def __init__(self, indices: Tensor, b: Tensor, rows: int):
        """`rows` is N."""
        self.indices, self.b, self.rows = indices, b, rows
        self.shape = (rows, b.shape[-1])

    def __getitem__(self, rows: Some) -> "Rows":
        """The gradients of some replicas and examples."""
        return Rows(self.indices[rows], self.b[rows], self.rows)

    @cached_property
    def _merged(self) -> tuple[Tensor, Tensor]:
        """Sums over the positions at which one example looked up one row: keys (example·N + row) and vectors."""
        examples = torch.arange(self.indices.shape[:2].numel(), device=self.b.device).view(-1, 1)
        keys = (examples * self.rows + self.indices.flatten(0, 1)).flatten()
        keys, places = torch.unique(keys, return_inverse=True)
        sums = self.b.new_zeros(len(keys), self.shape[1]).index_add_(0, places, self.b.reshape(-1, self.shape[1]))
        return keys, sums

    @cached_property
    def squared_norms(self) -> Tensor:
        """‖g_i‖², [R, m]."""
        keys, sums = self._merged
        norms = self.b.new_zeros(self.indices.shape[:2].numel())
        return norms.index_add_(0, keys // self.rows, dot(sums, sums)).view(self.indices.shape[:2])

    def _table(self, values: Tensor, keys: Tensor) -> Tensor:
        """Add vectors to the rows of [R, N, d]."""
        replicas = len(self.indices)
        table = values.new_zeros(replicas * self.rows, self.shape[1])
        return table.index_add_(0, keys, values).view(replicas, *self.shape)

    def total(self, weights: Tensor | None = None) -> Tensor:
        """Σ w_i g_i, [R, N, d]; `weights` [R, m], by default ones."""
        b = self.b if weights is None else self.b * _columns(weights, 2)
        shift = torch.arange(len(self.indices), device=b.device).view(-1, 1, 1) * self.rows
        return self._table(b.reshape(-1, self.shape[1]), (self.indices + shift).flatten())

    def dots(self, direction: Tensor) -> Tensor:
        """g_i · D, [R, m]; `direction` D [R, N, d]."""
        replica = torch.arange(len(direction), device=direction.device).view(-1, 1, 1)
        return dot(direction[replica, self.indices], self.b).sum(2)

    def second_moment(self) -> Tensor:
        """Σ g_i² by coordinate, [R, N, d]."""
        keys, sums = self._merged
        replica = keys // (self.rows * self.indices.shape[1])
        return self._table(sums.square(), replica * self.rows + keys % self.rows)

    def gram(self, other: "Rows") -> Tensor:
        """g_i · g'_j = Σ_tt' [k_it = k'_jt'] b_it · b'_jt', [R, m, m']."""
        mine, theirs = self.indices.flatten(1), other.indices.flatten(1)
        pairs = product(self.b.flatten(1, 2), other.b.flatten(1, 2).mT)
        pairs.mul_(mine.unsqueeze(2) == theirs.unsqueeze(1))
        return pairs.view(*self.indices.shape, *other.indices.shape[1:]).sum((2, 4))

    def explicit(self) -> Tensor:
        """The gradients, [R, m, N·d]."""
        replicas, m, _ = self.indices.shape
        flat = self.b.new_zeros(replicas * m * self.rows, self.shape[1])
        keys, sums = self._merged
        return flat.index_add_(0, keys, sums).view(replicas, m, -1)


Form = Explicit | Outer | OuterSum | Rows


def as_positions(form: Outer | OuterSum) -> OuterSum:
    """An outer product as a sum over one position."""
    if isinstance(form, OuterSum):
        return form
    return OuterSum(form.a[:, :, None, None], form.b[:, :, None, None], form.shape)


def added(forms: Sequence[Form]) -> Form:
    """The gradients of a parameter that is used several times: the sum over its uses, before any square."""
    if len(forms) == 1:
        return forms[0]
    if all(isinstance(form, Outer | OuterSum) for form in forms):
        uses = [as_positions(form) for form in forms]
        if len({(use.a.shape[2], use.a.shape[-1], use.b.shape[-1]) for use in uses}) == 1:
            return OuterSum(torch.cat([u.a for u in uses], 3), torch.cat([u.b for u in uses], 3), uses[0].shape)
    if all(isinstance(form, Rows) for form in forms):
        return Rows(torch.cat([f.indices for f in forms], 2), torch.cat([f.b for f in forms], 2), forms[0].rows)
    total = forms[0].explicit()
    for form in forms[1:]:
        total = total + form.explicit()
    return Explicit(total, forms[0].shape)


def numel(form: Form) -> int:
    """Entries of the parameter in one replica."""
    return math.prod(form.shape)
