"""Projected momentum: profiles and settings."""

from __future__ import annotations

from genbook.base.spec import Profile
from genbook.studies import Study, other_images
from genbook.studies.batches.projected_momentum.claims import CLAIMS
from genbook.studies.batches.projected_momentum.design import ProjectedMomentumSpec, design
from genbook.studies.learning import LEARNS

STUDY = Study.designed(
    design,
    name="projected_momentum",
    title="Momentum and scale-invariant weights",
    version=1,
    spec=ProjectedMomentumSpec,
    profiles={
        "smoke": Profile(
            seeds=2, parameters={"n_train": 40, "hidden": [6], "batch_size": 20, "steps": 12}, seconds=1, judged=False
        ),
        # Too few seeds to judge by: it shows what the published table says.
        "quick": Profile(seeds=3, parameters={}, seconds=3, judged=False),
        "full": Profile(seeds=20, parameters={}, seconds=25),
    },
    claims=CLAIMS,
    conditions={"run": "'plain' descent, 'momentum', and momentum that is 'projected'"},
    replication=other_images,
    replication_seed=2000,
    precondition=LEARNS,
    controls={"no normalisation": {"normalised": False}, "small batches": {"batch_size": 10}},
)
