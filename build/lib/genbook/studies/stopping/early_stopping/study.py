"""Early stopping: profiles and settings."""

from __future__ import annotations

from genbook.base.spec import Profile
from genbook.studies import Study, other_images
from genbook.studies.learning import LEARNS
from genbook.studies.stopping.early_stopping.claims import CLAIMS
from genbook.studies.stopping.early_stopping.design import EarlyStoppingSpec, design

STUDY = Study.designed(
    design,
    name="early_stopping",
    title="Early stopping",
    version=2,
    spec=EarlyStoppingSpec,
    profiles={
        "smoke": Profile(
            seeds=2,
            parameters={"n_train": 100, "hidden": [32], "steps": 400, "n_measurements": 30},
            seconds=2,
            judged=False,
        ),
        "quick": Profile(seeds=5, parameters={}, seconds=14),
        "full": Profile(seeds=20, parameters={"n_train": 1000, "hidden": [128, 128], "steps": 5000}, seconds=400),
    },
    claims=CLAIMS,
    conditions={},
    replication=other_images,
    # The replication's data were changed after those of the usual seeds had been looked at.
    replication_seed=2000,
    precondition=LEARNS,
    controls={"shuffled tags": {"tags": "shuffled"}, "clean labels": {"labels": "clean"}},
)
