"""Parameters of small networks that descend plainly, towards flat places, or along their own trajectory."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from genbook.base.spec import parameter
from genbook.experiments import Dataset, Fraction, Growing

#: What is compared: plain descent; SAM; SAF; and SAM's step in a random direction.
METHODS = ("SGD", "SAM", "SAF", "random")
#: Gradients that a step of each evaluates.
GRADIENTS = {"SGD": 1, "SAM": 2, "SAF": 1, "random": 1}
#: What is rescaled.
RESCALED = ("SGD", "SAM")


class SharpnessAwareSpec(Dataset):
    """One network, trained by four methods with as many evaluations of gradients, then rescaled."""

    n_train: int = parameter(300, "size of the training set, the same number of each class", "examples", ge=20)
    noise: Fraction = parameter(0.2, "fraction of wrong labels in the second of two training sets", "fraction")
    width: int = parameter(32, "units of the hidden layer", "units", ge=2, le=1024)
    activation: Literal["relu", "tanh"] = parameter("relu", "the units' activation; tanh cannot be rescaled")
    batch_size: int = parameter(20, "examples in a step", "examples", ge=1, le=1000)
    learning_rate: float = parameter(0.2, "learning rate", "", gt=0, le=10)
    gradients: int = parameter(1000, "gradient evaluations on a batch that every method has", "", ge=2, le=10**6)
    radius: float = parameter(0.2, "radius ρ of the ball in which SAM looks for the highest loss", "", gt=0, le=10)
    trajectory: float = parameter(0.3, "weight λ of SAF's divergence from earlier outputs", "", gt=0, le=100)
    temperature: float = parameter(5.0, "temperature τ at which outputs are compared", "", gt=0, le=100)
    earlier: int = parameter(3, "epochs that lie between the outputs compared", "epochs", ge=1, le=1000)
    scales: Growing[Annotated[float, Field(gt=0, le=1000)]] = parameter(
        (0.0625, 0.25, 0.5, 0.7, 1.0, 1.4, 2.0, 4.0, 16.0),
        "factors by which the first layer is multiplied and the second divided",
        "",
        min_length=2,
    )
