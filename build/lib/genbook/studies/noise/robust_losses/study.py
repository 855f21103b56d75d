"""Robust losses beside robust averages: profiles and settings."""

from __future__ import annotations

from genbook.base.spec import Profile
from genbook.studies import Study, other_images
from genbook.studies.learning import LEARNS
from genbook.studies.noise.robust_losses.claims import CLAIMS
from genbook.studies.noise.robust_losses.design import RobustLossesSpec, design

#: Small enough to be seen on every page; too few examples and steps to judge by.
_SHOWN = {"n_train": 150, "batch_size": 30, "learning_rate": 0.2, "steps": 400, "n_measurements": 14}

STUDY = Study.designed(
    design,
    name="robust_losses",
    title="Robust losses on convolutions",
    version=1,
    spec=RobustLossesSpec,
    profiles={
        "smoke": Profile(
            seeds=2,
            parameters={"n_train": 50, "channels": 2, "batch_size": 20, "steps": 20, "n_measurements": 5},
            seconds=2,
            judged=False,
        ),
        "quick": Profile(seeds=2, parameters=_SHOWN, seconds=15, judged=False),
        "full": Profile(seeds=5, parameters={}, seconds=300),
    },
    claims=CLAIMS,
    conditions={"rule": "'plain' descent, a robust loss, or a robust average of the gradients"},
    replication=other_images,
    # The data of the replication were seen in other studies before.
    replication_seed=2000,
    precondition=LEARNS,
    controls={
        "clean labels": {"labels": "clean"},
        "shuffled labels": {"labels": "shuffled", "rules": ["plain"]},
    },
)
