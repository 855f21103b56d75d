"""Coherence with fresh examples: widths trained in small steps and in minibatches, with held-out gradients."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from genbook.base.recipes import SGD, Recipe
from genbook.base.spec import parameter
from genbook.base.when import LogSpaced
from genbook.data import SIGNALS
from genbook.experiments import CNN, MLP, Condition, Dataset, Design, Fraction, Growing, Images, Labels, Watch

SMALL, MINIBATCHES = "small", "minibatches"
CORRUPTED = "corrupted"
CURVES = ("train loss", "test loss", "test accuracy", "test accuracy on true labels", "held-out loss")
SCORES = ("AUC of EL2N", "AUC of fresh alignment", "AUC of training alignment")


class FreshCoherenceSpec(Dataset):
    """Networks of several widths on partly wrong labels, in steps on all examples and in steps on a few."""

    n_train: int = parameter(300, "size of the training set, the same number of each class", "examples", ge=20)
    held_out: int = parameter(
        300, "fresh examples of which gradients are measured, as noisy as the training set", "examples", ge=20
    )
    noise: Fraction = parameter(0.3, "fraction of wrong labels, in training, held-out and test set alike", "fraction")
    labels: Literal["real", "shuffled"] = parameter(
        "real", "what the noise is added to; 'shuffled' training labels have no meaning"
    )
    fresh_labels: Literal["as given", "shuffled"] = parameter(
        "as given", "labels of the held-out examples; 'shuffled' takes their meaning alone (a control)"
    )
    tags: Literal["true", "shuffled"] = parameter(
        "true", "which examples count as corrupted; 'shuffled' deals the tags out at random (a control)"
    )
    network: Literal["mlp", "cnn"] = parameter("mlp", "'mlp': fully connected; 'cnn': convolutions on images")
    widths: Growing[Annotated[int, Field(ge=1, le=512)]] = parameter(
        (12, 24, 48, 96),
        "units of each of two hidden layers, or channels of a CNN's first convolution",
        "units",
        min_length=2,
        max_length=20,
    )
    learning_rate: float = parameter(0.04, "learning rate of the small steps, on all examples", "", gt=0, le=100)
    steps: int = parameter(1200, "small steps", "steps", ge=10, le=10**7)
    minibatch: int = parameter(30, "examples in a step of the other descent; at most the training set", "", ge=1)
    minibatch_learning_rate: float = parameter(0.1, "learning rate of its steps, for as long a time", "", gt=0, le=100)
    n_measurements: int = parameter(45, "log-spaced steps at which everything is measured", "", ge=10)

    @model_validator(mode="after")
    def _possible(self) -> Self:
        """A CNN sees images, and the other descent takes some steps."""
        if self.network == "cnn" and self.dataset in SIGNALS:
            raise ValueError(f"parameter network = 'cnn': wants images; dataset is {self.dataset!r}")
        time = self.learning_rate * self.steps
        if not time / 10**7 <= self.minibatch_learning_rate <= time / 10:
            raise ValueError(
                f"parameter minibatch_learning_rate = {self.minibatch_learning_rate}: want {time / 10**7:g} to "
                f"{time / 10:g}, so that the time of the small steps takes 10 to 10⁷ of these"
            )
        return self

    def minibatch_steps(self) -> int:
        """As many steps on a few examples as take the time of the small ones: steps times the learning rate."""
        return round(self.steps * self.learning_rate / self.minibatch_learning_rate)

    def recipes(self) -> dict[str, Recipe]:
        """Both descents by name."""
        some = min(self.minibatch, self.n_train)
        return {
            SMALL: Recipe(self.steps, SGD(self.learning_rate)),
            MINIBATCHES: Recipe(self.minibatch_steps(), SGD(self.minibatch_learning_rate), some),
        }


def design(spec: FreshCoherenceSpec) -> Design:
    """A condition for each width and descent, on the same images and labels."""
    real = Labels().shuffled() if spec.labels == "shuffled" else Labels()
    noisy = real.wrong(spec.noise)
    images = Images(
        spec.dataset,
        spec.n_train,
        noisy.retagged() if spec.tags == "shuffled" else noisy,
        held_out=spec.held_out,
        held_out_labels=noisy.shuffled() if spec.fresh_labels == "shuffled" else noisy,
        test_labels=Labels().wrong(spec.noise),
    )
    at = LogSpaced(spec.n_measurements)
    watch = (
        Watch(CURVES, at),
        Watch(("fresh coherence",), at, layers=True),
        Watch(("m-coherence",), at),
        Watch(SCORES, LogSpaced(spec.n_measurements // 3), groups=(CORRUPTED,)),
    )
    return Design(
        Condition(
            {"width": width, "descent": name},
            images,
            CNN(width) if spec.network == "cnn" else MLP((width, width)),
            recipe,
            watch,
        )
        for width in spec.widths
        for name, recipe in spec.recipes().items()
    )
