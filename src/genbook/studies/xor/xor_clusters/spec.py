"""Parameters of the XOR clusters."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from genbook.base.spec import Spec, parameter

Strength = Annotated[float, Field(ge=0, le=1000)]
Margin = Annotated[float, Field(gt=0, le=1000)]
Start = Annotated[float, Field(gt=0, le=1e4)]
Dimension = Annotated[int, Field(ge=10, le=200_000, multiple_of=2)]


class XorClustersSpec(Spec):
    """Four clusters ±μ₁ (label +) and ±μ₂ (label −), learned by a ReLU network with a frozen second layer."""

    examples: int = parameter(80, "training examples, n", "examples", ge=8, le=2000)
    dimension: Dimension = parameter(8000, "dimensions of an input, p", "")
    units: int = parameter(300, "hidden units, m, half of either sign", "units", ge=4, le=10_000, multiple_of=2)
    strength: Strength = parameter(20.0, "length of the cluster means, ‖μ‖; noise has length 1 in each dimension", "")
    weak_strength: Strength = parameter(14.0, "a length at which what was memorised still does harm", "")
    flips: float = parameter(0.15, "share of the training labels that are flipped", "", ge=0, lt=0.5)
    labels: Literal["xor", "separable", "by lot"] = parameter(
        "xor", "+ for ±μ₁ ('xor'), + for μ₁ and μ₂ ('separable', a null world), or independent of the clusters"
    )
    counts: Literal["equal", "by lot"] = parameter(
        "equal", "training examples, clean and flipped: as many in each cluster as in the other, or as they come"
    )
    tilt: float = parameter(0.0, "share by which +μ has more training examples than −μ, in either pair", ge=0, le=0.9)
    first_pair: float = parameter(0.5, "share of the examples that come from the clusters ±μ₁", "", ge=0.05, le=0.95)
    noise: Literal["gaussian", "signs"] = parameter("gaussian", "noise in each dimension: N(0, 1), or ±1 by lot")
    noise_length: Literal["grows", "fixed"] = parameter(
        "grows", "whether noise has length 1 in each dimension, or in all the length it has in `dimension` of them"
    )
    margin: Margin = parameter(0.05, "step size, as the margin y f that one step gives to a training example", "")
    start: Start = parameter(
        0.001, "size of the initial pre-activations over what the first step adds to those of an example", ""
    )
    steps: int = parameter(50, "full-batch steps", "steps", ge=3, le=10**5)
    strengths: tuple[Strength, ...] = parameter(
        (6.0, 8.0, 10.0, 12.0, 14.0, 17.0, 20.0, 25.0),
        "lengths of the means in the curves by strength and in the diagram; none for neither",
        "",
        max_length=20,
    )
    dimensions: tuple[Dimension, ...] = parameter(
        (1000, 2000, 4000, 8000), "dimensions in the diagram; none for no diagram", "", max_length=12
    )
    diagram_steps: int = parameter(20, "steps in the diagram", "steps", ge=3, le=10**5)
    margins: tuple[Margin, ...] = parameter(
        (0.05, 1.0, 5.0, 20.0), "step sizes in the comparison of step sizes; the last is the largest", min_length=1
    )
    tilts: tuple[Annotated[float, Field(ge=0, le=0.9)], ...] = parameter(
        (0.0, 0.2, 0.3, 0.4), "tilts in the comparison of unequal counts", "", max_length=12
    )
    starts: tuple[Start, ...] = parameter(
        (0.001, 1.0, 3.0, 10.0), "starts in the comparison of starts", "", min_length=1, max_length=12
    )
    start_margin: Margin = parameter(0.005, "step size in the comparison of starts", "")
    start_steps: int = parameter(120, "steps in the comparison of starts", "steps", ge=3, le=10**5)
    test_points: int = parameter(400, "test points, half of them or so of either label", "points", ge=50, le=10**4)

    @model_validator(mode="after")
    def _comparable(self) -> Self:
        """Turns are found by interpolation between values that grow."""
        for name in ("strengths", "dimensions", "margins", "tilts", "starts"):
            values = getattr(self, name)
            if sorted(set(values)) != list(values):
                raise ValueError(f"parameter {name} = {list(values)}: want values that grow")
        return self
