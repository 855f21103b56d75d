"""Logistic regression becomes the perceptron: profiles and settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genbook.base.spec import Profile
from genbook.studies import Study
from genbook.studies.steps.perceptron_limit.claims import CLAIMS
from genbook.studies.steps.perceptron_limit.spec import PerceptronLimitSpec


def _replication(spec: PerceptronLimitSpec) -> Mapping[str, Any]:
    """There are no other data for points made up whole: more of them, in more dimensions, with fresh seeds."""
    return {"n_train": min(2 * spec.n_train, 2000), "inputs": min(2 * spec.inputs, 1000)}


STUDY = Study(
    name="perceptron_limit",
    title="Logistic regression becomes the perceptron",
    version=2,
    spec=PerceptronLimitSpec,
    profiles={
        "smoke": Profile(
            seeds=2, parameters={"n_train": 20, "inputs": 10, "learning_rates": [1.0, 1e6]}, seconds=1, judged=False
        ),
        "quick": Profile(seeds=5, parameters={}, seconds=3),
        "full": Profile(seeds=20, parameters={}, seconds=12),
    },
    claims=CLAIMS,
    columns={
        "seed": "the seed",
        "learning rate": "learning rate η of gradient descent; infinite for the perceptron",
        "step": "steps taken; 0 for what there is one number of per run",
        "quantity": "what was measured (see the quantities)",
        "value": "the measured value",
    },
    quantities={
        "error": "fraction of the training points that are not on their side of the plane",
        "loss": "mean logistic loss of the training points, in nats",
        "steps to zero error": "steps until no training point is on the wrong side; missing where that was not reached",
        "highest loss": "highest training loss before that, in nats",
        "distance from the perceptron": (
            "largest distance of w/η from the perceptron's weights, over their length, while the perceptron still errs"
        ),
    },
    replication=_replication,
    controls={
        "small learning rates": {"learning_rates": [0.1, 0.2, 0.4]},
        "large learning rates": {"learning_rates": [1e4, 1e5, 1e6]},
    },
    # Settings, and then statistics, were changed after replications from 1000 and from 2000 on had been looked at.
    replication_seed=3000,
    varies=("points and plane",),
)
