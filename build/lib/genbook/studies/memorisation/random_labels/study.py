"""Random versus real labels: profiles and settings."""

from __future__ import annotations

from genbook.base.spec import Profile
from genbook.studies import Study, other_images
from genbook.studies.learning import LEARNS
from genbook.studies.memorisation.random_labels.claims import CLAIMS
from genbook.studies.memorisation.random_labels.design import RandomLabelsSpec, design

STUDY = Study.designed(
    design,
    name="random_labels",
    title="Random versus real labels",
    version=3,
    spec=RandomLabelsSpec,
    profiles={
        "smoke": Profile(
            seeds=2,
            parameters={"n_train": 100, "noise_levels": [0.0, 1.0], "hidden": [32], "steps": 400, "n_measurements": 12},
            seconds=4,
            judged=False,
        ),
        "quick": Profile(seeds=5, parameters={}, seconds=25),
        "full": Profile(seeds=20, parameters={"n_train": 1000, "hidden": [128, 128], "steps": 20_000}, seconds=1500),
    },
    claims=CLAIMS,
    conditions={
        "network": "'base', or a control on the same labels: 'larger start', 'larger steps'",
        "noise": "fraction of the training labels that were drawn anew",
    },
    replication=other_images,
    # The replication's data were changed after those of the usual seeds had been looked at.
    replication_seed=2000,
    precondition=LEARNS,
    controls={
        "shuffled labels": {"labels": "shuffled"},
        "labels kept": {"labels": "kept"},
        "too small": {"hidden": [2], "noise_levels": [0.0, 1.0], "n_measurements": 10},
    },
)
