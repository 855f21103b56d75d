"""What is trained: examples and replicas, as frozen settings."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from genbook.base.recipes import Recipe, refuse
from genbook.gradients import robust_average

_TABLE = {"replica", "seed", "step", "epoch", "quantity", "on", "labels", "group", "layer", "value"}
_ENDINGS = {"steps", "epochs", "fitted", "fitted_step", "diverged", "diverged_step"}
RESERVED = frozenset(_TABLE | _ENDINGS)
"""Names of columns that a condition cannot have."""


@dataclass(frozen=True, eq=False)
class Examples:
    """Inputs with their labels; replicas that are handed the same `inputs` tensor share it in memory.

    Attributes:
        inputs: [n, ...] in the precision in which to train, or integer tokens.
        labels: [n] as given to the network: integer classes, or real targets [n] or [n, C] for the squared loss.
        true_labels: [n] before corruption, where they differ.
        groups: named boolean masks [n], such as clean and corrupted.
    """

    inputs: Tensor
    labels: Tensor
    true_labels: Tensor | None = None
    groups: Mapping[str, Tensor] = field(default_factory=dict)

    def __post_init__(self):
        """Refuse an empty set, unequal lengths and groups that are no masks."""
        n = len(self.inputs)
        refuse(n == 0, "inputs are empty; a set of examples needs at least one")
        named = {"labels": self.labels, "true_labels": self.true_labels}
        for name, values in {**named, **{f"groups[{k!r}]": v for k, v in self.groups.items()}}.items():
            refuse(
                values is not None and len(values) != n,
                f"{name} has {len(values) if values is not None else 0} entries for {n} inputs",
            )
        for name, mask in self.groups.items():
            refuse(mask.dtype != torch.bool, f"groups[{name!r}] is {mask.dtype}; a group is a boolean mask")

    def __len__(self) -> int:
        """The number of examples."""
        return len(self.inputs)


@dataclass(frozen=True, eq=False)
class Replica:
    """One network among many that train at the same time.

    Attributes:
        seed: keys the streams of batch order and initial weights.
        model: the plain network; its weights are drawn anew, it itself stays as it is.
        recipe: how it is trained.
        data: named sets of examples; the one called "train" is trained on, probes may look at any.
        condition: what tells this replica from others, such as {"label noise": 0.5}; columns of the table.
        order_seed: seed of the batch order where it is not `seed`: replicas with one order are paired.
        init_seed: seed of the initial weights where it is not `seed`.
        initialise: called with the plain network after the draw, where a start needs more than a scale.
    """

    seed: int
    model: nn.Module
    recipe: Recipe
    data: Mapping[str, Examples]
    condition: Mapping[str, object] = field(default_factory=dict)
    order_seed: int | None = None
    init_seed: int | None = None
    initialise: Callable[[nn.Module], object] | None = None

    def __post_init__(self):
        """Refuse a replica without training data, and batches that are larger or that its average cannot take."""
        refuse("train" not in self.data, f"data has sets {sorted(self.data)}; it needs one called 'train'")
        taken = RESERVED.intersection(self.condition)
        refuse(bool(taken), f"condition has {', '.join(sorted(taken))}; the table has a column of that name already")
        size, n = self.recipe.batch_size, len(self.data["train"])
        if self.recipe.average is not None:
            rule = robust_average(self.recipe.average)
            rule.check_optimizer(self.recipe.optimiser.of_torch([torch.zeros(1)]))
            if size is not None:
                rule.refuse(size)
        shape = tuple(self.data["train"].inputs.shape[1:])
        refuse(
            self.recipe.augmentation is not None and len(shape) != 3,
            f"inputs have shape {shape}; an augmentation needs images [channels, height, width]",
        )
        refuse(size is not None and size > n, f"batch_size is {size}, but there are {n} training examples")

    @property
    def dtype(self) -> torch.dtype:
        """The precision in which it trains: that of its inputs, or of its network where these are integer tokens."""
        inputs = self.data["train"].inputs
        if inputs.dtype.is_floating_point:
            return inputs.dtype
        return next((p.dtype for p in self.model.parameters()), torch.get_default_dtype())

    @property
    def batch_size(self) -> int:
        """Examples a step; all of them in full-batch descent."""
        return self.recipe.batch_size or len(self.data["train"])

    @property
    def batch_key(self) -> tuple[int, int]:
        """Equal for replicas that see the same batches: one tensor of inputs, one order."""
        return id(self.data["train"].inputs), self.seed if self.order_seed is None else self.order_seed

    @property
    def steps_per_epoch(self) -> int:
        """⌊n / batch size⌋."""
        return len(self.data["train"]) // self.batch_size
