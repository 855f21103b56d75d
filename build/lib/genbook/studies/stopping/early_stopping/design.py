"""Early stopping: train on partly wrong labels, and watch the gradients of clean and of corrupted examples."""

from __future__ import annotations

from typing import Literal

from genbook.base.spec import parameter
from genbook.base.when import LogSpaced
from genbook.experiments import MLP, Condition, Dataset, Descent, Design, HiddenWidths, Images, Labels, Watch

GROUPS = ("clean", "corrupted")
ACCURACIES = ("train accuracy", "train accuracy on true labels")
CURVES = ("test accuracy", "train loss", "distance")
GRADIENTS = ("gradient length", "m-coherence at equal size", "gradient cosine", "descent")


class EarlyStoppingSpec(Dataset, Descent):
    """One network per seed, trained on a set of which a fraction of the labels is wrong, far past the best step."""

    n_train: int = parameter(500, "size of the training set", "examples", ge=20)
    noise: float = parameter(
        0.3,
        "fraction of the training labels that are wrong, uniform over the wrong classes",
        "fraction",
        ge=0.02,
        le=0.9,
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
    hidden: HiddenWidths = parameter((64, 64), "widths of the hidden layers", "units", min_length=1, max_length=6)
    learning_rate: float = parameter(0.1, "learning rate of stochastic gradient descent", "", gt=0, le=100)
    steps: int = parameter(2000, "gradient steps", "steps", ge=10, le=10**7)
    n_measurements: int = parameter(80, "log-spaced steps at which everything is measured", "", ge=5)


def design(spec: EarlyStoppingSpec) -> Design:
    """One condition: partly wrong labels, with gradients told apart by group and layer."""
    at, labels = LogSpaced(spec.n_measurements), Labels().wrong(spec.noise)
    labels = labels.corrected() if spec.labels == "clean" else labels
    labels = labels.retagged() if spec.tags == "shuffled" else labels
    watch = (
        Watch(ACCURACIES, at, groups=GROUPS),
        Watch(CURVES, at),
        Watch(GRADIENTS, at, groups=GROUPS, layers=True),
    )
    images = Images(spec.dataset, spec.n_train, labels)
    return Design([Condition({}, images, MLP(spec.hidden), spec.recipe(), watch)])
