"""Parameters of networks that fit more or less random labels, and of how their degeneracy is counted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from genbook.base.recipes import SGD, Recipe
from genbook.base.spec import parameter
from genbook.experiments import MLP, Condition, Dataset, Fraction, Growing, HiddenWidths, Images, Labels


class DegeneracySpec(Dataset):
    """Networks stopped as they fit all labels, a part of which is drawn at random."""

    n_train: int = parameter(300, "training examples", "examples", ge=20, le=60_000)
    noises: Growing[Fraction] = parameter(
        (0.0, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0),
        "fractions of the labels that are drawn at random",
        "",
        min_length=2,
        max_length=9,
    )
    labels: Literal["real", "shuffled"] = parameter(
        "real", "what the other labels are: 'real', or 'shuffled' over the images, and so random too (a control)"
    )
    hidden: HiddenWidths = parameter((64, 64), "widths of the hidden layers", "units", min_length=2, max_length=6)
    learning_rate: float = parameter(0.03, "learning rate", "", gt=0, le=10)
    batch_size: int = parameter(50, "examples in one step", "examples", ge=1, le=1000)
    steps: int = parameter(5000, "steps after which a network that does not fit is given up", "steps", ge=1, le=10**6)
    threshold: float = parameter(
        0.001, "a direction counts from this fraction of the largest eigenvalue on", "", gt=0, lt=1
    )
    apart: float = parameter(
        0.02,
        "two units fire on the same set where they differ on at most this fraction of the examples",
        "",
        ge=0,
        lt=1,
    )
    examples: int = parameter(
        60, "training examples over which the change of outputs is measured", "examples", ge=2, le=500
    )

    def conditions(self) -> Iterator[Condition]:
        """A network for each fraction of random labels, stopped once it fits."""
        given = Labels() if self.labels == "real" else Labels().shuffled()
        recipe = Recipe(
            self.steps, SGD(self.learning_rate, 0.9), min(self.batch_size, self.n_train), stop_at_accuracy=1.0
        )
        for noise in self.noises:
            images = Images(self.dataset, self.n_train, given.redrawn(noise) if noise else given)
            yield Condition({"noise": noise}, images, MLP(self.hidden), recipe, watch=())
