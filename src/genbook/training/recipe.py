"""What to train and how: optimisers, schedules, recipes, examples and replicas, as frozen settings."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from genbook.gradients import Mean
from genbook.training.errors import TrainingError
from genbook.training.losses import LOSSES

_TABLE = {"replica", "seed", "step", "epoch", "quantity", "on", "labels", "group", "layer", "value"}
_ENDINGS = {"steps", "epochs", "fitted", "fitted_step", "diverged", "diverged_step"}
RESERVED = frozenset(_TABLE | _ENDINGS)
"""Names of columns that a condition cannot have."""


def _refuse(condition: bool, message: str) -> None:
    if condition:
        raise TrainingError(message)


def _finite(name: str, value: float, positive: bool = False) -> None:
    wrong = not math.isfinite(value) or value < 0 or (positive and value == 0)
    _refuse(wrong, f"{name} is {value}; it must be finite and {'positive' if positive else 'not negative'}")


@dataclass(frozen=True)
class SGD:
    """(Stochastic) gradient descent, as `torch.optim.SGD`: heavy-ball momentum, weight decay added to the gradient."""

    lr: float
    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0

    def __post_init__(self):
        """Refuse settings without meaning."""
        _finite("lr", self.lr)
        _finite("weight_decay", self.weight_decay)
        _refuse(not 0 <= self.momentum < 1, f"momentum is {self.momentum}; it must lie in [0, 1)")
        _refuse(self.nesterov and self.momentum == 0, "nesterov needs a momentum above 0")

    def of_torch(self, parameters: Sequence[Tensor]) -> torch.optim.Optimizer:
        """The same optimiser for a plain loop."""
        return torch.optim.SGD(
            parameters, self.lr, self.momentum, nesterov=self.nesterov, weight_decay=self.weight_decay
        )


@dataclass(frozen=True)
class Adam:
    """Adam (Kingma and Ba, 2015), as `torch.optim.Adam`; with `decoupled` weight decay as `torch.optim.AdamW`."""

    lr: float
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0
    decoupled: bool = False

    def __post_init__(self):
        """Refuse settings without meaning."""
        _finite("lr", self.lr)
        _finite("eps", self.eps)
        _finite("weight_decay", self.weight_decay)
        _refuse(not all(0 <= b < 1 for b in self.betas), f"betas are {self.betas}; both must lie in [0, 1)")

    def of_torch(self, parameters: Sequence[Tensor]) -> torch.optim.Optimizer:
        """The same optimiser for a plain loop."""
        kind = torch.optim.AdamW if self.decoupled else torch.optim.Adam
        return kind(parameters, self.lr, self.betas, self.eps, self.weight_decay)


@dataclass(frozen=True)
class Constant:
    """The learning rate as given."""

    def factor(self, step: int, steps: int) -> float:
        """1 at every step."""
        return 1.0


@dataclass(frozen=True)
class Cosine:
    """Half a cosine from 1 at the first step to `final` at the end (Loshchilov and Hutter, 2017)."""

    final: float = 0.0

    def factor(self, step: int, steps: int) -> float:
        """The multiple of the learning rate at `step` of `steps`."""
        return self.final + (1 - self.final) * (1 + math.cos(math.pi * step / steps)) / 2


@dataclass(frozen=True)
class Linear:
    """A straight line from `initial` at the first step to `final` at the end."""

    initial: float = 1.0
    final: float = 0.0

    def factor(self, step: int, steps: int) -> float:
        """The multiple of the learning rate at `step` of `steps`."""
        return self.initial + (self.final - self.initial) * step / steps


@dataclass(frozen=True)
class Step:
    """Multiply by `gamma` after every `every` steps."""

    every: int
    gamma: float = 0.1

    def factor(self, step: int, steps: int) -> float:
        """The multiple of the learning rate at `step`."""
        return self.gamma ** (step // self.every)


@dataclass(frozen=True)
class InverseSquareRoot:
    """1/√(1 + ⌊step/every⌋), as for the CNNs of Nakkiran et al. (2020), with `every` = 512."""

    every: int = 512

    def factor(self, step: int, steps: int) -> float:
        """The multiple of the learning rate at `step`."""
        return 1 / math.sqrt(1 + step // self.every)


@dataclass(frozen=True)
class Average:
    """A robust average in the place of the mean gradient: a rule of `genbook.gradients` and its argument, if any.

    `Average(Winsorized, 2)`, `Average(MedianOfMeans)`, `Average(RunningMedian)`, `Average(Clipped, 1.0)`.
    """

    rule: type[Mean]
    argument: float | None = None

    def make(self) -> Mean:
        """The rule, with nothing seen so far."""
        return self.rule() if self.argument is None else self.rule(self.argument)


Optimiser = SGD | Adam
Schedule = Constant | Cosine | Linear | Step | InverseSquareRoot


@dataclass(frozen=True)
class Recipe:
    """How a replica is trained.

    Attributes:
        steps: the number of updates.
        optimiser: `SGD` or `Adam`, with the learning rate.
        batch_size: examples a step, drawn without replacement within an epoch; `None` is full-batch gradient descent.
            An epoch is ⌊n / batch_size⌋ steps: the examples left over by its permutation sit it out.
        schedule: the learning rate's course over the steps.
        loss: "cross-entropy", "squared" (the mean over outputs too, as `torch.nn.MSELoss`; class labels become
            one-hot) or "logistic" (labels ±1, one output).
        average: a robust average of the batch's gradients instead of their mean.
        init_scale: multiple of PyTorch's default initial weights.
        stop_at_accuracy: stop once the accuracy on the whole training set is at least this (1.0: every example is
            fitted), looked at every `check_every` steps.
        check_every: steps between two looks; `None` is once an epoch.
    """

    steps: int
    optimiser: Optimiser
    batch_size: int | None = None
    schedule: Schedule = field(default_factory=Constant)
    loss: str = "cross-entropy"
    average: Average | None = None
    init_scale: float = 1.0
    stop_at_accuracy: float | None = None
    check_every: int | None = None

    def __post_init__(self):
        """Refuse settings without meaning."""
        _refuse(self.steps < 1, f"steps is {self.steps}; a run needs at least one")
        _refuse(
            self.batch_size is not None and self.batch_size < 1,
            f"batch_size is {self.batch_size}; it must be at least 1",
        )
        _refuse(self.loss not in LOSSES, f"loss is {self.loss!r}; it must be one of {', '.join(LOSSES)}")
        _finite("init_scale", self.init_scale)
        if self.average is not None:
            rule, settings = self.average.make(), self.optimiser
            rule.check_optimizer(settings.of_torch([torch.zeros(1)]))
            if self.batch_size is not None:
                rule.refuse(self.batch_size)
        level = self.stop_at_accuracy
        _refuse(level is not None and not 0 < level <= 1, f"stop_at_accuracy is {level}; it must lie in (0, 1]")
        _refuse(self.check_every is not None and self.check_every < 1, f"check_every is {self.check_every}; at least 1")


@dataclass(frozen=True, eq=False)
class Examples:
    """Inputs with their labels; replicas that are handed the same `inputs` tensor share it in memory.

    Attributes:
        inputs: [n, ...] in the precision in which to train.
        labels: [n] as given to the network: integer classes, or real targets [n] or [n, C] for the squared loss.
        true_labels: [n] before corruption, where they differ.
        groups: named boolean masks [n], such as clean and corrupted.
    """

    inputs: Tensor
    labels: Tensor
    true_labels: Tensor | None = None
    groups: Mapping[str, Tensor] = field(default_factory=dict)

    def __post_init__(self):
        """Refuse an empty set, unequal lengths and inputs that are not real numbers."""
        n = len(self.inputs)
        _refuse(n == 0, "inputs are empty; a set of examples needs at least one")
        named = {"labels": self.labels, "true_labels": self.true_labels}
        for name, values in {**named, **{f"groups[{k!r}]": v for k, v in self.groups.items()}}.items():
            _refuse(
                values is not None and len(values) != n,
                f"{name} has {len(values) if values is not None else 0} entries for {n} inputs",
            )
        for name, mask in self.groups.items():
            _refuse(mask.dtype != torch.bool, f"groups[{name!r}] is {mask.dtype}; a group is a boolean mask")

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
        """Refuse a replica without training data, or with batches larger than them."""
        _refuse("train" not in self.data, f"data has sets {sorted(self.data)}; it needs one called 'train'")
        taken = RESERVED.intersection(self.condition)
        _refuse(bool(taken), f"condition has {', '.join(sorted(taken))}; the table has a column of that name already")
        size, n = self.recipe.batch_size, len(self.data["train"])
        _refuse(size is not None and size > n, f"batch_size is {size}, but there are {n} training examples")

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
