"""Parameters of the study of the long tail."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from genbook.base.spec import Spec, parameter

Learner = Literal["plain", "weight decay", "winsorised", "clipped"]


class LongTailSpec(Spec):
    """A mixture of many clusters, each with a label of its own, some frequent and most rare (Feldman, 2020)."""

    source: Literal["gaussians", "digits", "mnist1d"] = parameter(
        "gaussians", "'gaussians': clusters of points, labels by lot; else images, clustered within their classes"
    )
    clusters: int = parameter(400, "clusters in the mixture; of images, in all classes together", "", ge=10, le=5000)
    frequencies: Literal["zipf", "uniform"] = parameter(
        "zipf", "how often the clusters come: the k-th in proportion to 1/k^exponent, or all alike (a null world)"
    )
    exponent: float = parameter(1.0, "exponent of Zipf's law", "", ge=0, le=3)
    meaning: Literal["clusters", "none"] = parameter(
        "clusters",
        "what the labels of new examples follow: their 'clusters', or 'none' of them, each by lot (a null world)",
    )
    sample: int = parameter(400, "size of the training set, drawn from the mixture", "examples", ge=50, le=20_000)
    new: int = parameter(2000, "test examples, drawn from the same mixture", "examples", ge=100, le=50_000)
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
    needed: tuple[Annotated[int, Field(ge=1, le=100)], ...] = parameter(
        (1, 2, 3, 5, 10), "examples that a vote of neighbours asks for before it answers", "examples", min_length=2
    )
    tail_units: int = parameter(64, "width of the network's hidden layer", "units", ge=1, le=4096)
    tail_step: float = parameter(0.2, "step size of stochastic gradient descent", "", gt=0, le=100)
    tail_batch: int = parameter(50, "examples in one gradient step", "examples", ge=3)
    tail_winsorised: int = parameter(5, "gradients that winsorising moves at each end of a batch", "examples", ge=1)
    tail_clip: float = parameter(0.5, "largest norm of an example's gradient under clipping", "", gt=0)
    tail_decay: float = parameter(0.01, "weight decay, where there is one", "", gt=0, le=1)
    tail_updates: int = parameter(400, "length of the trainings", "steps", ge=10)
    tail_looks: int = parameter(20, "points along the trainings at which everything is measured, log-spaced", "", ge=5)

    @property
    def dataset(self) -> str | None:
        """The data set that the images come from, or None."""
        return None if self.source == "gaussians" else self.source

    @model_validator(mode="after")
    def _possible(self) -> Self:
        """Plain descent is there, demands grow from one on, and winsorising leaves examples between the extremes."""
        if "plain" not in self.learners or len(set(self.learners)) < len(self.learners):
            raise ValueError(f"parameter learners = {list(self.learners)}: want 'plain' and others, each once")
        if sorted(set(self.needed)) != list(self.needed) or self.needed[0] != 1:
            raise ValueError(f"parameter needed = {list(self.needed)}: want growing numbers from 1 on")
        if self.tail_batch > self.sample:
            raise ValueError(f"parameter tail_batch = {self.tail_batch}: want at most sample = {self.sample}")
        most = (self.tail_batch - 2) // 2
        if self.tail_winsorised > most:
            raise ValueError(
                f"parameter tail_winsorised = {self.tail_winsorised}: a batch of {self.tail_batch} can lose {most} a "
                "side"
            )
        return self
