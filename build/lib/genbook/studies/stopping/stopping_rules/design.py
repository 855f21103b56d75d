"""Stopping rules: train at several levels of label noise and record every signal a rule may look at."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from genbook.base.spec import parameter
from genbook.base.when import LogSpaced
from genbook.experiments import MLP, Condition, Dataset, Descent, Design, Growing, HiddenWidths, Images, Labels, Watch

HALVES = ("one half", "other half")
CURVES = ("test accuracy", "held-out accuracy", "held-out loss", "loss spread")
GRADIENTS = ("m-coherence", "gradient norm", "gradient cosine")


class StoppingRulesSpec(Dataset, Descent):
    """Networks at several levels of label noise, with the signals from which a rule may choose when to stop."""

    n_train: int = parameter(500, "size of the training set", "examples", ge=20)
    held_out: int = parameter(
        200, "held-out examples, as noisy as the training set, for the rules that want some", "examples", ge=10
    )
    decoys: int = parameter(
        25, "training examples that are given another label on purpose, and remembered as such", "examples", ge=1
    )
    noise_levels: Growing[Annotated[float, Field(ge=0, le=0.9)]] = parameter(
        (0.0, 0.1, 0.2, 0.4, 0.6),
        "fractions of wrong labels, in training and held-out set alike",
        "fraction",
        min_length=1,
        max_length=20,
    )
    signals: Literal["own", "shuffled"] = parameter(
        "own",
        "'own'; 'shuffled' shows the rules each run's signals with its steps dealt out anew (a control)",
    )
    hidden: HiddenWidths = parameter((64, 64), "widths of the hidden layers", "units", min_length=1, max_length=6)
    learning_rate: float = parameter(0.1, "learning rate of stochastic gradient descent", "", gt=0, le=100)
    steps: int = parameter(2000, "gradient steps", "steps", ge=10, le=10**7)
    n_measurements: int = parameter(
        60, "log-spaced steps at which all signals are measured and a rule may stop", "", ge=10
    )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        """Decoys are part of the training set; one level has noise to stop against."""
        if self.decoys > self.n_train:
            raise ValueError(f"parameter decoys = {self.decoys}: want at most n_train = {self.n_train}")
        if self.noise_levels[-1] == 0:
            raise ValueError(f"parameter noise_levels = {list(self.noise_levels)}: want the last above 0")
        return self


def design(spec: StoppingRulesSpec) -> Design:
    """A condition for each level of noise, on one training set with decoys and one held-out set as noisy."""
    at = LogSpaced(spec.n_measurements)
    watch = (
        Watch(CURVES, at),
        Watch(("train loss",), at, groups=("decoys",)),
        Watch(GRADIENTS, at, groups=HALVES),
    )
    return Design(
        Condition(
            {"noise": noise},
            Images(
                spec.dataset,
                spec.n_train,
                Labels().wrong(noise).decoys(spec.decoys),
                held_out=spec.held_out,
                held_out_labels=Labels().wrong(noise),
            ),
            MLP(spec.hidden),
            spec.recipe(),
            watch,
        )
        for noise in spec.noise_levels
    )
