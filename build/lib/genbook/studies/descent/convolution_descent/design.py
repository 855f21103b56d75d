"""Convolutional networks with ever more channels on partly wrong labels, and one of them on smaller training sets."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from genbook.base.spec import parameter
from genbook.base.when import LogSpaced
from genbook.data import SIGNALS, DatasetName
from genbook.experiments import (
    CNN,
    CNN1D,
    Condition,
    Dataset,
    Descent,
    Design,
    Fraction,
    Growing,
    Images,
    Labels,
    Watch,
)


class ConvolutionDescentSpec(Dataset, Descent):
    """The network and the noise of Greydanus and Kobak (2024), at three times their rate for a third of their steps."""

    dataset: DatasetName = parameter("mnist1d", "the images or signals and their real labels")
    n_train: int = parameter(4000, "size of the training set, the same number of each class", "examples", ge=50)
    noise: Fraction = parameter(0.15, "fraction of the training labels that are drawn anew", "fraction")
    labels: Literal["real", "shuffled"] = parameter(
        "real", "what the noise is added to; 'shuffled' labels have no meaning (a negative control)"
    )
    channels: Growing[Annotated[int, Field(ge=1, le=256)]] = parameter(
        (5, 7, 10, 14, 20, 28, 40, 60), "channels of the first convolution", "channels", min_length=4, max_length=30
    )
    critical: int = parameter(20, "channels of the network that learns from smaller sets too", "channels", ge=1)
    smaller: Growing[Annotated[float, Field(gt=0, lt=1)]] = parameter(
        (0.4, 0.6, 0.8), "sizes of these sets, over the whole", "fraction", min_length=2, max_length=12
    )
    learning_rate: float = parameter(0.03, "learning rate of stochastic gradient descent", "", gt=0, le=100)
    momentum: float = parameter(0.9, "heavy-ball momentum", "", ge=0, lt=1)
    batch_size: int = parameter(100, "examples in one gradient step", "examples", ge=1)
    steps: int = parameter(6000, "gradient steps of every network", "steps", ge=20, le=10**7)
    n_measurements: int = parameter(24, "log-spaced steps at which errors are measured", "", ge=6)

    def sizes(self) -> tuple[int, ...]:
        """Sizes of the smaller training sets."""
        return tuple(round(part * self.n_train) for part in self.smaller)

    def training_sets(self) -> tuple[int, ...]:
        """The sizes of all training sets."""
        return (*self.sizes(), self.n_train)

    @model_validator(mode="after")
    def _comparable(self) -> Self:
        """The network that learns from smaller sets is one of those that learn from all."""
        if self.critical not in self.channels:
            raise ValueError(f"parameter critical = {self.critical}: want one of channels = {list(self.channels)}")
        return self

    def network(self, channels: int) -> CNN | CNN1D:
        """Convolutions in two dimensions for images, in one for signals."""
        return CNN1D(channels) if self.dataset in SIGNALS else CNN(channels)


def design(spec: ConvolutionDescentSpec) -> Design:
    """A condition for each number of channels on the whole set, and one for each smaller set."""
    labels = (Labels().shuffled() if spec.labels == "shuffled" else Labels()).redrawn(spec.noise)
    at, groups = LogSpaced(spec.n_measurements), ("clean", "corrupted") if spec.noise else ()
    watch = (
        Watch(("train accuracy",), at, groups=groups),
        Watch(("train loss", "test accuracy", "test loss"), at),
    )
    places = [(channels, spec.n_train) for channels in spec.channels]
    return Design(
        Condition(
            {"channels": channels, "examples": size},
            Images(spec.dataset, size, labels),
            spec.network(channels),
            spec.recipe(),
            watch,
            facts=("parameters",),
        )
        for channels, size in [*places, *((spec.critical, size) for size in spec.sizes())]
    )
