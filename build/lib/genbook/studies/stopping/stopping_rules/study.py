"""Stopping rules: profiles and settings."""

from __future__ import annotations

from genbook.base.spec import Profile
from genbook.studies import Study, other_images
from genbook.studies.learning import LEARNS
from genbook.studies.stopping.stopping_rules.claims import CLAIMS
from genbook.studies.stopping.stopping_rules.design import StoppingRulesSpec, design

STUDY = Study.designed(
    design,
    name="stopping_rules",
    title="Stopping rules",
    version=2,
    spec=StoppingRulesSpec,
    profiles={
        "smoke": Profile(
            seeds=2,
            parameters={
                "n_train": 100,
                "held_out": 50,
                "decoys": 10,
                "noise_levels": [0.0, 0.4],
                "hidden": [32],
                "steps": 400,
                "n_measurements": 30,
            },
            seconds=3,
            judged=False,
        ),
        "quick": Profile(seeds=5, parameters={}, seconds=24),
        "full": Profile(
            seeds=20,
            parameters={
                "n_train": 1000,
                "decoys": 50,
                "noise_levels": [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6],
                "hidden": [128, 128],
                "steps": 5000,
            },
            seconds=2000,
        ),
    },
    claims=CLAIMS,
    conditions={"noise": "fraction of wrong labels, decoys not counted"},
    replication=other_images,
    # The replication's data were changed after those of the usual seeds had been looked at.
    replication_seed=2000,
    precondition=LEARNS,
    controls={
        "shuffled signals": {"signals": "shuffled"},
        "noise everywhere": {"noise_levels": [0.3, 0.4]},
        "hardly any noise": {"noise_levels": [0.02]},
    },
)
