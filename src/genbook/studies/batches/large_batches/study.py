"""Large batches: profiles and settings."""

from __future__ import annotations

from genbook.base.spec import Profile
from genbook.studies import Study, other_images
from genbook.studies.batches.large_batches.claims import CLAIMS
from genbook.studies.batches.large_batches.design import LargeBatchesSpec, design
from genbook.studies.learning import LEARNS

STUDY = Study.designed(
    design,
    name="large_batches",
    title="Large batches, epochs and updates",
    version=1,
    spec=LargeBatchesSpec,
    profiles={
        "smoke": Profile(
            seeds=2,
            parameters={
                "n_train": 40,
                "hidden": [6],
                "small_batch": 4,
                "large_batch": 20,
                "ghost_batch": 4,
                "epochs": 3,
            },
            seconds=1,
            judged=False,
        ),
        # Too few seeds to judge by: it shows what the published table says.
        "quick": Profile(seeds=3, parameters={}, seconds=5, judged=False),
        "full": Profile(seeds=20, parameters={}, seconds=50),
    },
    claims=CLAIMS,
    conditions={
        "run": "'small' batches; 'large' ones for as many epochs, 'scaled' with a larger learning rate, 'long' with as "
        "many updates too; 'normalised' by batch and in 'ghosts', both as 'scaled'"
    },
    replication=other_images,
    replication_seed=2000,
    precondition=LEARNS,
    controls={
        "same batch": {"small_batch": 10**6},
        "few updates": {"updates": 0.04},
        "no scaling": {"scaling": 0.0, "updates": 0.04},
        "no ghosts": {"ghost_batch": 10**6, "updates": 0.04},
        "short steps": {"learning_rate": 2e-4, "updates": 0.04},
    },
)
