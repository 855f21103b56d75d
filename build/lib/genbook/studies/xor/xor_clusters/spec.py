"""Parameters of the XOR clusters."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from genbook.base.spec import parameter
from genbook.experiments import Growing
from genbook.studies.xor.shared import XorSpec

Strength = Annotated[float, Field(ge=0, le=1000)]
Margin = Annotated[float, Field(ge=1e-5, le=1000)]
InitScale = Annotated[float, Field(ge=1e-5, le=1e4)]
Dimension = Annotated[int, Field(ge=10, le=200_000, multiple_of=2)]


class XorClustersSpec(XorSpec):
    """Four clusters ±μ₁ (label +) and ±μ₂ (label −), learned by a ReLU network with a frozen second layer."""

    n_train: int = parameter(80, "training examples, n", "examples", ge=8, le=2000)
    dimension: Dimension = parameter(8000, "dimensions of an input, p", "")
    strength: Strength = parameter(20.0, "length of the cluster means, ‖μ‖; input noise has length 1 in each dimension")
    weak_strength: Strength = parameter(14.0, "a length at which what was memorised still does harm")
    labels: Literal["xor", "separable", "at random"] = parameter(
        "xor", "+ for ±μ₁ ('xor'), + for μ₁ and μ₂ ('separable', a control), or independent of the clusters"
    )
    counts: Literal["equal", "at random"] = parameter(
        "equal", "training examples, clean and flipped: as many in each cluster as in the other, or as they come"
    )
    tilt: float = parameter(
        0.0, "fraction by which +μ has more training examples than −μ, in either pair", ge=0, le=0.9
    )
    first_pair: float = parameter(0.5, "fraction of the examples that come from the clusters ±μ₁", ge=0.05, le=0.95)
    input_noise: Literal["gaussian", "signs"] = parameter(
        "gaussian", "noise of the inputs in each dimension: N(0, 1), or ±1 at random"
    )
    input_noise_length: Literal["grows", "fixed"] = parameter(
        "grows",
        "whether input noise has length 1 in each dimension, or in all the length it has in `dimension` of them",
    )
    steps: int = parameter(50, "full-batch steps", "steps", ge=3, le=10**5)
    strengths: Growing[Annotated[float, Field(gt=0, le=1000)]] = parameter(
        (6.0, 8.0, 10.0, 12.0, 14.0, 17.0, 20.0, 25.0),
        "lengths of the means in the diagram of strength and dimension; none for no diagram",
        max_length=20,
    )
    dimensions: Growing[Dimension] = parameter(
        (1000, 2000, 4000, 8000), "dimensions in the diagram; none for no diagram", "", max_length=12
    )
    diagram_steps: int = parameter(20, "steps in the diagram", "steps", ge=3, le=10**5)
    margins: Growing[Margin] = parameter(
        (0.05, 1.0, 5.0, 20.0), "learning rates that are compared, as margins; the last is the largest", min_length=1
    )
    tilts: Growing[Annotated[float, Field(ge=0, le=0.9)]] = parameter(
        (0.0, 0.2, 0.3, 0.4), "tilts in the comparison of unequal counts; none for no comparison", max_length=12
    )
    init_scales: Growing[InitScale] = parameter(
        (0.001, 1.0, 3.0, 10.0), "initial scales that are compared", min_length=1, max_length=12
    )
    init_scale_margin: Margin = parameter(0.005, "learning rate in the comparison of initial scales, as a margin")
    init_scale_steps: int = parameter(120, "steps in the comparison of initial scales", "steps", ge=3, le=10**5)

    def has_diagram(self) -> bool:
        """Whether strengths and dimensions are compared."""
        return bool(self.strengths and self.dimensions)
