"""One network on growing training sets: each of a seed contains the smaller ones."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from genbook.base.spec import parameter
from genbook.base.when import LogSpaced
from genbook.experiments import MLP, Condition, Dataset, Descent, Design, Fraction, Growing, Images, Labels, Watch

WATCH = Watch(("train accuracy", "train loss", "test accuracy", "test loss"), LogSpaced(12))


class SampleDescentSpec(Dataset, Descent):
    """One network, trained for the same number of steps on training sets of growing size with partly wrong labels."""

    n_train: Growing[Annotated[int, Field(ge=20, le=50_000)]] = parameter(
        (150, 300, 500, 800, 1300), "sizes of the training set", "examples", min_length=4, max_length=30
    )
    noise: Fraction = parameter(0.4, "fraction of the training labels that are wrong", "fraction")
    width: int = parameter(16, "units of each hidden layer", "units", ge=1, le=4096)
    layers: int = parameter(2, "hidden layers, all of one width", "", ge=1, le=6)
    learning_rate: float = parameter(0.05, "learning rate of stochastic gradient descent", "", gt=0, le=100)
    momentum: float = parameter(0.9, "heavy-ball momentum", "", ge=0, lt=1)


def design(spec: SampleDescentSpec) -> Design:
    """A condition for each size of the training set."""
    network, recipe, labels = MLP((spec.width,) * spec.layers), spec.recipe(), Labels().wrong(spec.noise)
    return Design(
        Condition({"examples": size}, Images(spec.dataset, size, labels), network, recipe, (WATCH,))
        for size in spec.n_train
    )
