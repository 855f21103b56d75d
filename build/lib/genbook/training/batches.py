"""Training data on the device and each replica's batches, in the order of its own seed's stream."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from genbook.base.recipes import Augmentation
from genbook.base.seeding import ORDER, generator
from genbook.models.written import Buffers
from genbook.training.losses import LOSSES
from genbook.training.replica import Replica
from genbook.training.transfer import uploaded


def pool(tensors: Sequence[Tensor], device: torch.device) -> tuple[Tensor, list[int]]:
    """The distinct tensors as [G, ...] on the device, and the place of each in it."""
    distinct: dict[int, int] = {}
    places = [distinct.setdefault(id(tensor), len(distinct)) for tensor in tensors]
    if len(distinct) == 1:
        return tensors[0].to(device).unsqueeze(0), places  # no copy where it lies there already
    first = {place: tensor for tensor, place in zip(reversed(tensors), reversed(places), strict=True)}
    return torch.stack([first[g].to(device) for g in range(len(distinct))]), places


def moves(augmentation: Augmentation, seed: int, epoch: int, examples: int) -> np.ndarray:
    """For each training image its shift down, its shift to the right and whether it is flipped, [n, 3]."""
    draw = generator(seed, f"augmentation, epoch {epoch}")
    shifts = draw.integers(-augmentation.crop, augmentation.crop + 1, (examples, 2))
    flips = draw.integers(0, 2, (examples, 1)) * int(augmentation.flip)
    return np.concatenate([shifts, flips], axis=1)


def moved(images: Tensor, moves: Tensor) -> Tensor:
    """Images [..., C, H, W] cropped and flipped as `moves` [..., 3] say, zeros coming in from outside."""
    height, width = images.shape[-2:]
    down, right, flip = (moves[..., k : k + 1] for k in range(3))
    rows = torch.arange(height, device=images.device) + down
    along = torch.arange(width, device=images.device)
    columns = torch.where(flip > 0, width - 1 - along, along) + right
    inside = ((rows >= 0) & (rows < height)).unsqueeze(-1) & ((columns >= 0) & (columns < width)).unsqueeze(-2)
    place = rows.clamp(0, height - 1).unsqueeze(-1) * width + columns.clamp(0, width - 1).unsqueeze(-2)
    found = images.flatten(-2).gather(-1, place.flatten(-2).unsqueeze(-2).expand(*images.shape[:-2], -1))
    return found.view_as(images) * inside.unsqueeze(-3)


class Batches:
    """The training sets of a stack of replicas, [G, n, ...], and which rows each replica sees at a step."""

    def __init__(self, replicas: Sequence[Replica], outputs: int, device: torch.device):
        """All replicas have one number of examples and one batch size; `outputs` is the network's."""
        first = replicas[0]
        self.device = device
        self.size, self.steps_per_epoch = first.batch_size, first.steps_per_epoch
        self.examples = len(first.data["train"])
        self.full = self.size == self.examples
        self.inputs, sets = pool([r.data["train"].inputs for r in replicas], device)
        loss = LOSSES[first.recipe.loss]
        labels, places = pool([r.data["train"].labels for r in replicas], torch.device("cpu"))
        targets = torch.stack([loss.targets(y, outputs, first.dtype) for y in labels])
        self.targets = targets[places].to(device)  # [R, n] or [R, n, C]
        orders = [r.batch_key[1] for r in replicas]
        self.order_seeds = sorted(set(orders))
        self._sets, self._orders = sets, [self.order_seeds.index(o) for o in orders]
        # Decided once: the arithmetic of those that stay must not change when others leave.
        self.one = len({*zip(self._sets, self._orders, strict=True)}) == 1
        self.sets = torch.tensor(self._sets, device=device)
        self.orders = torch.tensor(self._orders, device=device)
        self._epoch = -1
        self._step = -1
        self._order: Tensor  # [S, O, B]: the epoch's examples by step and order,
        self._places: Tensor  # [S, R·B]: where they lie in the flattened inputs,
        self._wanted: Tensor  # [S, R, B] or [S, R, C, B]: and their targets
        self._now: list[Tensor] = []  # a step's own of these three
        self._still = False
        self._buffers = Buffers()
        self.augmentation, self._moves = first.recipe.augmentation, (-1, self.orders)
        self._all: Tensor | None = None
        self._whole: Tensor | None = None

    def keep(self, keep: Sequence[int]) -> None:
        """Forget the replicas that are not in `keep`."""
        index = torch.tensor(keep, dtype=torch.long, device=self.device)
        self.targets, self.sets, self.orders = self.targets[index], self.sets[index], self.orders[index]
        self._all = self._whole = None
        self._sets, self._orders = [self._sets[r] for r in keep], [self._orders[r] for r in keep]
        self._still, self._step = False, -1
        if self._epoch >= 0:
            self._lay_out()

    def hold_still(self) -> None:
        """From now on only `load` says what `at` gives, in the same memory at every step: a captured step reads it."""
        self._now, self._still = [part.clone() for part in self._now], True

    def load(self, step: int) -> None:
        """Put what a step needs where `at` finds it."""
        if self.full or step == self._step:
            return
        self._step = step
        epoch, place = divmod(step, self.steps_per_epoch)
        if epoch != self._epoch:
            self._draw(epoch)
        now = [self._order[place], self._places[place], self._wanted[place]]
        if self._still:
            for part, new in zip(self._now, now, strict=True):
                part.copy_(new)
        else:
            self._now = now

    def _draw(self, epoch: int) -> None:
        # One stream an epoch: a resumed run needs no generator's state.
        used = self.steps_per_epoch * self.size
        draws = [generator(s, f"{ORDER}, epoch {epoch}").permutation(self.examples)[:used] for s in self.order_seeds]
        drawn = torch.stack([torch.from_numpy(d) for d in draws]).unflatten(1, (self.steps_per_epoch, self.size))
        self._order, self._epoch = uploaded(drawn.transpose(0, 1).contiguous(), self.device), epoch
        self._lay_out()

    def _lay_out(self) -> None:
        """A whole epoch at once, so that a step looks nothing up."""
        rows = self._order[:, self.orders]  # [S, R, B]
        self._places = (rows + (self.sets * self.examples).unsqueeze(1)).flatten(1)
        by_replica = self.targets_of(rows.transpose(0, 1).flatten(1))
        self._wanted = by_replica.unflatten(-1, (-1, self.size)).movedim(-2, 0).contiguous()

    def at(self, step: int) -> tuple[Tensor, Tensor]:
        """Inputs and targets of a step; what the inputs are in is overwritten by the next call.

        Inputs are [R, B, ...], or [1, B, ...] where all replicas of the stack share their batches. Targets have the
        batch last: [R, B] or [R, C, B].
        """
        inputs, targets = self._as_given(step)
        if self.augmentation is None:
            return inputs, targets
        epoch = step // self.steps_per_epoch
        if epoch != self._moves[0]:
            drawn = [moves(self.augmentation, seed, epoch, self.examples) for seed in self.order_seeds]
            self._moves = epoch, uploaded(torch.from_numpy(np.stack(drawn)), self.device)
        orders, ours = self.orders[: len(inputs)], self._moves[1]
        if not self.full:
            ours = ours.gather(1, self._now[0].unsqueeze(-1).expand(-1, -1, 3))
        return moved(inputs, ours[orders]), targets

    def _as_given(self, step: int) -> tuple[Tensor, Tensor]:
        if self.full:
            if self._all is None:
                self._all = self.inputs[self.sets[:1]] if self.one else self.inputs[self.sets]
            return self._all, self.targets_at(step)
        if self.one:
            return self.shared(self.inputs, 0, step).unsqueeze(0), self.targets_at(step)
        targets, places = self.targets_at(step), self._now[1]
        gathered = self._buffers.empty("inputs", self.inputs, len(places), *self.inputs.shape[2:])
        torch.index_select(self.inputs.flatten(0, 1), 0, places, out=gathered)
        return gathered.unflatten(0, (len(targets), self.size)), targets

    def shared(self, inputs: Tensor, replica: int, step: int) -> Tensor:
        """The rows [B, ...] of `inputs` [G, n, ...] that one replica sees, with all that share its batch."""
        own = inputs[self._sets[replica]]
        if self.full:
            return own
        self._load_unless_still(step)
        return own.index_select(0, self._now[0][self._orders[replica]])

    def rows_at(self, step: int) -> Tensor:
        """Which examples of its training set each replica sees at a step, [R, B]."""
        if self.full:
            return torch.arange(self.examples, device=self.device).expand(len(self.targets), -1)
        self._load_unless_still(step)
        return self._now[0][self.orders]

    def targets_at(self, step: int) -> Tensor:
        """The targets of a step's batches, batch last."""
        if self.full:
            if self._whole is None:
                self._whole = batch_last(self.targets)
            return self._whole
        self._load_unless_still(step)
        return self._now[2]

    def _load_unless_still(self, step: int) -> None:
        if not self._still:
            self.load(step)

    def targets_of(self, rows: Tensor) -> Tensor:
        """The targets of rows [R, B], batch last."""
        if self.targets.dim() == 2:
            return self.targets.gather(1, rows)
        return batch_last(self.targets.gather(1, rows.unsqueeze(-1).expand(-1, -1, self.targets.shape[-1])))


def batch_last(targets: Tensor) -> Tensor:
    """[R, B, C] to [R, C, B]; [R, B] stays."""
    return targets if targets.dim() == 2 else targets.transpose(1, 2).contiguous()
