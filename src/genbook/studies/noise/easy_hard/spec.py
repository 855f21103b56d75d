"""Parameters of the study of easy and hard examples."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from genbook.base.spec import Spec, parameter


class EasyHardSpec(Spec):
    """Images ranked by how early networks learn them; the easy half and the hard half trained on apart."""

    dataset: Literal["digits", "mnist1d", "fashion-mnist", "mnist", "cifar10"] = parameter(
        "digits", "the images and their real labels"
    )
    pool: int = parameter(1200, "images that are ranked; a multiple of four", "examples", ge=80)
    initialisations: int = parameter(8, "networks whose early errors rank the images; an even number", "", ge=2, le=100)
    early: int = parameter(30, "steps after which the images are ranked", "steps", ge=1)
    halves: Literal["ranked", "random"] = parameter(
        "ranked", "what the easy and the hard half are: 'ranked' by difficulty, or 'random' (a null world)"
    )
    labels: Literal["real", "shuffled"] = parameter(
        "real", "the 'real' labels, or 'shuffled' ones that mean nothing (a null world)"
    )
    hidden: tuple[Annotated[int, Field(ge=1, le=4096)], ...] = parameter(
        (64,), "widths of the hidden layers", "units", min_length=1, max_length=6
    )
    learning_rate: float = parameter(0.1, "step size of stochastic gradient descent", "", gt=0, le=100)
    batch_size: int = parameter(50, "examples in one gradient step", "examples", ge=1)
    half_steps: int = parameter(1000, "length of the training on a half", "steps", ge=10)
    coherence_looks: int = parameter(25, "points at which coherence is measured, log-spaced", "", ge=5)

    @model_validator(mode="after")
    def _divides(self) -> Self:
        """Halves are split again into a half to train on and a half to test on; networks into two juries."""
        if self.pool % 4 or self.initialisations % 2:
            raise ValueError(
                f"parameters pool = {self.pool}, initialisations = {self.initialisations}: "
                "want a multiple of four and an even number"
            )
        if self.batch_size > self.pool // 4:
            raise ValueError(f"parameter batch_size = {self.batch_size}: want at most a quarter of pool = {self.pool}")
        return self
