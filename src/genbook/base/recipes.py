"""How a network is trained: optimisers, learning-rate schedules and recipes, as frozen settings; no torch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from genbook.base.errors import TrainingError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

LOSS_NAMES = ("cross-entropy", "squared", "logistic", "hinge", "partially Huberised")
AVERAGES = ("mean", "winsorised", "median of means", "running mean", "running median", "clipped")
#: The confidence below which the partially Huberised loss is a straight line is 1/τ; of τ = 2 and 10, which Menon et
#: al. (2020) choose from, the one that trusts an example the least.
HUBER_TAU = 2.0


def refuse(condition: bool, message: str) -> None:
    """Raise `TrainingError` with the message where the condition holds."""
    if condition:
        raise TrainingError(message)


def _finite(name: str, value: float, positive: bool = False) -> None:
    wrong = not math.isfinite(value) or value < 0 or (positive and value == 0)
    refuse(wrong, f"{name} is {value}; it must be finite and {'positive' if positive else 'not negative'}")


def _projection(projected: float | None) -> None:
    wrong = projected is not None and not (math.isfinite(projected) and projected > 0)
    refuse(wrong, f"projected is {projected}; it must be finite and positive, or None for the plain update")


def _plain(projected: float | None) -> None:
    refuse(projected is not None, "torch.optim has no projected update; genbook.training.projection has")


@dataclass(frozen=True)
class SGD:
    """(Stochastic) gradient descent, as `torch.optim.SGD`: heavy-ball momentum, weight decay added to the gradient.

    With `projected`, δ of Heo et al. (2021, their default 0.1), it is their SGDP: the update of a weight that looks
    scale-invariant loses its radial part, and weight decay is decoupled (`genbook.training.projection`).
    """

    lr: float
    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0
    projected: float | None = None

    def __post_init__(self):
        """Refuse settings without meaning."""
        _finite("lr", self.lr)
        _finite("weight_decay", self.weight_decay)
        refuse(not 0 <= self.momentum < 1, f"momentum is {self.momentum}; it must lie in [0, 1)")
        refuse(self.nesterov and self.momentum == 0, "nesterov needs a momentum above 0")
        _projection(self.projected)

    def of_torch(self, parameters: Sequence[Tensor]) -> torch.optim.Optimizer:
        """The same optimiser for a plain loop; none where the update is projected."""
        import torch

        _plain(self.projected)
        return torch.optim.SGD(
            parameters, self.lr, self.momentum, nesterov=self.nesterov, weight_decay=self.weight_decay
        )


@dataclass(frozen=True)
class Adam:
    """Adam (Kingma and Ba, 2015), as `torch.optim.Adam`; with `decoupled` weight decay as `torch.optim.AdamW`.

    With `projected`, δ of Heo et al. (2021, their default 0.1), it is their AdamP: as `SGD.projected`.
    """

    lr: float
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0
    decoupled: bool = False
    projected: float | None = None

    def __post_init__(self):
        """Refuse settings without meaning."""
        _finite("lr", self.lr)
        _finite("eps", self.eps)
        _finite("weight_decay", self.weight_decay)
        refuse(not all(0 <= b < 1 for b in self.betas), f"betas are {self.betas}; both must lie in [0, 1)")
        _projection(self.projected)

    def of_torch(self, parameters: Sequence[Tensor]) -> torch.optim.Optimizer:
        """The same optimiser for a plain loop; none where the update is projected."""
        import torch

        _plain(self.projected)
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
class Listed:
    """A multiple of the learning rate for each step, from a list: a schedule refined from a run before, say."""

    factors: tuple[float, ...]

    def __post_init__(self):
        """Refuse multiples that are not finite or negative, and a list of none."""
        refuse(not self.factors, "factors is empty; it must have one for each step")
        wrong = next((f for f in self.factors if not (math.isfinite(f) and f >= 0)), None)
        refuse(wrong is not None, f"factors has {wrong}; all must be finite and not negative")

    def factor(self, step: int, steps: int) -> float:
        """The multiple of the learning rate at `step`; after the last it stays."""
        return self.factors[min(step, len(self.factors) - 1)]


@dataclass(frozen=True)
class GradientNoise:
    """Gaussian noise of variance η/(1 + t)^γ on every entry of the gradient at step t (Neelakantan et al., 2015).

    Attributes:
        eta: η of the paper, which chooses among 0.01, 0.3 and 1.
        gamma: how fast the noise anneals; 0.55 in the paper, 0 is noise that stays.
    """

    eta: float
    gamma: float = 0.55

    def __post_init__(self):
        """Refuse settings without meaning."""
        _finite("eta", self.eta, positive=True)
        _finite("gamma", self.gamma)

    def deviation(self, step: int) -> float:
        """The standard deviation at `step`."""
        return math.sqrt(self.eta) * (1 + step) ** (-self.gamma / 2)


@dataclass(frozen=True)
class Average:
    """A robust average in the place of the mean gradient: the name of a rule and its argument, if it takes one.

    `Average("winsorised", 2)`, `Average("median of means")`, `Average("clipped", 1.0)`; with `length_only` the mean
    gradient, as long as that rule's average. `genbook.gradients.robust_average` makes the rule.
    """

    rule: str
    argument: float | None = None
    length_only: bool = False

    def __post_init__(self):
        """Refuse a rule that there is not."""
        refuse(self.rule not in AVERAGES, f"average is {self.rule!r}; it must be one of {', '.join(AVERAGES)}")


@dataclass(frozen=True)
class EarlyLearning:
    """Early-learning regularisation, weight · log(1 − ⟨p, t⟩) added to an example's cross-entropy (Liu et al., 2020).

    p are the network's probabilities for the example and t their running average over the steps that have seen it,
    memory · t + (1 − memory) · p, from zero and taken as a constant: the loss falls as p comes near what it was.

    Attributes:
        weight: λ of the paper, which takes 3 for CIFAR-10.
        memory: β of the paper, which takes 0.7 for CIFAR-10.
    """

    weight: float = 3.0
    memory: float = 0.7

    def __post_init__(self):
        """Refuse settings without meaning."""
        _finite("weight", self.weight)
        refuse(not 0 <= self.memory < 1, f"memory is {self.memory}; it must lie in [0, 1)")


@dataclass(frozen=True)
class Augmentation:
    """What is done anew each epoch to every image [channels, height, width] before a network sees it.

    Attributes:
        crop: pixels of zeros on every side, of which a random crop of the image's own size is taken.
        flip: whether left and right are exchanged with probability a half.
    """

    crop: int = 0
    flip: bool = False

    def __post_init__(self):
        """Refuse what changes nothing."""
        refuse(self.crop < 0, f"crop is {self.crop}; it must be at least 0")
        refuse(not self.crop and not self.flip, "an augmentation needs a crop of at least one pixel or flip=True")


Optimiser = SGD | Adam
Schedule = Constant | Cosine | Linear | Step | InverseSquareRoot | Listed


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
            one-hot), "logistic" or "hinge" (labels ±1, one output), or "partially Huberised" (cross-entropy that is
            linear in the label's probability below one half; Menon et al., 2020).
        average: a robust average of the batch's gradients instead of their mean.
        early_learning: a penalty on what is unlike the network's earlier answers, added to the cross-entropy; the
            loss that probes measure is without it.
        augmentation: random crops and flips of the training images.
        gradient_noise: Gaussian noise that is added to the gradient, or to the average in its place, at every step.
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
    early_learning: EarlyLearning | None = None
    augmentation: Augmentation | None = None
    gradient_noise: GradientNoise | None = None
    init_scale: float = 1.0
    stop_at_accuracy: float | None = None
    check_every: int | None = None

    def __post_init__(self):
        """Refuse settings without meaning."""
        refuse(self.steps < 1, f"steps is {self.steps}; a run needs at least one")
        refuse(
            self.batch_size is not None and self.batch_size < 1,
            f"batch_size is {self.batch_size}; it must be at least 1",
        )
        listed = len(self.schedule.factors) if isinstance(self.schedule, Listed) else self.steps
        refuse(listed != self.steps, f"the schedule lists {listed} factors; {self.steps} steps need as many")
        refuse(self.loss not in LOSS_NAMES, f"loss is {self.loss!r}; it must be one of {', '.join(LOSS_NAMES)}")
        refuse(
            self.early_learning is not None and (self.loss != "cross-entropy" or self.average is not None),
            "early-learning regularisation is a part of the mean cross-entropy; leave another loss and average out",
        )
        _finite("init_scale", self.init_scale)
        level = self.stop_at_accuracy
        refuse(level is not None and not 0 < level <= 1, f"stop_at_accuracy is {level}; it must lie in (0, 1]")
        refuse(self.check_every is not None and self.check_every < 1, f"check_every is {self.check_every}; at least 1")
