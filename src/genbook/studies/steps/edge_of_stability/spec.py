"""Parameters of small networks whose sharpness is watched."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from genbook.base.spec import Spec, parameter


class EdgeOfStabilitySpec(Spec):
    """Networks of one hidden layer, trained by full-batch and by mini-batch descent with constant steps."""

    dataset: Literal["digits", "mnist1d", "fashion-mnist", "mnist", "cifar10"] = parameter(
        "digits", "the images and their labels"
    )
    edge_examples: int = parameter(100, "size of the training set, the same number of each class", "examples", ge=20)
    edge_hidden: int = parameter(24, "hidden units", "units", ge=1, le=1024)
    init_scale: float = parameter(0.7, "multiple of the default initial weights", "", gt=0, le=10)
    edge_rates: tuple[Annotated[float, Field(gt=0, le=100)], ...] = parameter(
        (0.6, 1.0, 1.4), "step sizes of full-batch descent on the squared loss", "", min_length=2, max_length=8
    )
    unreached_rate: float = parameter(
        0.06, "step size of one more network, too small to meet the edge in this time", "", gt=0, le=100
    )
    edge_batches: tuple[Annotated[int, Field(ge=1)], ...] = parameter(
        (5, 25), "batch sizes at the smallest step size; larger ones are the whole set", "examples", min_length=1
    )
    other_loss: Literal["cross-entropy", "squared"] = parameter(
        "cross-entropy", "loss of one more network, at the smallest step size ('squared' is a null world)"
    )
    edge_steps: int = parameter(800, "steps of training", "steps", ge=20, le=10**6)
    edge_probes: int = parameter(
        10, "points at which sharpness is measured, log-spaced but for three late ones", "", ge=4
    )

    @model_validator(mode="after")
    def _comparable(self) -> Self:
        """Claims compare the first step size with the last, and the smallest batch with the whole set."""
        if sorted(set(self.edge_rates)) != list(self.edge_rates):
            raise ValueError(f"parameter edge_rates = {list(self.edge_rates)}: want step sizes that grow")
        if sorted(set(self.edge_batches)) != list(self.edge_batches):
            raise ValueError(f"parameter edge_batches = {list(self.edge_batches)}: want sizes that grow")
        return self
