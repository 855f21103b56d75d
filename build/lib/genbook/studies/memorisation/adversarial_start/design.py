"""An adversarial start: networks that first memorise random labels and then learn the real ones, and plain ones.

The construction of Liu, Papailiopoulos and Achlioptas (2020): copies of the training images, in each of which some
pixels are erased, all with labels drawn at random.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Literal, Self

from pydantic import model_validator

from genbook.base.recipes import Augmentation, Recipe
from genbook.base.spec import parameter
from genbook.base.when import AtEnd, LogSpaced
from genbook.data import SIGNALS
from genbook.experiments import (
    CNN,
    Condition,
    Dataset,
    Descent,
    Design,
    Fraction,
    Images,
    Labels,
    Pretraining,
    Watch,
)
from genbook.tables.readings import LEARNING_ENDS

#: How the networks are trained on the real labels, from either start.
PLAIN, CROPS, DECAY, MOMENTUM, ALL = "nothing", "crops", "weight decay", "momentum", "all three"
#: Stopped where most examples are learned, to see which come last.
UNTIL_MOST = "until most"


class AdversarialStartSpec(Dataset, Descent):
    """A convolutional network that learns real labels from first weights, and after random labels on copies."""

    n_train: int = parameter(100, "size of the training set, the same number of each class", "examples", ge=20)
    copies: int = parameter(4, "copies of each training image that are learned before", "copies", ge=1, le=50)
    erased: Fraction = parameter(0.3, "fraction of each copy's pixels that are erased, drawn anew", "fraction")
    before: Literal["random", "real"] = parameter(
        "random", "labels of the copies; 'real' ones make another start, as long and not adversarial (a control)"
    )
    before_steps: int = parameter(2000, "gradient steps on the copies", "steps", ge=1, le=10**7)
    before_learning_rate: float = parameter(0.03, "learning rate on the copies, with momentum 0.9", "", gt=0, le=100)
    channels: int = parameter(8, "channels of the first convolution", "channels", ge=1, le=512)
    learning_rate: float = parameter(0.05, "learning rate of stochastic gradient descent", "", gt=0, le=100)
    momentum: float = parameter(0.9, "heavy-ball momentum of the networks that have it", "", ge=0, lt=1)
    momentum_learning_rate: float = parameter(0.01, "learning rate of the networks with momentum", "", gt=0, le=100)
    weight_decay: float = parameter(0.01, "weight decay of the networks that have it", "", ge=0, le=10)
    crop: int = parameter(
        1, "pixels by which the images are shifted at random, for the networks that see them so", "pixels", ge=0, le=4
    )
    batch_size: int = parameter(20, "examples in one gradient step", "examples", ge=1)
    steps: int = parameter(2000, "gradient steps on the real labels", "steps", ge=10, le=10**7)
    n_measurements: int = parameter(48, "log-spaced steps at which coherence is measured", "", ge=5)

    @model_validator(mode="after")
    def _shifted(self) -> Self:
        """Only images can be cropped."""
        if self.dataset in SIGNALS:
            raise ValueError(f"parameter dataset = {self.dataset!r}: want images, which can be cropped")
        return self

    def pretraining(self) -> Pretraining:
        """Random labels on copies with erased pixels."""
        labels = Labels().diluted(self.copies - 1)
        labels = labels.redrawn(1.0) if self.before == "random" else labels.corrected()
        optimiser = replace(self.recipe().optimiser, lr=self.before_learning_rate, momentum=0.9, weight_decay=0.0)
        recipe = Recipe(self.before_steps, optimiser, self.batch_size)
        return Pretraining(Images(self.dataset, self.n_train, labels, erased=self.erased), recipe)

    def recipes(self) -> Mapping[str, Recipe]:
        """How the real labels are learned: with nothing that regularises, with each of three things, and with all."""
        whole = self.recipe(augmentation=Augmentation(self.crop) if self.crop else None)
        decay = replace(whole.optimiser, momentum=0.0)
        none = replace(decay, weight_decay=0.0)
        both = replace(whole.optimiser, lr=self.momentum_learning_rate)
        momentum = replace(both, weight_decay=0.0)
        return {
            PLAIN: replace(whole, optimiser=none, augmentation=None),
            CROPS: replace(whole, optimiser=none),
            DECAY: replace(whole, optimiser=decay, augmentation=None),
            MOMENTUM: replace(whole, optimiser=momentum, augmentation=None),
            ALL: replace(whole, optimiser=both),
        }


def design(spec: AdversarialStartSpec) -> Design:
    """For each recipe a network from first weights and one that was pretrained; three stop before the end."""
    return Design(_conditions(spec))


def _conditions(spec: AdversarialStartSpec) -> Iterator[Condition]:
    starts: Mapping[str, Mapping[str, Any]] = {
        "first weights": {},
        "pretrained": {"pretraining": spec.pretraining()},
        "other first weights": {"first_weights": 1},
    }
    at = LogSpaced(spec.n_measurements)
    curves = Watch(("train accuracy", "test accuracy"), at)
    coherence = Watch(("train loss", "m-coherence"), at)
    recipes = spec.recipes()
    stopped = replace(recipes[PLAIN], stop_at_accuracy=LEARNING_ENDS, check_every=2)
    images = Images(spec.dataset, spec.n_train)

    def condition(start: str, learned: str, recipe: Recipe, *watch: Watch) -> Condition:
        return Condition({"start": start, "with": learned}, images, CNN(spec.channels), recipe, watch, **starts[start])

    for name, recipe in recipes.items():
        for start in ("first weights", "pretrained"):
            yield condition(start, name, recipe, curves, *((coherence,) if name == PLAIN else ()))
    for start in starts:
        yield condition(start, UNTIL_MOST, stopped, Watch(("train accuracy", "example loss"), AtEnd()))
