"""Small networks on batches of several sizes at one learning rate each, whose batches' curvature is measured."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from genbook.base.spec import parameter
from genbook.base.when import AtSteps
from genbook.experiments import MLP, Condition, Design, Growing, Images, Watch
from genbook.studies.steps.shared import ConstantRateSpec


class StochasticEdgeSpec(ConstantRateSpec):
    """Networks trained on the squared loss at one constant learning rate, on batches of several sizes."""

    init_scale: float = parameter(0.4, "multiple of the default initial weights", "", gt=0, le=10)
    learning_rate: float = parameter(1.6, "learning rate, with which all batches train", "", gt=0, le=100)
    batch_sizes: Growing[Annotated[int, Field(ge=1)]] = parameter(
        (5,),
        "batch sizes; claims are about the smallest; larger ones than the set are the whole",
        "examples",
        min_length=1,
    )
    steps: int = parameter(1200, "gradient steps", "steps", ge=20, le=10**6)
    n_measurements: int = parameter(
        8, "points at which curvature is measured, log-spaced but for four late ones", "", ge=5, le=1000
    )

    def measured(self) -> AtSteps:
        """Step 0, log-spaced steps up to the middle of the training, and four late ones, over which claims average."""
        early = np.geomspace(1, max(1, self.steps // 2), self.n_measurements - 4)
        late = self.steps * np.array([0.7, 0.8, 0.9, 1])
        return AtSteps((0, *np.unique(np.concatenate([early, late]).round().astype(int)).tolist()))


def design(spec: StochasticEdgeSpec) -> Design:
    """All batch sizes and the whole set, with the sharpness of the loss and that of the batches."""
    watch = Watch(("sharpness", "batch sharpness", "train loss"), spec.measured(), tolerance=2e-2)
    sizes = dict.fromkeys([*(min(size, spec.n_train) for size in spec.batch_sizes), spec.n_train])
    return Design(
        [
            Condition(
                {"batch size": size, "learning rate": spec.learning_rate},
                Images(spec.dataset, spec.n_train),
                MLP(spec.hidden, "tanh"),
                spec.recipe(spec.steps, spec.learning_rate, size),
                (watch,),
            )
            for size in sizes
        ]
    )
