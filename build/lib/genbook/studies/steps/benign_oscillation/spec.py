"""Parameters of the patches with a strong and a weak feature."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from genbook.base.spec import Spec, parameter
from genbook.experiments import Growing

Rate = Annotated[float, Field(gt=0, le=10)]


class BenignOscillationSpec(Spec):
    """Examples of three patches, y·v, y·u and noise, learned by a squared-ReLU patch network with fixed output."""

    n_train: int = parameter(16, "training examples, half of either label", "examples", ge=4, le=200, multiple_of=2)
    weak_only: int = parameter(0, "training examples that lack the strong patch", "examples", ge=0, le=50)
    n_test: int = parameter(400, "test examples, with the weak feature and noise alone", "examples", ge=200, le=10**4)
    dimension: int = parameter(64, "dimensions of a patch", "", ge=4, le=1000)
    units: int = parameter(12, "hidden units of either sign, m", "units", ge=1, le=200)
    weak: float = parameter(0.1, "length of the weak feature v; the strong one, u, has length 1", "", gt=0, le=1)
    weak_labels: Literal["real", "at random"] = parameter(
        "real", "whether the weak patch goes with the label ('at random' draws its sign: a negative control)"
    )
    noise_std: float = parameter(0.02, "standard deviation of the noise patch in each other dimension", "", ge=0, le=1)
    loss: Literal["squared", "half squared"] = parameter(
        "squared", "(f − y)², or half of it (which doubles every threshold: a negative control)"
    )
    scaled_learning_rates: Growing[Rate] = parameter(
        (0.05, 0.1, 0.2, 0.24, 0.26, 0.28, 0.3, 0.33, 0.36, 0.39, 0.41, 0.43, 0.45),
        "scaled learning rates η‖u‖²/m of descent on one example at a time",
        "",
        min_length=2,
        max_length=30,
    )
    steps: int = parameter(8000, "gradient steps on one example at a time", "steps", ge=100, le=10**6)
    jump_learning_rate: Rate = parameter(
        0.36, "scaled learning rate of the runs that tell first jump and oscillation apart", ""
    )
    jump_steps: int = parameter(
        32, "steps at it of the run that has the first jump alone (all is a negative control)", "steps", ge=1
    )
    settling_learning_rate: Rate = parameter(
        0.2, "scaled learning rate of these runs after the jump, or before the oscillation", ""
    )
    settling_steps: int = parameter(
        320, "steps at it of the run that settles first; at most half of steps", "steps", ge=0
    )
    full_batch_learning_rates: Growing[Rate] = parameter(
        (0.4, 0.48, 0.52, 0.56, 0.6, 0.7),
        "scaled learning rates of full-batch descent",
        "",
        min_length=2,
        max_length=30,
    )
    full_batch_steps: int = parameter(2500, "gradient steps of full-batch descent", "steps", ge=100, le=10**5)
    strengths: Growing[Rate] = parameter(
        (), "lengths of the strong feature in the phase diagram; none for no diagram", "", max_length=12
    )
    diagram_learning_rates: Growing[Rate] = parameter(
        (0.03, 0.045, 0.07, 0.11, 0.16, 0.21, 0.28, 0.36, 0.55, 0.85),
        "learning rates η/m in the phase diagram",
        "",
        min_length=1,
        max_length=20,
    )
    n_measurements: int = parameter(40, "steps of a run at which everything is measured", "", ge=5, le=100)

    @model_validator(mode="after")
    def _both_features(self) -> Self:
        if self.weak_only > self.n_train // 2:
            raise ValueError(f"parameter weak_only = {self.weak_only}: want at most half of n_train = {self.n_train}")
        return self
