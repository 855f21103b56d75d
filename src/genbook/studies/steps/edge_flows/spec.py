"""Parameters of a small network whose gradient descent is followed by continuous flows."""

from __future__ import annotations

from genbook.base.spec import Spec, parameter


class EdgeFlowsSpec(Spec):
    """A network of one hidden layer of tanh units and one output, on made-up points, trained on the squared loss."""

    n_train: int = parameter(30, "training points", "points", ge=4, le=500)
    inputs: int = parameter(6, "dimensions of a point", "", ge=2, le=100)
    hidden: int = parameter(10, "hidden units", "units", ge=1, le=200)
    start: float = parameter(
        0.8, "sharpness at the start in units of 2 / learning rate, which sets the learning rate", "", gt=0, lt=2
    )
    steps: int = parameter(200, "gradient steps", "steps", ge=10, le=10**5)
    substeps: int = parameter(4, "parts of a step in which the flows are integrated", "", ge=1, le=100)
    threshold: float = parameter(
        1.95, "an eigenvalue concerns the central flow above this over the learning rate (1000: none ever)", "", gt=0
    )
    turns: float = parameter(
        1.0,
        "how fast edge flow's direction turns to a top eigenvector, over the learning rate (0: not at all)",
        "",
        ge=0,
    )
    every: int = parameter(4, "steps between measurements", "steps", ge=1, le=1000)
