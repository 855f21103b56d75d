"""Parameters of a linear classifier that is trained with several schedules of the learning rate."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from genbook.base.spec import parameter
from genbook.experiments import Dataset, Fraction, Growing
from genbook.studies.batches.shared import check_batch


class LearningRateSchedulesSpec(Dataset):
    """A linear classifier on random projections of images: a convex loss, and stochastic subgradients of it."""

    n_train: int = parameter(500, "size of the training set, the same number of each class", "examples", ge=20)
    features: int = parameter(40, "random projections of an image that the classifier sees", "", ge=1, le=1000)
    noise: Fraction = parameter(0.1, "fraction of the labels whose sign is turned (0.5: random labels)", "fraction")
    loss: Literal["logistic", "hinge"] = parameter("logistic", "the loss of an example, convex in the weights")
    batch_size: int = parameter(20, "examples in one gradient step, drawn with replacement", "examples", ge=1)
    order: Literal["random", "sorted"] = parameter(
        "random", "how examples are drawn: at random, or one class after the other ('sorted': a control)"
    )
    iterate: Literal["last", "average"] = parameter(
        "last", "whose loss is told: the last iterate's, or that of the average of all ('average': a control)"
    )
    steps: int = parameter(1000, "iterates of a run, the start included", "steps", ge=20, le=10**5)
    peaks: Growing[Annotated[float, Field(gt=0, le=1e6)]] = parameter(
        (2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0),
        "learning rates that schedules multiply",
        "",
        min_length=2,
    )
    window: Fraction = parameter(0.1, "width of the running median of gradient norms, over the steps", "fraction")
    repeats: int = parameter(8, "runs of each setting, with batches of their own, that are averaged", "runs", ge=1)

    @model_validator(mode="after")
    def _batch_fits(self) -> Self:
        check_batch(self, "batch_size")
        return self
