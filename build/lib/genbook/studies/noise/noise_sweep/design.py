"""A sweep of label noise: one network at each level, the same without any noise, and one on random labels only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from genbook.base.spec import parameter
from genbook.base.when import LogSpaced
from genbook.experiments import MLP, Condition, Dataset, Descent, Design, Growing, Images, Labels, Watch
from genbook.studies.noise.shared import check_some_wrong

GROUPS = ("clean", "corrupted")
#: What a network is trained on: the labels of its level of noise, or the right ones of the same images.
GIVEN, RIGHT = "labels as given", "right labels"


class NoiseSweepSpec(Dataset, Descent):
    """One network at each level of label noise, one without, one on random labels only."""

    n_train: int = parameter(300, "size of the training set, the same number of each class", "examples", ge=50)
    noise_levels: Growing[Annotated[float, Field(gt=0, lt=1)]] = parameter(
        (0.25, 0.5, 0.75),
        "fractions of the training labels drawn anew, uniformly over all classes; none and all are run besides",
        "fraction",
        min_length=1,
        max_length=10,
    )
    tags: Literal["true", "shuffled"] = parameter(
        "true",
        "which examples count as clean and corrupted: 'true'; 'shuffled' deals the tags out at random (a control)",
    )
    width: int = parameter(64, "units of the hidden layer", "units", ge=1, le=4096)
    learning_rate: float = parameter(0.1, "learning rate of stochastic gradient descent", "", gt=0, le=100)
    steps: int = parameter(2000, "gradient steps", "steps", ge=10, le=10**7)
    n_measurements: int = parameter(30, "log-spaced steps at which everything is measured", "", ge=5)

    @model_validator(mode="after")
    def _some_of_each(self) -> Self:
        """At each level some labels are drawn anew and some are not."""
        for level in self.noise_levels:
            check_some_wrong(level, self.n_train)
        return self


def design(spec: NoiseSweepSpec) -> Design:
    """At each level a network on its labels, and one on the right labels that tells the same examples apart.

    A level that holds more noise holds the wrong labels of the lower ones, and the last one is all noise. Networks on
    right labels stop once they have fitted them; there is nothing left to see.
    """
    return Design(_conditions(spec))


def _conditions(spec: NoiseSweepSpec) -> Iterator[Condition]:
    at = LogSpaced(spec.n_measurements)
    watch = (
        Watch(("train accuracy",), at, groups=GROUPS),
        Watch(("test accuracy",), at),
        Watch(("descent",), at, groups=GROUPS),
    )
    for level in (*spec.noise_levels, 1.0):
        noisy = Labels().redrawn(level)
        given = {GIVEN: noisy} if level == 1 else {GIVEN: noisy, RIGHT: noisy.corrected()}
        for which, labels in given.items():
            yield Condition(
                {"noise": level, "trained on": which},
                Images(spec.dataset, spec.n_train, labels.retagged() if spec.tags == "shuffled" else labels),
                MLP((spec.width,)),
                spec.recipe(stop_at_accuracy=1.0 if which == RIGHT else None),
                watch,
                facts=("wrong labels", "classes"),
            )
