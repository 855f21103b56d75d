"""Parameters of the two Gaussians."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from genbook.base.spec import Spec, parameter
from genbook.experiments import Growing


class TwoGaussiansSpec(Spec):
    """Points at ±v with Gaussian noise, some labels random, and a linear classifier (Liu et al., 2020)."""

    n_train: int = parameter(200, "points in the training set", "examples", ge=10, le=5000)
    dimensions: Growing[Annotated[float, Field(gt=0, le=50)]] = parameter(
        (0.9, 3.0, 9.0), "dimensions for each point, p/n", "", min_length=2, max_length=10
    )
    noise: float = parameter(
        0.4,
        "fraction Δ of the labels drawn anew, uniformly over both: half of them become wrong",
        "fraction",
        gt=0,
        le=1,
    )
    spread: float = parameter(
        4.0,
        "root mean square length of the noise, the centres being at distance 1 from 0; the same at every p",
        "",
        gt=0,
    )
    signal: Literal["present", "absent"] = parameter(
        "present", "'present'; 'absent' puts both centres at 0, so that labels mean nothing (a control)"
    )
    learning_rate: float = parameter(1.0, "learning rate of full-batch descent on the logistic loss", "", gt=0)
    steps: int = parameter(1500, "gradient steps", "steps", ge=10, le=100_000)
    n_measurements: int = parameter(40, "log-spaced steps at which everything is measured", "", ge=5)
