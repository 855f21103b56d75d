"""Weight decay and random labels: profiles and settings."""

from __future__ import annotations

from genbook.base.spec import Profile
from genbook.studies import Study, other_images
from genbook.studies.learning import LEARNS
from genbook.studies.memorisation.explicit_regularisation.claims import CLAIMS
from genbook.studies.memorisation.explicit_regularisation.design import ExplicitRegularisationSpec, design

STUDY = Study.designed(
    design,
    name="explicit_regularisation",
    title="Weight decay and random labels",
    version=2,
    spec=ExplicitRegularisationSpec,
    profiles={
        "smoke": Profile(
            seeds=2, parameters={"n_train": 60, "width": 8, "steps": 40, "batch_size": 20}, seconds=1, judged=False
        ),
        "quick": Profile(seeds=5, parameters={}, seconds=16),
        "full": Profile(seeds=20, parameters={}, seconds=35),
    },
    claims=CLAIMS,
    conditions={
        "trained on": "'real' or 'random' labels",
        "regularisation": "'none' or 'weight decay'",
    },
    replication=other_images,
    # The replication's data were changed after those of the usual seeds had been looked at.
    replication_seed=2000,
    precondition=LEARNS,
    controls={
        "hardly any decay": {"weight_decay": 1e-5},
        "strong decay": {"weight_decay": 0.1},
        "wrong labels": {"wrong": 0.4},
        # Of ten classes, each as likely whatever the image: random labels under another name.
        "no real labels": {"wrong": 0.9},
    },
)
