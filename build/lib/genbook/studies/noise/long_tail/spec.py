"""Parameters of the study of the long tail."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from genbook.base.spec import parameter
from genbook.experiments import Descent, Growing

Learner = Literal["plain", "weight decay", "winsorised", "clipped"]


class LongTailSpec(Descent):
    """A mixture of many clusters, each with a label of its own, some frequent and most rare (Feldman, 2020)."""

    source: Literal["gaussians", "digits", "mnist1d"] = parameter(
        "gaussians",
        "'gaussians': clusters of points, labels drawn at random; else images, clustered within their classes",
    )
    clusters: int = parameter(400, "clusters in the mixture; of images, in all classes together", "", ge=10, le=5000)
    frequencies: Literal["zipf", "uniform"] = parameter(
        "zipf", "how often the clusters come: the k-th in proportion to 1/k^exponent, or all alike (a control)"
    )
    exponent: float = parameter(1.0, "exponent of Zipf's law", "", ge=0, le=3)
    meaning: Literal["clusters", "none"] = parameter(
        "clusters",
        "what the labels of new examples follow: their 'clusters', or 'none' of them, each at random (a control)",
    )
    n_train: int = parameter(400, "size of the training set, drawn from the mixture", "examples", ge=50, le=20_000)
    n_test: int = parameter(2000, "test examples, drawn from the same mixture", "examples", ge=100, le=50_000)
    labels_of_points: int = parameter(10, "classes of the points; images have their own", "", ge=2, le=100)
    point_dimension: int = parameter(40, "dimension of the points", "", ge=5, le=1000)
    spread_within: float = parameter(
        0.2, "standard deviation of a point's coordinates about its cluster's centre, whose own is one", "", gt=0, le=5
    )
    learners: tuple[Learner, ...] = parameter(
        ("plain", "weight decay", "winsorised", "clipped"),
        "'plain' stochastic gradient descent, and what suppresses memory in it",
        min_length=1,
        max_length=4,
    )
    needed: Growing[Annotated[int, Field(ge=1, le=100)]] = parameter(
        (1, 2, 3, 5, 10), "examples that a vote of neighbours asks for before it answers", "examples", min_length=2
    )
    width: int = parameter(64, "width of the network's hidden layer", "units", ge=1, le=4096)
    learning_rate: float = parameter(0.2, "learning rate of stochastic gradient descent", "", gt=0, le=100)
    winsorised: int = parameter(5, "gradients that winsorising moves at each end of a batch", "examples", ge=1)
    clip: float = parameter(0.5, "largest norm of an example's gradient under clipping", "", gt=0)
    weight_decay: float = parameter(0.01, "weight decay, for the learner that has one", "", gt=0, le=1)
    steps: int = parameter(400, "gradient steps", "steps", ge=10, le=10**7)
    n_measurements: int = parameter(20, "log-spaced steps at which everything is measured", "", ge=5)

    @property
    def dataset(self) -> str | None:
        """The data set that the images come from, or None."""
        return None if self.source == "gaussians" else self.source

    @model_validator(mode="after")
    def _possible(self) -> Self:
        """Plain descent is there, demands begin with one, and winsorising leaves examples between the extremes."""
        if "plain" not in self.learners or len(set(self.learners)) < len(self.learners):
            raise ValueError(f"parameter learners = {list(self.learners)}: want 'plain' and others, each once")
        if self.needed[0] != 1:
            raise ValueError(f"parameter needed = {list(self.needed)}: want growing numbers from 1 on")
        most = (self.batch_size - 2) // 2
        if self.winsorised > most:
            raise ValueError(
                f"parameter winsorised = {self.winsorised}: a batch of {self.batch_size} can lose {most} a side"
            )
        return self
