"""Label permutations: profiles and settings."""

from __future__ import annotations

from genbook.base.spec import Profile
from genbook.studies import Study, other_images
from genbook.studies.learning import LEARNS
from genbook.studies.memorisation.label_permutations.claims import CLAIMS
from genbook.studies.memorisation.label_permutations.design import LabelPermutationsSpec, design

STUDY = Study.designed(
    design,
    name="label_permutations",
    title="Labels that change hands in blocks",
    version=2,
    spec=LabelPermutationsSpec,
    profiles={
        "smoke": Profile(
            seeds=2,
            parameters={"n_train": 60, "blocks": [1, 6], "hidden": [16], "steps": 200, "time": 0.2},
            seconds=1,
            judged=False,
        ),
        "quick": Profile(seeds=5, parameters={}, seconds=20),
        "full": Profile(
            seeds=20,
            parameters={"n_train": 1000, "hidden": [128, 128], "blocks": [1, 3, 10, 30, 100]},
            seconds=400,
        ),
    },
    claims=CLAIMS,
    conditions={
        "blocks": "blocks that each class was cut into before the labels were permuted over the blocks; 0: real labels",
    },
    replication=other_images,
    # The replication's data were changed after those of the usual seeds had been looked at.
    replication_seed=2000,
    precondition=LEARNS,
    controls={"blocks at random": {"cut": "at random"}},
)
