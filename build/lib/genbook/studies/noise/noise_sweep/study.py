"""A sweep of label noise: profiles and settings."""

from __future__ import annotations

from genbook.base.spec import Profile
from genbook.studies import Study, other_images
from genbook.studies.learning import LEARNS
from genbook.studies.noise.noise_sweep.claims import CLAIMS
from genbook.studies.noise.noise_sweep.design import GIVEN, RIGHT, NoiseSweepSpec, design

STUDY = Study.designed(
    design,
    name="noise_sweep",
    title="From no noise to nothing but noise",
    version=1,
    spec=NoiseSweepSpec,
    profiles={
        "smoke": Profile(
            seeds=2,
            parameters={"n_train": 60, "noise_levels": [0.5], "width": 16, "steps": 60, "n_measurements": 10},
            seconds=1,
            judged=False,
        ),
        "quick": Profile(seeds=5, parameters={}, seconds=20),
        "full": Profile(seeds=20, parameters={"n_train": 1000, "width": 256, "steps": 10_000}, seconds=600),
    },
    claims=CLAIMS,
    conditions={
        "noise": "fraction of the training labels that were drawn anew",
        "trained on": f"'{GIVEN}', or '{RIGHT}': the same images without noise, told apart by the same tags",
    },
    replication=other_images,
    replication_seed=2000,
    precondition=LEARNS,
    controls={"shuffled tags": {"tags": "shuffled"}},
)
