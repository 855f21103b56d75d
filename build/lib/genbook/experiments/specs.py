"""Parts that specs are composed of: the data, the network, the descent, each with its checks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import AfterValidator, Field, model_validator

from genbook.base.recipes import SGD, Recipe
from genbook.base.spec import Spec, parameter
from genbook.data import SIGNALS, DatasetName
from genbook.experiments.design import CNN, CNN1D, MLP

Number = TypeVar("Number", int, float)


def _grows(values: tuple[Number, ...]) -> tuple[Number, ...]:
    if any(later <= earlier for earlier, later in pairwise(values)):
        raise ValueError("want values that grow")
    return values


Growing = Annotated[tuple[Number, ...], AfterValidator(_grows)]
Fraction = Annotated[float, Field(ge=0, le=1)]
HiddenWidths = tuple[Annotated[int, Field(ge=1, le=4096)], ...]


class Dataset(Spec):
    """The images that are learned."""

    dataset: DatasetName = parameter("digits", "the images and their real labels")


class Architecture(Dataset):
    """The network that learns them."""

    network: Literal["mlp", "cnn", "cnn1d"] = parameter(
        "mlp", "'mlp': fully connected; 'cnn': convolutions on images; 'cnn1d': convolutions on signals (MNIST-1D)"
    )
    hidden: HiddenWidths = parameter((64, 64), "widths of an mlp's hidden layers", "units", min_length=1, max_length=6)
    channels: int = parameter(8, "channels of a CNN's first convolution", "channels", ge=1, le=512)

    @model_validator(mode="after")
    def _sees(self) -> Self:
        """Convolutions in two dimensions are for images, those in one for signals."""
        wanted = {"cnn": self.dataset not in SIGNALS, "cnn1d": self.dataset in SIGNALS}
        if not wanted.get(self.network, True):
            other = "images" if self.network == "cnn" else f"signals ({', '.join(SIGNALS)})"
            raise ValueError(f"parameter network = {self.network!r}: wants {other}; dataset is {self.dataset!r}")
        return self

    def architecture(self) -> MLP | CNN | CNN1D:
        """The network of a condition."""
        return {"mlp": MLP(self.hidden), "cnn": CNN(self.channels), "cnn1d": CNN1D(self.channels)}[self.network]


class Descent(Spec):
    """Stochastic gradient descent on a training set."""

    learning_rate: float = parameter(0.03, "learning rate of stochastic gradient descent", "", gt=0, le=100)
    momentum: float = parameter(0.0, "heavy-ball momentum", "", ge=0, lt=1)
    weight_decay: float = parameter(0.0, "weight decay, added to the gradient", "", ge=0, le=10)
    batch_size: int = parameter(50, "examples in one gradient step", "examples", ge=1)
    steps: int = parameter(4000, "gradient steps", "steps", ge=10, le=10**7)

    def training_sets(self) -> Sequence[int]:
        """The sizes of all training sets: ``n_train``, a number or several."""
        n_train = self.n_train  # of the study's own spec
        return n_train if isinstance(n_train, Sequence) else (n_train,)

    @model_validator(mode="after")
    def _batch_fits(self) -> Self:
        smallest = min(self.training_sets())
        if self.batch_size > smallest:
            raise ValueError(
                f"parameter batch_size = {self.batch_size}: want at most the smallest training set's size, {smallest}"
            )
        return self

    def recipe(self, *, learning_rate: float | None = None, **changes: Any) -> Recipe:
        """How these parameters train a network, with another learning rate or other fields of `Recipe` where given."""
        optimiser = SGD(learning_rate or self.learning_rate, self.momentum, weight_decay=self.weight_decay)
        return replace(Recipe(self.steps, optimiser, self.batch_size), **changes)
