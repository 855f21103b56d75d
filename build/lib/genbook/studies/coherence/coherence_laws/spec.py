"""Parameters of the laws of coherence."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from genbook.base.spec import Spec, parameter
from genbook.experiments import Growing


class CoherenceLawsSpec(Spec):
    """A small network on its way, and what is done to its per-example gradients."""

    dataset: Literal["digits", "fashion-small", "mnist1d"] = parameter("digits", "the images and their labels")
    n_train: int = parameter(200, "training examples, m", "examples", ge=40, le=1000)
    hidden: tuple[Annotated[int, Field(ge=1, le=256)], ...] = parameter(
        (16,), "widths of the hidden layers", "units", min_length=1, max_length=4
    )
    learning_rate: float = parameter(0.2, "learning rate of gradient descent", "", gt=0, le=1)
    steps: int = parameter(200, "full-batch steps", "steps", ge=20, le=5000)
    at_step: int = parameter(10, "step at which the gradients are averaged, sampled, diluted and scaled", "steps", ge=1)
    batch_sizes: Growing[Annotated[int, Field(ge=1, le=1000)]] = parameter(
        (1, 4, 16, 64), "numbers of gradients averaged", "examples", min_length=2, max_length=12
    )
    draws: int = parameter(1000, "mini-batches drawn of each size", "", ge=10, le=100_000)
    batches: Literal["independent", "copies"] = parameter(
        "independent", "whether a mini-batch is drawn independently or is one example copied (a control)"
    )
    relatives_on: Literal["the same examples", "other examples"] = parameter(
        "the same examples", "on which examples the relatives are measured; others are a control"
    )
    layer_weights: Literal["norm fractions", "equal"] = parameter(
        "norm fractions", "how the layers' coherences are combined; equal weights are a control"
    )
    gradients: Literal["of the network", "isotropic"] = parameter(
        "of the network", "what is averaged, sampled, diluted and scaled; random directions are a control"
    )

    @model_validator(mode="after")
    def _on_the_way(self) -> Self:
        """The state whose gradients are looked at lies on the way."""
        if self.at_step > self.steps:
            raise ValueError(f"parameter at_step = {self.at_step}: want at most steps = {self.steps}")
        return self
