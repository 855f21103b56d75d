"""A best step that moves: one network for each size of the training set, noise and learning rate, and their signals."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from genbook.base.spec import parameter
from genbook.base.when import LogSpaced
from genbook.experiments import Architecture, Condition, Descent, Design, Growing, HiddenWidths, Images, Labels, Watch

CURVES = ("test accuracy", "held-out loss", "held-out loss on true labels")
GRADIENTS = ("m-coherence", "gradient norm")
#: The columns that tell a run's setting.
SETTING = ("examples", "noise", "learning rate")


class MovingBestStepSpec(Architecture, Descent):
    """Networks on training sets of several sizes and with several levels of noise, by several learning rates."""

    n_train: Growing[Annotated[int, Field(ge=20)]] = parameter(
        (100, 600), "sizes of the training set, the same number of each class", "examples", min_length=1, max_length=6
    )
    noise_levels: Growing[Annotated[float, Field(gt=0, le=0.9)]] = parameter(
        (0.2, 0.4),
        "fractions of wrong labels, in training and held-out set alike",
        "fraction",
        min_length=1,
        max_length=6,
    )
    rate_factors: Growing[Annotated[float, Field(gt=0, le=100)]] = parameter(
        (0.25, 1.0, 4.0), "learning rates, as multiples of learning_rate", "", min_length=1, max_length=6
    )
    held_out: int = parameter(200, "held-out examples, for the rules that want some", "examples", ge=10)
    signals: Literal["own", "shuffled"] = parameter(
        "own",
        "'own'; 'shuffled' shows the rules each run's signals with its steps dealt out anew (a control)",
    )
    hidden: HiddenWidths = parameter((32,), "widths of an mlp's hidden layers", "units", min_length=1, max_length=6)
    learning_rate: float = parameter(0.1, "learning rate of which the others are multiples", "", gt=0, le=100)
    steps: int = parameter(1500, "gradient steps of every run", "steps", ge=10, le=10**7)
    n_measurements: int = parameter(
        30, "log-spaced steps at which all signals are measured and a rule may stop", "", ge=10
    )

    @model_validator(mode="after")
    def _apart(self) -> Self:
        """No two factors give one learning rate."""
        rates = [factor * self.learning_rate for factor in self.rate_factors]
        if len(set(rates)) < len(rates) or not min(rates):
            raise ValueError(
                f"parameter rate_factors = {list(self.rate_factors)}: times learning_rate = {self.learning_rate} they "
                "are not different learning rates above 0; take factors that are farther apart, or a larger rate"
            )
        return self

    def settings(self) -> Sequence[tuple[int, float, float]]:
        """Size of the training set, noise and learning rate of each run."""
        rates = [factor * self.learning_rate for factor in self.rate_factors]
        return list(product(self.n_train, self.noise_levels, rates))


def design(spec: MovingBestStepSpec) -> Design:
    """A condition for each setting; a smaller training set is part of the larger, and all hold out the same images."""
    at = LogSpaced(spec.n_measurements)
    return Design(
        Condition(
            dict(zip(SETTING, (n, noise, rate), strict=True)),
            Images(
                spec.dataset,
                n,
                Labels().wrong(noise),
                held_out=spec.held_out,
                held_out_labels=Labels().wrong(noise),
            ),
            spec.architecture(),
            spec.recipe(learning_rate=rate),
            (Watch(CURVES, at), Watch(GRADIENTS, at)),
        )
        for n, noise, rate in spec.settings()
    )
