"""Coherence on convolutions: one small network on real and on random labels of the same images, layer by layer."""

from __future__ import annotations

from typing import Literal

from genbook.base.spec import parameter
from genbook.base.when import AtEnd, LogSpaced
from genbook.data import SIGNALS, DatasetName
from genbook.experiments import CNN, CNN1D, Condition, Dataset, Descent, Design, Fraction, Images, Labels, Watch
from genbook.tables.readings import LEARNING_ENDS


class ConvolutionCoherenceSpec(Dataset, Descent):
    """A convolutional network trained on real and on random labels of the same images, until most are learned."""

    dataset: DatasetName = parameter("fashion-small", "the images and their real labels")
    n_train: int = parameter(1000, "size of the training set, the same number of each class", "examples", ge=20)
    measured: int = parameter(500, "how many of them gradients are measured on: m of m-coherence", "examples", ge=2)
    random: Fraction = parameter(1.0, "fraction of the random labels that are drawn anew", "fraction")
    real_labels: Literal["kept", "shuffled"] = parameter(
        "kept", "what is done to the real labels; 'shuffled' takes their meaning (a negative control)"
    )
    channels: int = parameter(8, "channels of the first convolution", "channels", ge=1, le=512)
    learning_rate: float = parameter(0.01, "learning rate of stochastic gradient descent", "", gt=0, le=100)
    momentum: float = parameter(0.9, "heavy-ball momentum", "", ge=0, lt=1)
    batch_size: int = parameter(50, "examples in one gradient step", "examples", ge=1)
    steps: int = parameter(1500, "longest training; a network that has learned stops earlier", "steps", ge=10, le=10**7)
    n_measurements: int = parameter(28, "log-spaced steps at which coherence is measured", "", ge=5)

    def network(self) -> CNN | CNN1D:
        """Convolutions in two dimensions for images, in one for signals."""
        return CNN1D(self.channels) if self.dataset in SIGNALS else CNN(self.channels)


def design(spec: ConvolutionCoherenceSpec) -> Design:
    """Two conditions that differ in their labels alone; each stops where readings at equal loss end."""
    at, m = LogSpaced(spec.n_measurements), min(spec.measured, spec.n_train)
    real = Labels().shuffled() if spec.real_labels == "shuffled" else Labels()
    return Design(
        Condition(
            {"trained on": name},
            Images(spec.dataset, spec.n_train, labels),
            spec.network(),
            spec.recipe(stop_at_accuracy=LEARNING_ENDS),
            (Watch(("train accuracy", "train loss"), at), Watch(("m-coherence",), at, layers=True, examples=m)),
            at_end=(Watch(("test accuracy",), AtEnd()),),
        )
        for name, labels in (("random", real.redrawn(spec.random)), ("real", real))
    )
