"""Parameters of random features and of the ways to train them."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from genbook.base.spec import parameter
from genbook.experiments import Dataset, Fraction, Growing

FeatureMap = Literal["raw", "standardised", "uneven", "whitened"]


class RandomFeaturesSpec(Dataset):
    """A fixed random first layer, a second one trained on squared loss, by many optimisers for many steps."""

    n_train: int = parameter(200, "training examples n", "examples", ge=16, le=5000)
    held_out: int = parameter(300, "validation examples, on which ridges are tuned", "examples", ge=20, le=20_000)
    noise: Fraction = parameter(0.2, "fraction of the training labels that are wrong", "fraction")
    widths: Growing[Annotated[float, Field(gt=0, le=64)]] = parameter(
        (0.125, 0.25, 0.5, 0.7, 0.85, 1.0, 1.2, 1.5, 2.0, 4.0),
        "numbers of features over n; 1/4, 1 and 4 are among them",
        "",
        min_length=3,
        max_length=30,
    )
    width: int = parameter(200, "features where the number of examples varies", "features", ge=16, le=5000)
    sample_counts: Growing[Annotated[float, Field(gt=0, le=64)]] = parameter(
        (0.125, 0.25, 0.5, 0.7, 0.85, 1.0, 1.2, 1.5, 2.0, 4.0),
        "numbers of examples over the fixed width; 1/4, 1 and 4 are among them",
        "",
        min_length=3,
        max_length=30,
    )
    steps: Growing[Annotated[int, Field(ge=1, le=10**9)]] = parameter(
        (100, 1000, 10_000, 100_000, 1_000_000, 10_000_000), "steps of full-batch descent", "steps", min_length=3
    )
    base_map: FeatureMap = parameter("raw", "what is done to the features before they are trained on")
    learning_rate: float = parameter(
        1.0, "learning rate of full-batch descent, times the largest curvature", "", gt=0, lt=2
    )
    weight_decay: float = parameter(0.0, "weight decay of all runs, in units of the mean eigenvalue", "", ge=0)
    ridges: tuple[Annotated[float, Field(gt=0)], ...] = parameter(
        (1e-4, 1e-3, 1e-2, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0), "ridges among which one is tuned", "", min_length=1
    )
    private: float = parameter(0.3, "squared length of each example's private feature, in the unit of ridges", "", gt=0)
    members: int = parameter(4, "predictors that are averaged", "", ge=2, le=50)
    taken_steps: int = parameter(1000, "steps that are really taken, by mini-batches and by Adam", "steps", ge=1)
    batch_size: int = parameter(20, "size of a mini-batch; a tenth of it is tried too", "examples", ge=10, le=5000)
    tags: Literal["kept", "shuffled"] = parameter(
        "kept", "whether what predicts a peak stays with its run ('shuffled' exchanges it among the runs at random)"
    )

    @model_validator(mode="after")
    def _sites(self) -> Self:
        """The peak is looked for at one place, and compared with two others."""
        for name in ("widths", "sample_counts"):
            fractions = list(getattr(self, name))
            if not {0.25, 1, 4} <= set(fractions):
                raise ValueError(f"parameter {name} = {fractions}: want 0.25, 1 and 4 among them")
        return self
