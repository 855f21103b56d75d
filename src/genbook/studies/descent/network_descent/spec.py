"""Parameters of the study of networks that grow in width."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from genbook.base.spec import Spec, parameter


class NetworkDescentSpec(Spec):
    """Networks of growing width, trained for the same number of steps on the same partly wrong labels."""

    dataset: Literal["digits", "mnist1d", "fashion-mnist", "mnist", "cifar10"] = parameter(
        "digits", "the images and their real labels"
    )
    train_size: int = parameter(1000, "size of the training set, the same number of each class", "examples", ge=50)
    label_noise: float = parameter(0.2, "share of the training labels that are wrong", "fraction", ge=0, le=0.9)
    base_labels: Literal["real", "shuffled"] = parameter(
        "real", "what the noise is added to; 'shuffled' labels have no meaning (a null world)"
    )
    hidden_widths: tuple[Annotated[int, Field(ge=1, le=4096)], ...] = parameter(
        (3, 6, 8, 12, 16, 20, 24, 32, 64, 128), "units of each hidden layer", "units", min_length=4, max_length=40
    )
    hidden_layers: int = parameter(1, "hidden layers, all of one width", "", ge=1, le=6)
    learning_rate: float = parameter(0.05, "step size of stochastic gradient descent", "", gt=0, le=100)
    momentum: float = parameter(0.9, "heavy-ball momentum", "", ge=0, lt=1)
    batch_size: int = parameter(100, "examples in one gradient step", "examples", ge=1)
    training_steps: int = parameter(3000, "gradient steps of every network", "steps", ge=20, le=10**7)
    decay: float = parameter(0.0, "weight decay, which holds the weights back", "", ge=0, le=10)
    checks: int = parameter(20, "points along the training at which everything is measured, log-spaced", "", ge=6)
    coherence_examples: int = parameter(
        1000, "training examples over which coherence is measured; at most the training set", "examples", ge=20
    )

    @model_validator(mode="after")
    def _comparable(self) -> Self:
        """A peak needs neighbours in order, and a batch is part of the training set."""
        if sorted(set(self.hidden_widths)) != list(self.hidden_widths):
            raise ValueError(f"parameter hidden_widths = {list(self.hidden_widths)}: want widths that grow")
        if self.batch_size > self.train_size:
            raise ValueError(f"parameter batch_size = {self.batch_size}: want at most train_size = {self.train_size}")
        return self
