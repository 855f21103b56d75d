"""Parameters of logistic regression with learning rates from small to enormous."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from genbook.base.spec import Spec, parameter
from genbook.experiments import Growing


class PerceptronLimitSpec(Spec):
    """Points that a plane separates, fitted by full-batch gradient descent on the logistic loss from zero weights."""

    n_train: int = parameter(60, "training points", "points", ge=4, le=2000)
    inputs: int = parameter(20, "dimensions of a point", "", ge=2, le=1000)
    margin: float = parameter(0.1, "least distance of a point from the separating plane", "", gt=0, le=10)
    learning_rates: Growing[Annotated[float, Field(gt=0, le=1e9)]] = parameter(
        (0.1, 1.0, 10.0, 100.0, 1e4, 1e6), "learning rates of gradient descent", "", min_length=2, max_length=12
    )
    steps: int = parameter(20_000, "gradient steps after which an unfinished run is given up", "steps", ge=10, le=10**6)
    shown_steps: int = parameter(100, "first steps whose loss and error are kept for the figures", "steps", ge=5)
    separable: Literal["yes", "no"] = parameter(
        "yes", "whether labels follow the plane ('no' draws them at random: then nothing is promised)"
    )
