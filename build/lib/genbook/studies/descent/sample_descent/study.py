"""Double descent of one network by its examples: profiles and settings."""

from __future__ import annotations

from genbook.base.spec import Profile
from genbook.studies import Study, other_images
from genbook.studies.descent.sample_descent.claims import CLAIMS
from genbook.studies.descent.sample_descent.design import SampleDescentSpec, design
from genbook.studies.learning import LEARNS

STUDY = Study.designed(
    design,
    name="sample_descent",
    title="One network by its examples",
    version=2,
    spec=SampleDescentSpec,
    profiles={
        "smoke": Profile(
            seeds=2,
            parameters={"n_train": [20, 30, 40, 50], "width": 4, "batch_size": 20, "steps": 30},
            seconds=1,
            judged=False,
        ),
        "quick": Profile(seeds=5, parameters={}, seconds=38),
        "full": Profile(
            seeds=20, parameters={"n_train": [100, 150, 220, 300, 400, 500, 650, 800, 1000, 1300]}, seconds=300
        ),
    },
    claims=CLAIMS,
    conditions={"examples": "size of the training set"},
    replication=other_images,
    # The replication's data, and then the statistics of peaks, were changed after earlier seeds had been looked at.
    replication_seed=4000,
    precondition=LEARNS,
    controls={"no noise": {"noise": 0.0}},
)
