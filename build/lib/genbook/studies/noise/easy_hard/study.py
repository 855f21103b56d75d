"""Easy and hard examples: profiles and settings."""

from __future__ import annotations

from genbook.base.spec import Profile
from genbook.studies import Study, from_pool, other_images
from genbook.studies.learning import LEARNS
from genbook.studies.noise.easy_hard.claims import CLAIMS
from genbook.studies.noise.easy_hard.spec import EasyHardSpec
from genbook.tables.quantities import COLUMNS, meanings

STUDY = Study(
    name="easy_hard",
    title="Easy and hard examples",
    version=4,
    spec=EasyHardSpec,
    profiles={
        "smoke": Profile(
            seeds=2,
            parameters={"n_train": 200, "initialisations": 4, "hidden": [16], "steps": 150, "n_measurements": 12},
            seconds=2,
            judged=False,
        ),
        "quick": Profile(seeds=5, parameters={}, seconds=10),
        "full": Profile(seeds=20, parameters={"initialisations": 20, "steps": 3000}, seconds=120),
    },
    claims=CLAIMS,
    columns={
        "trained on": "'easy', 'hard' or 'mixed' images, half of a half; 'all' for what is told of all images",
        **{name: COLUMNS[name] for name in ("seed", "step", "quantity", "value")},
        "group": "'all' examples, or the half that is 'easy' or 'hard' for a linear reader of the others",
    },
    quantities={
        "agreement of two juries": "Spearman's correlation of the mean early EL2N of two disjoint sets of networks",
        "early accuracy": "fraction of (network, image) pairs in which the network is right early",
        "right in k": "fraction of the images that exactly k of the networks are right on early, a quantity for each k",
        "own kind accuracy": "fraction of the labels of the other half of the half that are predicted",
        **meanings("train accuracy", "test accuracy", "train loss", "m-coherence"),
    },
    replication=other_images,
    # The replication's data were changed after those of the usual seeds had been looked at.
    # So was the reader, who had not come to rest, after one look at the seeds from 2000 on.
    replication_seed=3000,
    precondition=LEARNS,
    controls={"shuffled labels": {"labels": "shuffled"}, "random halves": {"halves": "random"}},
    varies=("training subset", "order", "initialisation"),
    fits=from_pool("n_train"),
)
