"""Edge of stability: profiles and settings."""

from __future__ import annotations

from genbook.base.spec import Profile
from genbook.studies import Study, other_images
from genbook.studies.steps.edge_of_stability.claims import CLAIMS
from genbook.studies.steps.edge_of_stability.design import EdgeOfStabilitySpec, design

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
    replication=other_images,
    controls={
        "small learning rates": {
            "learning_rates": [0.01, 0.02],
            "batch_sizes": [10**6],
            "other_loss": "squared",
            "n_measurements": 4,
        },
        "large learning rates": {"learning_rates": [1.5, 1.7], "batch_sizes": [50], "steps": 400, "n_measurements": 4},
    },
    # Settings were changed after the replication on the usual seeds had been looked at.
    replication_seed=2000,
    varies=("training subset", "order", "initialisation"),
)
