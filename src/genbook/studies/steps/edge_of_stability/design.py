"""Small networks at constant learning rates, whose Hessian is measured on the way."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from genbook.base.spec import parameter
from genbook.base.when import AtEnd, AtSteps
from genbook.experiments import MLP, Condition, Design, Growing, Images, Watch
from genbook.studies.steps.shared import ConstantRateSpec


class EdgeOfStabilitySpec(ConstantRateSpec):
    """Networks trained by full-batch and by mini-batch descent at constant learning rates."""

    learning_rates: Growing[Annotated[float, Field(gt=0, le=100)]] = parameter(
        (0.6, 1.0, 1.4), "learning rates of full-batch descent on the squared loss", "", min_length=2, max_length=8
    )
    unreached_learning_rate: float = parameter(
        0.06, "learning rate of one more network, too small to meet the edge in this time", "", gt=0, le=100
    )
    batch_sizes: Growing[Annotated[int, Field(ge=1)]] = parameter(
        (5, 25), "batch sizes at the smallest learning rate; larger ones are the whole set", "examples", min_length=1
    )
    other_loss: Literal["cross-entropy", "squared"] = parameter(
        "cross-entropy", "loss of one more network, at the smallest learning rate ('squared' is a negative control)"
    )
    steps: int = parameter(800, "gradient steps", "steps", ge=20, le=10**6)
    n_measurements: int = parameter(
        10, "points at which sharpness is measured, log-spaced but for three late ones", "", ge=4, le=1000
    )

    def measured(self) -> AtSteps:
        """Step 0, log-spaced steps up to the middle of the training, and three late ones, over which claims average."""
        early = np.geomspace(1, max(1, self.steps // 2), self.n_measurements - 3)
        late = self.steps * np.array([0.65, 0.8, 1])
        return AtSteps((0, *np.unique(np.concatenate([early, late]).round().astype(int)).tolist()))


def design(spec: EdgeOfStabilitySpec) -> Design:
    """Full batches at all learning rates; at the smallest one small batches and the other loss; one unreached edge."""
    watch = (
        Watch(("sharpness", "train loss"), spec.measured(), tolerance=2e-2),
        Watch(("Hessian trace",), AtEnd(), samples=20),
    )

    def condition(
        run: str, rate: float, activation: str = "tanh", loss: str = "squared", batch: int | None = None
    ) -> Condition:
        return Condition(
            {
                "run": run,
                "activation": activation,
                "loss": loss,
                "learning rate": rate,
                "batch size": batch or spec.n_train,
            },
            Images(spec.dataset, spec.n_train),
            MLP(spec.hidden, activation),
            spec.recipe(spec.steps, rate, batch, loss),
            watch,
        )

    smallest = spec.learning_rates[0]
    conditions = [condition("full batch", rate) for rate in spec.learning_rates]
    conditions += [condition("ReLU", rate, activation="relu") for rate in spec.learning_rates]
    conditions.append(condition("unreached", spec.unreached_learning_rate))
    conditions.append(condition("other loss", smallest, loss=spec.other_loss))
    batches = dict.fromkeys(min(size, spec.n_train) for size in spec.batch_sizes)
    return Design([*conditions, *(condition("mini-batch", smallest, batch=size) for size in batches)])
