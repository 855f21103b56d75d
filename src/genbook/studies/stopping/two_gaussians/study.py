"""Two Gaussians: profiles and worlds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genbook.base.spec import Profile
from genbook.studies import Study
from genbook.studies.stopping.two_gaussians.claims import CLAIMS
from genbook.studies.stopping.two_gaussians.spec import TwoGaussiansSpec


def _confirmation(spec: TwoGaussiansSpec) -> Mapping[str, Any]:
    """Another mixture: more points, fewer random labels, more noise."""
    return {"points": 300, "random_share": 0.3, "spread": 5.0}


STUDY = Study(
    name="two_gaussians",
    title="Two Gaussians",
    chapter="03_early_stopping",
    version=1,
    spec=TwoGaussiansSpec,
    profiles={
        "smoke": Profile(
            seeds=2,
            parameters={"points": 60, "dimensions": [0.9, 3.0], "descent_steps": 200, "moments": 20},
            seconds=1,
            judged=False,
        ),
        "quick": Profile(seeds=5, parameters={}, seconds=2),
        "full": Profile(seeds=20, parameters={"points": 600, "descent_steps": 10_000}, seconds=300),
    },
    claims=CLAIMS,
    columns={
        "seed": "the seed of the points and labels",
        "dimensions": "dimensions for each point, p/n",
        "step": "steps of gradient descent taken",
        "quantity": "what was measured (see the quantities)",
        "value": "the measured value, in the quantity's unit",
    },
    quantities={
        "test accuracy": "probability that a new point is classified rightly, exact for the weights at hand",
        "train accuracy": "share of the given labels that are predicted",
        "clean true accuracy": "share of the rightly labelled points whose true label is predicted",
        "wrong true accuracy": "share of the wrongly labelled points whose true label is predicted",
        "clean coefficient": "mean of 1 − p(given label) over rightly labelled points: their weight in the gradient",
        "wrong coefficient": "the same over wrongly labelled points",
        "first step in theory": "test accuracy after one step, in closed form for many points",
    },
    confirm=_confirmation,
    nulls={
        "no signal": {"signal": "absent"},
        "few dimensions": {"dimensions": [0.05, 0.1]},
        "no more dimensions": {"dimensions": [0.9, 0.95]},
    },
    varies=("training subset", "corruption"),
)
