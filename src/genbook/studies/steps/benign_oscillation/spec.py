"""Parameters of the patches with a strong and a weak feature."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from genbook.base.spec import Spec, parameter

Rate = Annotated[float, Field(gt=0, le=10)]


class BenignOscillationSpec(Spec):
    """Examples of three patches, y·v, y·u and noise, learned by a squared-ReLU patch network with fixed output."""

    examples: int = parameter(16, "training examples, half of either label", "examples", ge=4, le=200, multiple_of=2)
    weak_only: int = parameter(0, "training examples that lack the strong patch", "examples", ge=0, le=50)
    dimension: int = parameter(64, "dimensions of a patch", "", ge=4, le=1000)
    units: int = parameter(12, "hidden units of either sign, m", "units", ge=1, le=200)
    weak: float = parameter(0.1, "length of the weak feature v; the strong one, u, has length 1", "", gt=0, le=1)
    weak_labels: Literal["real", "by lot"] = parameter(
        "real", "whether the weak patch goes with the label ('by lot' draws its sign: a null world)"
    )
    noise: float = parameter(0.02, "standard deviation of the noise patch in each other dimension", "", ge=0, le=1)
    loss: Literal["squared", "half squared"] = parameter(
        "squared", "(f − y)², or half of it (which doubles every threshold: a null world)"
    )
    rates: tuple[Rate, ...] = parameter(
        (0.05, 0.1, 0.2, 0.24, 0.26, 0.28, 0.3, 0.33, 0.36, 0.39, 0.41, 0.43, 0.45),
        "rates η‖u‖²/m of descent on one example at a time",
        "",
        min_length=2,
        max_length=30,
    )
    steps: int = parameter(8000, "steps on one example at a time", "steps", ge=100, le=10**6)
    jump_rate: float = parameter(0.36, "rate of the runs that tell first jump and oscillation apart", "", gt=0, le=10)
    calm_rate: float = parameter(0.2, "rate of these runs after the jump, or before the oscillation", "", gt=0, le=10)
    jump_steps: int = parameter(
        32,
        "steps at jump_rate of the run that has the first jump alone (all is a null world)",
        "steps",
        ge=1,
    )
    settling_steps: int = parameter(
        320, "steps at calm_rate of the run that settles first; at most half of steps", "steps", ge=0
    )
    batch_rates: tuple[Rate, ...] = parameter(
        (0.4, 0.48, 0.52, 0.6, 0.7), "rates of full-batch descent", "", min_length=2, max_length=30
    )
    batch_steps: int = parameter(2500, "steps of full-batch descent", "steps", ge=100, le=10**5)
    strengths: tuple[Annotated[float, Field(gt=0, le=10)], ...] = parameter(
        (), "lengths of the strong feature in the phase diagram; none for no diagram", "", max_length=12
    )
    diagram_steps: tuple[Rate, ...] = parameter(
        (0.03, 0.045, 0.07, 0.11, 0.16, 0.21, 0.28, 0.36, 0.55, 0.85),
        "step sizes η/m in the phase diagram",
        "",
        min_length=1,
        max_length=20,
    )
    test_points: int = parameter(400, "test points with the weak feature and noise alone", "points", ge=200, le=10**4)
    checkpoints: int = parameter(40, "points along a run at which everything is measured", "", ge=5, le=100)

    @model_validator(mode="after")
    def _comparable(self) -> Self:
        """Thresholds are found by interpolation between rates that grow."""
        for name in ("rates", "batch_rates", "strengths", "diagram_steps"):
            values = getattr(self, name)
            if sorted(set(values)) != list(values):
                raise ValueError(f"parameter {name} = {list(values)}: want values that grow")
        if self.weak_only > self.examples // 2:
            raise ValueError(f"parameter weak_only = {self.weak_only}: want at most half of {self.examples} examples")
        return self
