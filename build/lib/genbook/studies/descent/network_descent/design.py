"""Networks of growing width on the same partly wrong labels, measured across the interpolation threshold."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from genbook.base.spec import parameter
from genbook.base.when import AtEnd, LogSpaced
from genbook.experiments import MLP, Condition, Dataset, Descent, Design, Fraction, Growing, Images, Labels, Watch

#: Measured once training has ended.
AT_END = Watch(("weight norm", "sharpness"), AtEnd(), tolerance=2e-2)


class NetworkDescentSpec(Dataset, Descent):
    """Networks of growing width, trained for the same number of steps on the same partly wrong labels."""

    n_train: int = parameter(1000, "size of the training set, the same number of each class", "examples", ge=50)
    noise: Fraction = parameter(0.2, "fraction of the training labels that are wrong", "fraction")
    labels: Literal["real", "shuffled"] = parameter(
        "real", "what the noise is added to; 'shuffled' labels have no meaning (a negative control)"
    )
    widths: Growing[Annotated[int, Field(ge=1, le=4096)]] = parameter(
        (3, 6, 8, 12, 16, 20, 24, 32, 64, 128), "units of each hidden layer", "units", min_length=4, max_length=40
    )
    layers: int = parameter(1, "hidden layers, all of one width", "", ge=1, le=6)
    learning_rate: float = parameter(0.05, "learning rate of stochastic gradient descent", "", gt=0, le=100)
    momentum: float = parameter(0.9, "heavy-ball momentum", "", ge=0, lt=1)
    batch_size: int = parameter(100, "examples in one gradient step", "examples", ge=1)
    steps: int = parameter(3000, "gradient steps of every network", "steps", ge=20, le=10**7)
    n_measurements: int = parameter(
        20, "points along the training at which everything is measured, log-spaced", "", ge=6
    )
    coherence_examples: int = parameter(
        1000, "training examples over which coherence is measured; at most the training set", "examples", ge=20
    )


def design(spec: NetworkDescentSpec) -> Design:
    """A condition for each width."""
    real = Labels().shuffled() if spec.labels == "shuffled" else Labels()
    images = Images(spec.dataset, spec.n_train, real.wrong(spec.noise))
    at, groups = LogSpaced(spec.n_measurements), ("clean", "corrupted") if spec.noise else ()
    of_groups = ("m-coherence at equal size", "gradient cosine") if groups else ()
    watch = (
        Watch(("train accuracy",), at, groups=groups),
        Watch(("train loss", "test accuracy", "test loss"), at),
        Watch(("m-coherence", *of_groups), at, groups=groups, examples=spec.coherence_examples),
    )
    return Design(
        Condition(
            {"width": width},
            images,
            MLP((width,) * spec.layers),
            spec.recipe(),
            watch,
            at_end=(AT_END,),
            facts=("parameters",),
        )
        for width in spec.widths
    )
