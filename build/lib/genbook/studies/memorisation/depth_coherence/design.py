"""Depth and coherence: networks of one to four hidden layers on real and on random labels of the same images."""

from __future__ import annotations

from itertools import product
from typing import Annotated, Literal

from pydantic import Field

from genbook.base.spec import parameter
from genbook.base.when import AtEnd, LogSpaced
from genbook.experiments import MLP, Condition, Dataset, Descent, Design, Fraction, Growing, Images, Labels, Watch
from genbook.tables.readings import LEARNING_ENDS


class DepthCoherenceSpec(Dataset, Descent):
    """Fully connected networks that differ in the number of hidden layers, each on real and on random labels."""

    n_train: int = parameter(200, "size of the training set, the same number of each class", "examples", ge=20)
    hidden_layers: Growing[Annotated[int, Field(ge=1, le=6)]] = parameter(
        (1, 2, 3, 4), "numbers of hidden layers", "layers", min_length=2, max_length=6
    )
    width: int = parameter(64, "units of each hidden layer", "units", ge=1, le=1024)
    random: Fraction = parameter(1.0, "fraction of the random labels that are drawn anew", "fraction")
    real_labels: Literal["kept", "shuffled"] = parameter(
        "kept", "what is done to the real labels; 'shuffled' takes their meaning (a negative control)"
    )
    learning_rate: float = parameter(0.05, "learning rate of stochastic gradient descent", "", gt=0, le=100)
    steps: int = parameter(4000, "longest training; a network that has learned stops earlier", "steps", ge=10, le=10**7)
    n_measurements: int = parameter(60, "log-spaced steps at which coherence is measured", "", ge=5)


def design(spec: DepthCoherenceSpec) -> Design:
    """For each depth two conditions that differ in their labels alone; all stop where readings at equal loss end."""
    real = Labels().shuffled() if spec.real_labels == "shuffled" else Labels()
    labels = {"random": real.redrawn(spec.random), "real": real}
    at = LogSpaced(spec.n_measurements)
    return Design(
        Condition(
            {"hidden layers": depth, "trained on": name},
            Images(spec.dataset, spec.n_train, labels[name]),
            MLP((spec.width,) * depth),
            spec.recipe(stop_at_accuracy=LEARNING_ENDS),
            (Watch(("train accuracy", "train loss", "m-coherence"), at), Watch(("test accuracy",), AtEnd())),
        )
        for depth, name in product(spec.hidden_layers, labels)
    )
