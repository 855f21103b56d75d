"""Suppressing weak directions: robust averages of the batch's gradients against plain descent and its controls."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from genbook.base.recipes import Average
from genbook.base.spec import parameter
from genbook.base.when import LogSpaced
from genbook.experiments import MLP, Condition, Dataset, Descent, Design, Growing, Images, Labels, Watch
from genbook.studies.noise.shared import check_some_wrong

ON_TRAINING_SET = ("train accuracy", "train accuracy on true labels")
ON_OTHERS = ("test accuracy", "held-out accuracy")
GROUPS = ("clean", "corrupted")


class WeakDirectionsSpec(Dataset, Descent):
    """One network on one mislabelled training set, its batch gradients averaged by different rules."""

    n_train: int = parameter(
        300, "size of the training set of the comparison of averages, the same number of each class", "examples", ge=50
    )
    held_out: int = parameter(
        200, "other examples, mislabelled alike, by which a training may be stopped", "examples", ge=20
    )
    noise: float = parameter(0.3, "fraction of the training labels that are wrong", "fraction", gt=0, lt=1)
    winsorised: Growing[Annotated[int, Field(ge=1, le=200)]] = parameter(
        (1, 5), "gradients that winsorising moves at each end, in each coordinate of a batch", "examples", min_length=1
    )
    clip: float = parameter(1.0, "largest norm of an example's gradient under clipping", "", gt=0)
    learning_rate_factors: tuple[Annotated[float, Field(gt=0, le=10)], ...] = parameter(
        (0.3, 0.1), "learning rates of the control, as multiples of the other rules'", "", min_length=1, max_length=5
    )
    averages: Literal["robust", "plain"] = parameter(
        "robust", "'plain' puts the mean gradient in the place of every robust average"
    )
    labels: Literal["noisy", "clean"] = parameter(
        "noisy",
        "'noisy'; 'clean' trains on the right labels and keeps the tags of those that would have been corrupted "
        "(a control)",
    )
    tags: Literal["true", "shuffled"] = parameter(
        "true",
        "which examples count as clean and corrupted: 'true'; 'shuffled' deals the tags out at random (a control)",
    )
    width: int = parameter(48, "width of the one hidden layer of the comparison of averages", "units", ge=1, le=4096)
    learning_rate: float = parameter(0.3, "learning rate of stochastic gradient descent", "", gt=0, le=100)
    batch_size: int = parameter(50, "examples in one gradient step", "examples", ge=3)
    steps: int = parameter(900, "gradient steps of the trainings compared", "steps", ge=10, le=10**7)
    n_measurements: int = parameter(40, "log-spaced steps at which everything is measured", "", ge=5)

    @model_validator(mode="after")
    def _possible(self) -> Self:
        """Some labels are wrong and some right; every rule can average a batch; controls differ."""
        check_some_wrong(self.noise, self.n_train)
        if self.momentum:
            raise ValueError(f"parameter momentum = {self.momentum:g}: want 0, the running median RM3 bears none")
        most = (self.batch_size - 2) // 2
        if self.winsorised[-1] > most:
            raise ValueError(
                f"parameter winsorised = {list(self.winsorised)}: a batch of {self.batch_size} can lose {most} a side"
            )
        slower = [slower_name(factor) for factor in self.learning_rate_factors]
        if len(set(slower)) < len(slower):
            raise ValueError(
                f"parameter learning_rate_factors = {list(self.learning_rate_factors)}: want each once, to six digits"
            )
        return self


def slower_name(factor: float) -> str:
    """Name of plain descent with ``factor`` times the learning rate."""
    return f"SGD, learning rate x {factor:g}"


def length_of(rule: str) -> str:
    """Name of descent along the mean gradient by steps as long as those of a rule."""
    return f"SGD, {rule} length"


HUBERISED = "partially Huberised"


def rules(spec: WeakDirectionsSpec) -> dict[str, dict[str, Any]]:
    """By name of each rule, what it changes in the recipe of plain descent."""
    winsorised, clipped = Average("winsorised", spec.winsorised[-1]), Average("clipped", spec.clip)
    robust: dict[str, Average] = {
        **{f"winsorised {c}": Average("winsorised", c) for c in spec.winsorised},
        "M3": Average("median of means"),
        "RM3": Average("running median"),
        "RA3": Average("running mean"),
        "clipped": clipped,
    }
    averages = {
        name: average if spec.averages == "robust" else None
        for name, average in {
            **robust,
            length_of("winsorised"): replace(winsorised, length_only=True),
            length_of("clipped"): replace(clipped, length_only=True),
        }.items()
    }
    return {
        "SGD": {},
        **{
            slower_name(factor): {"learning_rate": factor * spec.learning_rate} for factor in spec.learning_rate_factors
        },
        **{name: {"average": average} for name, average in averages.items()},
        HUBERISED: {"loss": "partially Huberised"},
    }


def design(spec: WeakDirectionsSpec) -> Design:
    """A condition for each rule: one mislabelled set, one batch order, one initialisation."""
    at, wrong = LogSpaced(spec.n_measurements), Labels().wrong(spec.noise)
    labels = wrong.corrected() if spec.labels == "clean" else wrong
    held_out = labels
    labels = labels.retagged() if spec.tags == "shuffled" else labels
    images = Images(spec.dataset, spec.n_train, labels, held_out=spec.held_out, held_out_labels=held_out)
    watch = (Watch(ON_TRAINING_SET, at, groups=GROUPS), Watch(ON_OTHERS, at))
    return Design(
        Condition({"rule": name}, images, MLP((spec.width,)), spec.recipe(**changes), watch)
        for name, changes in rules(spec).items()
    )
