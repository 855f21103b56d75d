"""Massive label noise: profiles and settings."""

from __future__ import annotations

from genbook.base.spec import Profile
from genbook.studies import Study, other_images
from genbook.studies.learning import LEARNS
from genbook.studies.noise.massive_noise.claims import CLAIMS
from genbook.studies.noise.massive_noise.design import MassiveNoiseSpec, design

STUDY = Study.designed(
    design,
    name="massive_noise",
    title="Massive label noise",
    version=2,
    spec=MassiveNoiseSpec,
    profiles={
        "smoke": Profile(
            seeds=2,
            parameters={
                "n_train": 200,
                "fewer": [100],
                "copies": [0, 5],
                "dilution": 5,
                "width": 16,
                "batch_size": 50,
                "other_batches": [10],
                "steps": 60,
                "n_measurements": 6,
            },
            seconds=1,
            judged=False,
        ),
        "quick": Profile(seeds=5, parameters={}, seconds=10),
        "full": Profile(
            seeds=20, parameters={"fewer": [250, 500], "other_batches": [25, 100], "steps": 1000}, seconds=150
        ),
    },
    claims=CLAIMS,
    conditions={
        "images": "images with a right label",
        "copies": "random labels for each right one",
        "batch size": "examples in one gradient step",
    },
    replication=other_images,
    # The replication's data were changed after those of the usual seeds had been looked at.
    replication_seed=2000,
    precondition=LEARNS,
    controls={
        "shuffled labels": {"labels": "shuffled", "copies": [0], "fewer": [], "other_batches": []},
        "right copies": {"copy_labels": "right", "copies": [0]},
    },
)
