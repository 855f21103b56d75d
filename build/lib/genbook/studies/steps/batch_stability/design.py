"""Small networks on batches of all sizes: the Hessian where they end, or whether their loss falls."""

from __future__ import annotations

from typing import Annotated, Self

import numpy as np
from pydantic import Field, model_validator

from genbook.base.spec import parameter
from genbook.base.when import AtSteps
from genbook.experiments import MLP, Condition, Design, Growing, Images, Labels, Watch
from genbook.studies.steps.shared import ConstantRateSpec

_BOTH_ENDS = AtSteps((0,), end=True)
_LOSS = Watch(("train loss",), _BOTH_ENDS)
_CURVATURE = Watch(("sharpness", "Hessian trace"), _BOTH_ENDS, tolerance=2e-2, samples=20)


class BatchStabilitySpec(ConstantRateSpec):
    """Networks with one output on single examples and on all, and with one for each class on batches between."""

    n_train: int = parameter(50, "size of the training set, the same number of each class", "examples", ge=20)
    learning_rates: Growing[Annotated[float, Field(gt=0, le=10)]] = parameter(
        (0.01, 0.02, 0.04), "learning rates with which one output learns even and odd classes", "", min_length=1
    )
    climbing_rates: Growing[Annotated[float, Field(gt=0, le=10)]] = parameter(
        (0.045, 0.05, 0.055, 0.06),
        "more learning rates for single examples, up to some that do not train",
        "",
        min_length=1,
    )
    single_batch: int = parameter(1, "examples in its steps (more is a negative control)", "examples", ge=1)
    whole_batch: int = parameter(
        10**6, "examples in the steps compared with; at most all (1 is a negative control)", "examples", ge=1
    )
    steps: int = parameter(10_000, "gradient steps of these trainings", "steps", ge=10, le=10**6)
    batch_sizes: Growing[Annotated[int, Field(ge=1)]] = parameter(
        (1, 2, 4, 16, 50),
        "batch sizes whose largest stable learning rate is looked for; at most all",
        "examples",
        min_length=2,
    )
    stable_from: float = parameter(0.2, "smallest learning rate that is tried for them", "", gt=0, le=100)
    stable_to: float = parameter(10.0, "largest learning rate that is tried for them", "", gt=0, le=1000)
    n_tried: int = parameter(60, "learning rates that are tried, log-spaced", "", ge=2, le=200)
    stable_steps: int = parameter(80, "gradient steps after which the loss must have fallen", "steps", ge=5, le=10**5)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.stable_from >= self.stable_to:
            raise ValueError(f"parameter stable_to = {self.stable_to}: want more than stable_from = {self.stable_from}")
        return self

    @property
    def tried(self) -> list[float]:
        """The learning rates that are tried, in ascending order."""
        return np.geomspace(self.stable_from, self.stable_to, self.n_tried).tolist()


def design(spec: BatchStabilitySpec) -> Design:
    """One output with curvature at both ends (each fitted example's Hessian has rank one), and batches with the loss.

    A run's column says which: 'single', 'climbing' and 'whole' have one output, 'batches' one for each class.
    """

    def condition(run: str, rate: float, batch: int) -> Condition:
        batch = min(batch, spec.n_train)
        many = run == "batches"
        return Condition(
            {"run": run, "learning rate": rate, "batch size": batch},
            Images(spec.dataset, spec.n_train, Labels() if many else Labels().parity()),
            MLP(spec.hidden, "tanh", outputs=None if many else 1),
            spec.recipe(spec.stable_steps if many else spec.steps, rate, batch),
            watch=(_LOSS,) if many else (_LOSS, _CURVATURE),
        )

    sizes = {"single": spec.single_batch, "whole": spec.whole_batch}
    ends = [condition(run, rate, size) for run, size in sizes.items() for rate in spec.learning_rates]
    ends += [condition("climbing", rate, spec.single_batch) for rate in spec.climbing_rates]
    batches = dict.fromkeys(min(size, spec.n_train) for size in spec.batch_sizes)
    return Design([*ends, *(condition("batches", rate, size) for size in batches for rate in spec.tried)])
