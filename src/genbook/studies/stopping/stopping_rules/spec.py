"""Parameters of the study of stopping rules."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from genbook.base.spec import Spec, parameter


class StoppingRulesSpec(Spec):
    """Networks at several levels of label noise, with the signals from which a rule may choose when to stop."""

    dataset: Literal["digits", "mnist1d", "fashion-mnist", "mnist", "cifar10"] = parameter(
        "digits", "the images and their right labels"
    )
    n_train: int = parameter(500, "size of the training set", "examples", ge=20)
    n_validation: int = parameter(
        200, "held-out examples, as noisy as the training set, for the rules that want some", "examples", ge=10
    )
    decoys: int = parameter(
        25, "training examples that are given another label on purpose, and remembered as such", "examples", ge=1
    )
    noise_levels: tuple[Annotated[float, Field(ge=0, le=0.9)], ...] = parameter(
        (0.0, 0.1, 0.2, 0.4, 0.6),
        "shares of wrong labels, in training and held-out set alike",
        "fraction",
        min_length=1,
        max_length=20,
    )
    signals: Literal["own", "shifted"] = parameter(
        "own",
        "'own'; 'shifted' shows the rules each signal from a moment half of the measured points away (a null world)",
    )
    hidden: tuple[Annotated[int, Field(ge=1, le=4096)], ...] = parameter(
        (64, 64), "widths of the hidden layers", "units", min_length=1, max_length=6
    )
    learning_rate: float = parameter(0.1, "step size of stochastic gradient descent", "", gt=0, le=100)
    batch_size: int = parameter(50, "examples in one gradient step", "examples", ge=1)
    steps: int = parameter(2000, "length of the training", "steps", ge=10)
    checkpoints: int = parameter(
        60, "moments, log-spaced, at which all signals are measured and a rule may stop", "", ge=10
    )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        """Batches and decoys are part of the training set; one level has noise to stop against."""
        for name in ("batch_size", "decoys"):
            if getattr(self, name) > self.n_train:
                raise ValueError(f"parameter {name} = {getattr(self, name)}: want at most n_train = {self.n_train}")
        if sorted(set(self.noise_levels)) != list(self.noise_levels) or self.noise_levels[-1] == 0:
            raise ValueError(
                f"parameter noise_levels = {list(self.noise_levels)}: want growing shares, the last above 0"
            )
        return self
