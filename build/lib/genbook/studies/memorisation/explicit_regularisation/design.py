"""Weight decay and random labels: one network on real and on random labels, with weight decay and without."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

from genbook.base.recipes import Recipe
from genbook.base.spec import parameter
from genbook.base.when import AtEnd, LogSpaced
from genbook.experiments import MLP, Condition, Dataset, Descent, Design, Fraction, Images, Labels, Watch

WATCH = (
    Watch(("train accuracy", "test accuracy", "train loss", "m-coherence"), LogSpaced(30)),
    Watch(("weight norm", "path norm", "margin"), AtEnd()),
)


class ExplicitRegularisationSpec(Dataset, Descent):
    """One network trained on real and on random labels, each with weight decay and without."""

    n_train: int = parameter(200, "size of the training set, the same number of each class", "examples", ge=20)
    random: Fraction = parameter(1.0, "fraction of the random labels that are drawn anew", "fraction")
    wrong: Fraction = parameter(0.0, "fraction of the real labels that are wrong", "fraction")
    width: int = parameter(64, "units of the hidden layer", "units", ge=1, le=4096)
    learning_rate: float = parameter(0.2, "learning rate of stochastic gradient descent", "", gt=0, le=100)
    weight_decay: float = parameter(0.01, "weight decay of the networks that have one", "", gt=0, le=10)
    steps: int = parameter(1000, "gradient steps", "steps", ge=10, le=10**7)


def design(spec: ExplicitRegularisationSpec) -> Design:
    """Four conditions: real or random labels, with weight decay or without."""
    labels = {"real": Labels().wrong(spec.wrong), "random": Labels().redrawn(spec.random)}
    recipes = {"none": _without_decay(spec.recipe()), "weight decay": spec.recipe()}
    return Design(
        Condition(
            {"trained on": which, "regularisation": regularisation},
            Images(spec.dataset, spec.n_train, labels[which]),
            MLP((spec.width,)),
            recipes[regularisation],
            WATCH,
        )
        for which, regularisation in product(labels, recipes)
    )


def _without_decay(recipe: Recipe) -> Recipe:
    return replace(recipe, optimiser=replace(recipe.optimiser, weight_decay=0.0))
