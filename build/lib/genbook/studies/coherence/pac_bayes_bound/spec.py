"""Parameters of the PAC-Bayes bound."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from genbook.base.spec import parameter
from genbook.experiments import Dataset, Descent, Fraction, HiddenWidths


class PacBayesBoundSpec(Dataset, Descent):
    """SGD tells classes 0 to 4 from 5 to 9; then a Gaussian around its weights makes the bound small."""

    n_train: int = parameter(1300, "training examples, n", "examples", ge=40, le=60_000)
    hidden: Annotated[HiddenWidths, Field(min_length=1, max_length=4)] = parameter(
        (32,), "widths of the hidden layers", "units"
    )
    learning_rate: float = parameter(0.1, "learning rate of stochastic gradient descent", "", gt=0, le=100)
    momentum: float = parameter(0.9, "heavy-ball momentum", "", ge=0, lt=1)
    batch_size: int = parameter(100, "examples in one gradient step, of SGD and of the posterior", "examples", ge=1)
    steps: int = parameter(1000, "gradient steps of SGD", "steps", ge=10, le=10**7)
    noise: Fraction = parameter(1.0, "fraction of the random labels that are drawn anew", "fraction")
    labels: Literal["real", "shuffled"] = parameter(
        "real", "whether real labels are real, or shuffled over the images (a negative control)"
    )
    fresh: Literal["same source", "at random"] = parameter(
        "same source",
        "where the labels of fresh examples come from: what the training labels come from, as the theorem wants, or a "
        "fair coin (a negative control)",
    )
    posterior_steps: int = parameter(500, "gradient steps on the bound", "steps", ge=10, le=10**6)
    posterior_rate: float = parameter(0.03, "learning rate of Adam on the bound", "", gt=0, le=1)
    start: float = parameter(
        0.1, "the posterior's standard deviations at the start, over the sizes of the trained weights", "", gt=0, le=10
    )
    draws: int = parameter(20, "weights drawn for each example when the bound is evaluated", "", ge=1, le=10_000)
    delta: float = parameter(
        0.025, "probability with which the bound may fail, over training sets", "probability", gt=0, lt=0.5
    )
    delta_draws: float = parameter(
        0.01, "probability with which the training error estimated from the draws may fail", "probability", gt=0, lt=0.5
    )
