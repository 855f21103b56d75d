"""Parameters of the images with patches."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from genbook.base.spec import parameter
from genbook.experiments import Dataset, Fraction


class MemorisablePatchesSpec(Dataset):
    """Noisy images of which most have a strip above them that tells their class, after Li, Wei and Ma (2019)."""

    n_train: int = parameter(600, "size of the training set, the same number of each class", "examples", ge=50)
    bare: Fraction = parameter(0.2, "fraction of the training examples that are an image without a patch", "fraction")
    alone: Fraction = parameter(0.16, "fraction that are a patch without an image; the rest are both", "fraction")
    common: float = parameter(
        6.0, "standard deviation of a pixel of what the patches of all classes have in common", "", ge=0, le=100
    )
    own: float = parameter(
        2.4,
        "standard deviation of a pixel of what a class adds to it, or takes off it, each for half of the examples",
        "",
        ge=0,
        le=100,
    )
    contrast: float = parameter(0.3, "standard deviation of the images' pixels, noise included", "", gt=0, le=10)
    pixel_noise: float = parameter(
        0.5, "standard deviation of the noise on the images' pixels, over that of the images", "", ge=0, le=10
    )
    hidden: int = parameter(200, "units of the hidden layer", "units", ge=1, le=4096)
    batch_size: int = parameter(5, "examples in one gradient step", "examples", ge=1)
    small_rate: float = parameter(0.01, "the small learning rate, and the one to which the large is lowered", gt=0)
    large_rate: float = parameter(0.2, "the large learning rate", gt=0, le=100)
    steps: int = parameter(2500, "gradient steps; after half of them the large rate is lowered", "steps", ge=20)
    longer: int = parameter(
        6, "times as many steps of a network that is given time at the small rate", "times", ge=1, le=1000
    )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        """There are examples of each kind, a batch of them all, and the large rate is the larger one."""
        if self.bare + self.alone >= 1:
            raise ValueError(f"parameters bare + alone = {self.bare + self.alone:g}: want less than 1")
        fewest = round(self.bare * self.n_train)
        if self.batch_size > fewest:
            raise ValueError(
                f"parameter batch_size = {self.batch_size}: want at most the {fewest} images without a patch"
            )
        if self.large_rate <= self.small_rate:
            raise ValueError(f"parameter large_rate = {self.large_rate:g}: want more than {self.small_rate:g}")
        return self
