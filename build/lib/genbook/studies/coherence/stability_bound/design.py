"""The bound's evaluation: small networks with labels that mean less and less, every term measured on the way."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from genbook.base.recipes import SGD, Recipe
from genbook.base.spec import parameter
from genbook.base.when import AtEnd, Every
from genbook.experiments import MLP, Condition, Dataset, Design, Fraction, Growing, HiddenWidths, Images, Labels, Watch

_MEASURED, _CURVATURE_MEASURED = 20, 3  # times, at even steps


class StabilityBoundSpec(Dataset):
    """Small networks with labels that mean less and less, followed step by step."""

    n_train: int = parameter(200, "training examples, m", "examples", ge=40, le=1000)
    noise_levels: Growing[Fraction] = parameter(
        (0.0, 0.25, 0.5, 0.75, 1.0),
        "fractions of the labels drawn anew, of training and of fresh examples; 0, real labels, first",
        "fraction",
        min_length=2,
        max_length=8,
    )
    labels: Literal["real", "shuffled"] = parameter(
        "real", "whether labels that are not drawn anew are real, or shuffled over the images (a negative control)"
    )
    hidden: Annotated[HiddenWidths, Field(min_length=1, max_length=4)] = parameter(
        (16,), "widths of the hidden layers", "units"
    )
    learning_rate: float = parameter(0.2, "learning rate of gradient descent", "", gt=0, le=1)
    steps: int = parameter(200, "full-batch steps", "steps", ge=5, le=5000)

    @model_validator(mode="after")
    def _comparable(self) -> Self:
        """Real labels are one side of every comparison."""
        if self.noise_levels[0] != 0:
            raise ValueError(f"parameter noise_levels = {list(self.noise_levels)}: want 0 (real labels) first")
        return self


def design(spec: StabilityBoundSpec) -> Design:
    """A condition per noise level; the test set's labels are as noisy.

    The theorem speaks of fresh examples from the distribution that the training set was drawn from: noisy ones.
    """
    watch = (
        Watch(
            ("m-coherence", "off-diagonal coherence", "gradient norm", "train loss", "test loss", "largest gradient"),
            Every(-(-spec.steps // _MEASURED)),
        ),
        Watch(("sharpness",), Every(-(-spec.steps // _CURVATURE_MEASURED)), tolerance=0.02),
        Watch(("test accuracy",), AtEnd()),
    )
    real = Labels().shuffled() if spec.labels == "shuffled" else Labels()
    return Design(
        Condition(
            {"noise": noise},
            Images(spec.dataset, spec.n_train, real.redrawn(noise), test_labels=real.redrawn(noise)),
            MLP(spec.hidden, "tanh"),
            Recipe(spec.steps, SGD(spec.learning_rate)),
            watch,
        )
        for noise in spec.noise_levels
    )
