"""Robust losses beside robust averages: one convolutional network on one mislabelled training set, by four rules."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import model_validator

from genbook.base.recipes import Average, EarlyLearning
from genbook.base.spec import parameter
from genbook.base.when import LogSpaced
from genbook.data import SIGNALS
from genbook.experiments import CNN, CNN1D, Condition, Dataset, Descent, Design, Images, Labels, Watch
from genbook.studies.noise.shared import check_some_wrong

Rule = Literal["plain", "early learning", "partially Huberised", "winsorised"]


class RobustLossesSpec(Dataset, Descent):
    """A convolutional network on partly wrong labels: plain descent, robust losses, a robust average."""

    n_train: int = parameter(300, "size of the training set, the same number of each class", "examples", ge=50)
    noise: float = parameter(0.3, "fraction of the training labels that are wrong", "fraction", gt=0, lt=1)
    labels: Literal["noisy", "clean", "shuffled"] = parameter(
        "noisy",
        "'noisy'; 'clean' trains on the right labels and keeps the tags of those that would have been corrupted, "
        "'shuffled' corrupts labels that mean nothing (controls)",
    )
    rules: tuple[Rule, ...] = parameter(
        ("plain", "early learning", "partially Huberised", "winsorised"),
        "how it is trained: by 'plain' descent, and by what should leave wrong labels unlearned",
        min_length=1,
        max_length=4,
    )
    weight: float = parameter(3.0, "weight of early-learning regularisation", "", gt=0, le=100)
    memory: float = parameter(0.7, "what is kept of the earlier answers at each new one", "", ge=0, lt=1)
    winsorised: int = parameter(5, "gradients that winsorising moves at each end of a batch", "examples", ge=1)
    channels: int = parameter(4, "channels of the first convolution", "channels", ge=1, le=512)
    learning_rate: float = parameter(0.1, "learning rate of stochastic gradient descent", "", gt=0, le=100)
    batch_size: int = parameter(50, "examples in one gradient step", "examples", ge=3)
    steps: int = parameter(1200, "gradient steps", "steps", ge=10, le=10**7)
    n_measurements: int = parameter(30, "log-spaced steps at which everything is measured", "", ge=5)

    @model_validator(mode="after")
    def _possible(self) -> Self:
        """Some labels are wrong, plain descent is there, and winsorising leaves something of a batch."""
        check_some_wrong(self.noise, self.n_train)
        if "plain" not in self.rules or len(set(self.rules)) < len(self.rules):
            raise ValueError(f"parameter rules = {list(self.rules)}: want 'plain' and others, each once")
        most = (self.batch_size - 2) // 2
        if self.winsorised > most:
            raise ValueError(
                f"parameter winsorised = {self.winsorised}: a batch of {self.batch_size} can lose {most} a side"
            )
        return self

    def network(self) -> CNN | CNN1D:
        """Convolutions in two dimensions for images, in one for signals."""
        return CNN1D(self.channels) if self.dataset in SIGNALS else CNN(self.channels)


def changes(spec: RobustLossesSpec) -> dict[str, dict[str, Any]]:
    """By name of each rule, what it changes in the recipe of plain descent."""
    every: dict[str, dict[str, Any]] = {
        "plain": {},
        "early learning": {"early_learning": EarlyLearning(spec.weight, spec.memory)},
        "partially Huberised": {"loss": "partially Huberised"},
        "winsorised": {"average": Average("winsorised", spec.winsorised)},
    }
    return {rule: every[rule] for rule in spec.rules}


def design(spec: RobustLossesSpec) -> Design:
    """A condition for each rule: one mislabelled set, one batch order, one initialisation."""
    real = Labels().shuffled() if spec.labels == "shuffled" else Labels()
    labels = real.wrong(spec.noise)
    labels = labels.corrected() if spec.labels == "clean" else labels
    at = LogSpaced(spec.n_measurements)
    watch = (
        Watch(("train accuracy", "train accuracy on true labels"), at, groups=("clean", "corrupted")),
        Watch(("test accuracy",), at),
    )
    images = Images(spec.dataset, spec.n_train, labels)
    return Design(
        Condition({"rule": rule}, images, spec.network(), spec.recipe(**changed), watch, facts=("classes",))
        for rule, changed in changes(spec).items()
    )
