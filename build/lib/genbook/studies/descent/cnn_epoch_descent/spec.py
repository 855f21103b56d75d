"""Parameters of the convolutional network in time."""

from __future__ import annotations

from typing import Literal

from genbook.base.recipes import SGD, Augmentation, InverseSquareRoot, Recipe
from genbook.base.spec import parameter
from genbook.experiments import Descent, Fraction


class CnnEpochDescentSpec(Descent):
    """The five-layer network of Nakkiran et al. (2020), trained as by Heckel and Yilmaz (2021)."""

    images: Literal["cifar10", "fashion-mnist", "fashion-small", "digits"] = parameter(
        "cifar10", "the images and their real labels"
    )
    n_train: int = parameter(50_000, "size of the training set, the same number of each class", "examples", ge=50)
    noise: Fraction = parameter(0.2, "fraction of the training labels that are wrong", "fraction")
    planes: int = parameter(64, "channels of the first convolution", "channels", ge=1, le=256)
    norm: Literal["batch", "group"] = parameter("batch", "what normalises the channels: the batch, or groups of them")
    learning_rate: float = parameter(
        0.1, "first learning rate; it falls like the inverse root of the number of 512 steps", "", gt=0, le=100
    )
    batch_size: int = parameter(128, "examples in one gradient step", "examples", ge=2)
    crop: int = parameter(
        4, "pixels by which images are shifted at random, at most; a half of them is flipped", ge=0, le=8
    )
    steps: int = parameter(273_000, "gradient steps: 700 epochs of all of CIFAR-10", "steps", ge=20, le=10**7)
    n_measurements: int = parameter(80, "log-spaced steps at which errors are measured", "", ge=6)

    @property
    def dataset(self) -> str:
        """The data set that is used."""
        return self.images

    def training(self) -> Recipe:
        """How the network is trained."""
        optimiser = SGD(self.learning_rate, self.momentum, weight_decay=self.weight_decay)
        moved = Augmentation(self.crop, flip=True)
        return Recipe(self.steps, optimiser, self.batch_size, InverseSquareRoot(), augmentation=moved)
