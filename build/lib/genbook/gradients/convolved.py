"""Per-example gradients of a convolution: a dense layer on patches, which are cut out only as far as needed."""

import math
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.nn import functional

from genbook.gradients.forms import Explicit, OuterSum, Some

# Entries of the patches that are cut out at a time: they stay in a core's cache until they are multiplied.
_BLOCK = 1 << 18
# Rows of a product below which copying whole patches is faster than several products on shifted views.
_ROWS = 16


class Convolved(OuterSum):
    """Gradients of a weight [R, O, C/G, *kernel] with one position for each output pixel.

    Where the gradients are written down, patches are copied for a few examples at a time, and along the last axis only
    if rows are next to each other: the kernel's rows are then shifts of one array, and each gives one product.
    """

    def __init__(self, layer: nn.Module, x: Tensor, b: Tensor):
        """`x` [R, m, C, ...] the layer's inputs, `b` [R, m, O, ...] the gradients of its outputs."""
        self.layer, self.x, self.output_gradients = layer, x, b
        self.kernel, self.positions = tuple(layer.kernel_size), tuple(b.shape[3:])
        self.channels, self.outputs = x.shape[2] // layer.groups, b.shape[2] // layer.groups
        self.shape = (b.shape[2], self.channels, *self.kernel)

    def __getitem__(self, rows: Some) -> "Convolved":
        """The gradients of some replicas and examples."""
        some = Convolved(self.layer, self.x[rows], self.output_gradients[rows])
        if "_gradients" in self.__dict__:
            some._gradients = self._gradients[rows]
        return some

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Positions T, entries p of a patch, outputs q of a group."""
        return math.prod(self.positions), self.channels * math.prod(self.kernel), self.outputs

    @cached_property
    def a(self) -> Tensor:
        """All patches, [R, m, G, T, p]."""
        axes = len(self.positions)
        patches = self._patches(_padded(self.layer, self.x.flatten(0, 1)), self.positions, self.kernel)
        order = (0, 1, *range(3 + axes, 3 + 2 * axes), *range(2, 3 + axes))
        flat = patches.permute(order).flatten(2 + axes).flatten(2, 1 + axes)
        return flat.unflatten(0, self.x.shape[:2])

    @cached_property
    def b(self) -> Tensor:
        """Output gradients, [R, m, G, T, q]."""
        return self.output_gradients.flatten(3).unflatten(2, (self.layer.groups, -1)).mT

    def _patches(self, x: Tensor, positions: tuple[int, ...], kernel: tuple[int, ...]) -> Tensor:
        """What lies under the kernel at every position, [N, G, C/G, *kernel, *positions], as a view of x."""
        layer = self.layer
        batch, channel, *strides = x.stride()
        return x.as_strided(
            (len(x), layer.groups, self.channels, *kernel, *positions),
            (
                batch,
                channel * self.channels,
                channel,
                *(s * d for s, d in zip(strides, layer.dilation, strict=True)),
                *(s * step for s, step in zip(strides, layer.stride, strict=True)),
            ),
            x.storage_offset(),
        )

    @cached_property
    def _shifted(self) -> bool:
        """Whether the gradients are kept kernel row by kernel row, [G, k, q, C/G, k']."""
        return len(self.kernel) == 2 and self.layer.stride[0] == 1 and self.channels * self.kernel[1] >= _ROWS

    @cached_property
    def _gradients(self) -> Tensor:
        """[R, m, n], in the order of the weight or by rows of the kernel."""
        x = self.x.flatten(0, 1)
        b = self.output_gradients.flatten(0, 1).flatten(2).unflatten(1, (self.layer.groups, -1))
        columns = self.channels * math.prod(self.kernel[self._shifted :])
        size = math.prod(self.positions) * columns * self.layer.groups
        kernel_rows = self.kernel[:1] if self._shifted else ()
        out = x.new_empty(len(x), self.layer.groups, *kernel_rows, self.outputs, columns)
        write = self._write_by_rows if self._shifted else self._write
        for block in torch.arange(len(x)).split(max(1, _BLOCK // size)):
            rows = slice(int(block[0]), int(block[-1]) + 1)
            write(_padded(self.layer, x[rows]), b[rows].flatten(0, 1), out[rows].flatten(0, 1))
        return out.flatten(1).unflatten(0, self.x.shape[:2])

    def _write(self, x: Tensor, b: Tensor, out: Tensor) -> None:
        """One product per example: b [N·G, q, T], out [N·G, q, p]."""
        axes = len(self.positions)
        patches = self._patches(x, self.positions, self.kernel)
        patches = patches.flatten(-axes).flatten(2, -2).flatten(0, 1)
        torch.bmm(b, patches.mT, out=out)

    def _write_by_rows(self, x: Tensor, b: Tensor, out: Tensor) -> None:
        """One product per example and row of the kernel: b [N·G, q, T], out [N·G, k, q, C/G·k']."""
        height, width = self.positions
        columns = self._patches(x, (x.shape[2], width), (1, self.kernel[1]))
        columns = columns.flatten(-2).flatten(2, 4).flatten(0, 1)
        for row in range(self.kernel[0]):
            start = row * self.layer.dilation[0] * width
            torch.bmm(b, columns[..., start : start + height * width].mT, out=out[:, row])

    def _ordered(self, values: Tensor) -> Tensor:
        """From [..., n] in the order in which gradients are kept to [..., *shape]."""
        if not self._shifted:
            return values.unflatten(-1, self.shape)
        rows, width = self.kernel
        values = values.unflatten(-1, (self.layer.groups, rows, self.outputs, self.channels, width))
        return values.movedim(-4, -2).flatten(-5, -4)

    def total(self, weights: Tensor | None = None) -> Tensor:
        """Σ w_i g_i, [R, *shape]; `weights` [R, m], by default ones."""
        if not self.materialised:
            return super().total(weights)
        return self._ordered(Explicit(self._gradients, (-1,)).total(weights))

    def dots(self, direction: Tensor) -> Tensor:
        """g_i · D, [R, m]; `direction` D [R, *shape]."""
        if not self.materialised:
            return super().dots(direction)
        if self._shifted:
            direction = direction.unflatten(1, (self.layer.groups, -1)).movedim(-2, 2)
        return Explicit(self._gradients, (-1,)).dots(direction.flatten(1))

    def second_moment(self) -> Tensor:
        """Σ g_i² by coordinate, [R, *shape]."""
        return self._ordered(Explicit(self._gradients, (-1,)).second_moment())

    def explicit(self) -> Tensor:
        """The gradients, [R, m, n]."""
        return self._ordered(self._gradients).flatten(2)


def _padded(layer: nn.Module, x: Tensor) -> Tensor:
    """The inputs with the padding of the layer."""
    if isinstance(layer.padding, str):
        spans = zip(layer.dilation, layer.kernel_size, strict=True)
        total = [d * (k - 1) if layer.padding == "same" else 0 for d, k in spans]
        pad = [side for t in reversed(total) for side in (t // 2, t - t // 2)]
    else:
        pad = [p for p in reversed(layer.padding) for _ in range(2)]
    if not any(pad):
        return x
    return functional.pad(x, pad, mode="constant" if layer.padding_mode == "zeros" else layer.padding_mode)
