"""Parameters of the linear student and its teacher."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from genbook.base.spec import Spec, parameter
from genbook.experiments import Growing


class LinearTeacherSpec(Spec):
    """Gradient descent of a linear student on the noisy answers of a linear teacher, from few samples to many."""

    inputs: Growing[Annotated[int, Field(ge=8, le=2000)]] = parameter(
        (25, 50, 100, 200),
        "dimensions N of an input, small to large; figures show the last",
        "",
        min_length=2,
        max_length=5,
    )
    samples_per_weight: Growing[Annotated[float, Field(gt=0, le=20)]] = parameter(
        (0.25, 0.5, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0, 3.0, 4.0),
        "α = P/N, samples per weight; 1 is among them, and ratios of at most 1/2 and at least 2",
        "",
        min_length=3,
        max_length=30,
    )
    teachers: int = parameter(8, "teachers, each with its noise, whose students learn on the same inputs", "", ge=1)
    snr: float = parameter(5.0, "variance of the teacher's weights over that of the noise", "", gt=0, le=1e4)
    small_start: float = parameter(0.0, "variance of the initial weights over that of the teacher's", "", ge=0, le=100)
    large_start: float = parameter(1.0, "the same for the student that starts large", "", ge=0, le=100)
    weight_decay: float = parameter(0.0, "weight decay γ of the student, on the scale of the eigenvalues", "", ge=0)
    earliest: float = parameter(0.1, "time (learning rate × steps) at which one may first stop", "", gt=0, le=1e8)
    latest: float = parameter(1e5, "time at which training ends", "", gt=0, le=1e8)
    learning_rate: float = parameter(0.02, "learning rate where the steps are really taken", "", gt=0, le=0.05)
    guess: float = parameter(1.0, "ridge that is tried, in units of 1/SNR", "", gt=0, le=1e6)
    draws: int = parameter(40, "input matrices drawn for the spectra next to α = 1", "", ge=2, le=10_000)
    law: Literal["gauss", "signs", "uneven"] = parameter(
        "gauss", "entries of the inputs: Gaussian, random signs, or Gaussian with variances that fall like 1/index"
    )

    @model_validator(mode="after")
    def _places(self) -> Self:
        """Claims compare α = 1 with both sides, and the first time with the last."""
        ratios = self.samples_per_weight
        if 1 not in ratios or ratios[0] > 0.5 or ratios[-1] < 2:
            raise ValueError(
                f"parameter samples_per_weight = {list(ratios)}: want 1 among them, the first at most 0.5, the last at "
                "least 2"
            )
        if self.earliest >= self.latest:
            raise ValueError(f"parameter earliest = {self.earliest:g}: want less than latest = {self.latest:g}")
        return self
