"""Edge of stability: profiles and settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genbook.base.spec import Profile
from genbook.studies import Study, other_images
from genbook.studies.steps.edge_of_stability.claims import CLAIMS
from genbook.studies.steps.edge_of_stability.design import EdgeOfStabilitySpec, design


def _replication(spec: EdgeOfStabilitySpec) -> Mapping[str, Any]:
    """Other images, with learning rates that stand where discovery's do against the edge at the start.

    With three times as many pixels the loss begins about twice as sharp on fashion-small as on digits. Where learning
    rates are half as large, there are twice as many steps.
    """
    changes = other_images(spec)
    factor = 0.5 if (spec.dataset, changes["dataset"]) == ("digits", "fashion-small") else 1.0
    return {
        **changes,
        "learning_rates": [factor * rate for rate in spec.learning_rates],
        "unreached_learning_rate": factor * spec.unreached_learning_rate,
        "steps": min(round(spec.steps / factor), 10**6),
    }


STUDY = Study.designed(
    design,
    name="edge_of_stability",
    title="The edge of stability",
    version=3,
    spec=EdgeOfStabilitySpec,
    profiles={
        "smoke": Profile(
            seeds=2,
            parameters={"n_train": 20, "hidden": [8], "steps": 40, "n_measurements": 4, "batch_sizes": [5]},
            seconds=8,
            judged=False,
        ),
        "quick": Profile(seeds=5, parameters={}, seconds=22),
        "full": Profile(
            seeds=20,
            parameters={"n_train": 1000, "hidden": [200], "steps": 10_000, "batch_sizes": [5, 25, 100]},
            seconds=3000,
        ),
    },
    claims=CLAIMS,
    conditions={
        "run": "'full batch' (tanh, squared loss), 'ReLU', 'unreached' (both full batch), 'other loss', 'mini-batch'",
        "activation": "of the hidden units",
        "loss": "what is minimised",
        "learning rate": "constant learning rate",
        "batch size": "examples in one gradient step",
    },
    replication=_replication,
    controls={
        "small learning rates": {
            "learning_rates": [0.01, 0.02],
            "batch_sizes": [5],
            "other_loss": "squared",
            "n_measurements": 4,
        },
        "large learning rates": {"learning_rates": [1.5, 1.7], "batch_sizes": [50], "steps": 400, "n_measurements": 4},
    },
    # Settings were changed after replications from 1000 and from 2000 on had been looked at.
    replication_seed=3000,
    varies=("training subset", "order", "initialisation"),
)
