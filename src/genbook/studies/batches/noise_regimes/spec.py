"""Parameters of networks and perceptrons that train until they fit, by temperature, scale and training set size."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from genbook.base.spec import parameter
from genbook.experiments import Dataset, Growing

Temperatures = Growing[Annotated[float, Field(gt=0, le=1e6)]]
Sizes = Growing[Annotated[int, Field(ge=2, le=60_000)]]


class NoiseRegimesSpec(Dataset):
    """Which of ten classes is odd, told by networks of one hidden layer; and perceptrons on Gaussian points.

    Both are trained on the hinge loss until every example is beyond the margin, and the temperature is η / B.
    """

    train_sizes: Sizes = parameter(
        (64, 128, 256, 512, 1024), "sizes P of the networks' training set", "examples", min_length=2, max_length=12
    )
    width: int = parameter(32, "units of the hidden layer", "units", ge=2, le=4096)
    batch_size: int = parameter(8, "examples in a network's step, drawn with replacement", "examples", ge=1, le=1024)
    temperatures: Temperatures = parameter(
        (1 / 256, 1 / 128, 1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4),
        "temperatures at which networks train",
        "",
        min_length=2,
        max_length=20,
    )
    lazy: float = parameter(32768.0, "scale at which the margin is next to nothing", "", gt=0, le=1e9)
    diagram_scales: Growing[Annotated[float, Field(gt=0, le=1e9)]] = parameter(
        (0.25, 2.0, 16.0, 128.0, 1024.0), "the other scales of the phase diagram", "", min_length=1, max_length=20
    )
    diagram_from: float = parameter(1 / 64, "lowest temperature of the phase diagram", "", gt=0, le=1e6)
    diagram_size: int = parameter(512, "size of its training sets", "examples", ge=2, le=60_000)
    distinct: int = parameter(
        0, "how many of the training examples are distinct, the others copies (0: all are)", "examples", ge=0
    )
    steps: int = parameter(
        30_000, "steps after which a network that does not fit is given up", "steps", ge=10, le=10**7
    )
    perceptron_sizes: Sizes = parameter(
        (256, 512, 1024, 2048), "sizes P of the perceptrons' training set", "points", min_length=2, max_length=12
    )
    perceptron_temperature: float = parameter(
        16.0, "temperature of the perceptrons, whose margin is 1", "", gt=0, le=1e6
    )
    inputs: int = parameter(32, "dimensions of a point", "", ge=2, le=1000)
    densities: Growing[Annotated[float, Field(ge=0, le=20)]] = parameter(
        (0.5, 1.0, 3.0), "powers χ with which the density of points rises from the boundary", "", min_length=2
    )
    gap: float = parameter(0.0, "distance from the boundary within which there is no point", "", ge=0, le=100)
    perceptron_batch: int = parameter(
        2, "points in a perceptron's step, drawn with replacement", "points", ge=1, le=1024
    )
    perceptron_steps: int = parameter(
        1_000_000, "steps after which a perceptron that does not fit is given up", "steps", ge=10, le=10**8
    )

    @model_validator(mode="after")
    def _diagram(self) -> Self:
        if len(self.diagram_temperatures) < 2:
            raise ValueError(f"parameter diagram_from = {self.diagram_from:g}: want two temperatures from there on")
        if self.lazy in self.diagram_scales:
            raise ValueError(f"parameter diagram_scales: want others than lazy = {self.lazy:g}, which is among them")
        return self

    @property
    def scales(self) -> list[float]:
        """All scales of the phase diagram, in ascending order."""
        return sorted((*self.diagram_scales, self.lazy))

    @property
    def sizes(self) -> list[int]:
        """All sizes of networks' training sets, in ascending order."""
        return sorted({*self.train_sizes, self.diagram_size})

    @property
    def diagram_temperatures(self) -> list[float]:
        """The temperatures of the phase diagram: those from `diagram_from` on."""
        return [one for one in self.temperatures if one >= self.diagram_from]

    def runs(self, size: int) -> list[tuple[float, float]]:
        """The (scale, temperature) of the networks that train on so many examples."""
        lazy = [(self.lazy, one) for one in self.temperatures if size in self.train_sizes or one >= self.diagram_from]
        others = self.diagram_scales if size == self.diagram_size else ()
        return [(scale, one) for scale in others for one in self.diagram_temperatures] + lazy
