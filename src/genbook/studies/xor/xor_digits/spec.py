"""Parameters of the pairs of images."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from genbook.base.spec import Spec, parameter
from genbook.data import DatasetName

Canvas = Annotated[int, Field(ge=0, le=100_000)]


class XorDigitsSpec(Spec):
    """Two images side by side, each of one of two classes; the label says whether the classes are the same."""

    dataset: DatasetName = parameter("digits", "where the images come from")
    classes: tuple[Annotated[int, Field(ge=0, le=9)], ...] = parameter(
        (0, 1), "the two classes of which a pair is made", "", min_length=2, max_length=2
    )
    pairs: int = parameter(60, "training pairs, n", "pairs", ge=8, le=2000)
    units: int = parameter(300, "hidden units, m, half of either sign", "units", ge=4, le=10_000, multiple_of=2)
    flips: float = parameter(0.15, "share of the training labels that are flipped", "", ge=0, lt=0.5)
    labels: Literal["xor", "separable", "by lot"] = parameter(
        "xor", "+ where the classes are the same ('xor'), + where the left one is the first class, or by lot"
    )
    canvas: tuple[Canvas, ...] = parameter(
        (0, 500, 6000), "pixels of pure noise beside the images, in the comparison of canvases", "", min_length=1
    )
    canvas_noise: float = parameter(
        0.15, "standard deviation of such a pixel (images lie between 0 and 1)", ge=0, le=10
    )
    margin: float = parameter(0.05, "step size, as the margin y f that one step gives to an average example", gt=0)
    start: float = parameter(
        0.001, "size of the initial pre-activations over what the first step adds to those of an example", "", gt=0
    )
    steps: int = parameter(200, "full-batch steps", "steps", ge=3, le=10**5)
    test_pairs: int = parameter(400, "pairs of images from the data set's test part", "pairs", ge=50, le=10**4)

    @model_validator(mode="after")
    def _comparable(self) -> Self:
        """Two classes, and canvases that grow from the bare images on."""
        if self.classes[0] == self.classes[1]:
            raise ValueError(f"parameter classes = {list(self.classes)}: want two different classes")
        if sorted(set(self.canvas)) != list(self.canvas) or self.canvas[0] != 0:
            raise ValueError(f"parameter canvas = {list(self.canvas)}: want numbers that grow from 0")
        return self
