"""Parameters of the pairs of images."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from genbook.base.spec import parameter
from genbook.data import DatasetName
from genbook.experiments import Growing
from genbook.studies.xor.shared import XorSpec


class XorDigitsSpec(XorSpec):
    """Two images side by side, each of one of two classes; the label says whether the classes are the same."""

    dataset: DatasetName = parameter("digits", "where the images come from")
    classes: tuple[Annotated[int, Field(ge=0, le=9)], ...] = parameter(
        (0, 1), "the two classes of which a pair is made", "", min_length=2, max_length=2
    )
    n_train: int = parameter(60, "training pairs, n", "pairs", ge=8, le=2000)
    labels: Literal["xor", "separable", "at random"] = parameter(
        "xor", "+ where the classes are the same ('xor'), + where the left one is the first class, or at random"
    )
    canvas: Growing[Annotated[int, Field(ge=0, le=100_000)]] = parameter(
        (0, 500, 6000), "pixels of pure noise next to the images, in the comparison of canvases; 0 first", "pixels"
    )
    canvas_noise: float = parameter(
        0.15, "standard deviation of such a pixel (images lie between 0 and 1)", ge=0, le=10
    )
    steps: int = parameter(200, "full-batch steps", "steps", ge=3, le=10**5)

    @model_validator(mode="after")
    def _comparable(self) -> Self:
        """Two classes, and canvases compared with the bare images."""
        if self.classes[0] == self.classes[1]:
            raise ValueError(f"parameter classes = {list(self.classes)}: want two different classes")
        if self.canvas[:1] != (0,):
            raise ValueError(f"parameter canvas = {list(self.canvas)}: want 0 (bare images) first")
        return self
