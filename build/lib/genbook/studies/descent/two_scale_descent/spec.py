"""Parameters of the student of fast and slow features."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from genbook.base.spec import Spec, parameter
from genbook.experiments import Growing


class TwoScaleDescentSpec(Spec):
    """Gradient descent of a linear student whose inputs have fast features and slow ones, on noisy answers."""

    examples: int = parameter(300, "examples n that the student learns from, more than features", "examples", ge=10)
    fast: int = parameter(70, "features of variance 1", "", ge=1, le=140)
    slow: int = parameter(30, "features of variance 1/κ", "", ge=1, le=140)
    kappa: float = parameter(100.0, "κ, how many times slower the slow features are learned", "", ge=1, le=1e4)
    slow_weight: float = parameter(
        1.0,
        "variance of the teacher's weights on slow features, over that on fast ones",
        ge=0,
        le=100,
    )
    noises: Growing[Annotated[float, Field(ge=0, le=10)]] = parameter(
        (0.2, 0.8, 1.0, 1.2, 1.6),
        "standard deviations of the noise on the answers, over that of the answers: the first below the noise that a "
        "second descent needs, the second and third where it beats the first, the last where it does not",
        "",
        min_length=4,
        max_length=20,
    )
    teachers: int = parameter(
        10, "teachers, each with its noise, whose students learn on the same inputs", "", ge=1, le=50
    )
    slowed: Literal["the fast features", "features at random"] = parameter(
        "the fast features", "whose learning rate is divided by κ where each scale has its own (random: a control)"
    )
    rate: float = parameter(0.1, "learning rate of full-batch gradient descent", "", gt=0, le=0.2)
    latest: float = parameter(1e5, "time (learning rate × steps) at which training ends", "", ge=100, le=1e8)
    uneven: float = parameter(
        0.0,
        "standard deviation of the logarithm of a factor that each example's inputs are multiplied by",
        "",
        ge=0,
        le=1,
    )
    features: Literal["Gaussian", "fashion-small", "fashion-mnist"] = parameter(
        "Gaussian", "what features are: Gaussian, or images' principal components, whitened, with classes as teachers"
    )

    @property
    def dataset(self) -> str | None:
        """The data set that is used, if any."""
        return None if self.features == "Gaussian" else self.features

    @model_validator(mode="after")
    def _overdetermined(self) -> Self:
        """The theory is for more examples than features."""
        if self.examples <= self.fast + self.slow:
            raise ValueError(
                f"parameter examples = {self.examples}: want more than fast + slow = {self.fast + self.slow}"
            )
        return self
