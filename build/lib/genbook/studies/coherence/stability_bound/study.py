"""The generalization theorem on a small network: profiles and settings."""

from __future__ import annotations

from genbook.base.spec import Profile
from genbook.studies import Study, other_images
from genbook.studies.coherence.stability_bound.claims import CLAIMS
from genbook.studies.coherence.stability_bound.design import StabilityBoundSpec, design
from genbook.studies.learning import LEARNS

STUDY = Study.designed(
    design,
    name="stability_bound",
    title="The theorem on a small network",
    version=2,
    spec=StabilityBoundSpec,
    profiles={
        "smoke": Profile(
            seeds=2,
            parameters={"n_train": 50, "noise_levels": [0.0, 1.0], "steps": 30},
            seconds=2,
            judged=False,
        ),
        "quick": Profile(seeds=5, parameters={}, seconds=7),
        "full": Profile(seeds=20, parameters={"n_train": 500, "hidden": [64]}, seconds=300),
    },
    claims=CLAIMS,
    conditions={"noise": "fraction of the labels that were drawn anew"},
    replication=other_images,
    # The replication's data were changed after those of the usual seeds had been looked at.
    replication_seed=2000,
    precondition=LEARNS,
    controls={"shuffled labels": {"labels": "shuffled"}},
    varies=("training subset", "corruption", "initialisation"),
)
