"""The convolutional network in time: profiles and settings."""

from __future__ import annotations

from genbook.base.spec import Profile
from genbook.studies import Study, from_pool
from genbook.studies.descent.cnn_epoch_descent.claims import CLAIMS
from genbook.studies.descent.cnn_epoch_descent.spec import CnnEpochDescentSpec
from genbook.studies.learning import LEARNS
from genbook.tables.quantities import COLUMNS, meanings

#: What a processor trains in seconds; nothing can be judged by it.
_TINY = {"n_train": 100, "planes": 2, "batch_size": 50, "steps": 20, "n_measurements": 6}

STUDY = Study(
    name="cnn_epoch_descent",
    title="A convolutional network in time",
    version=1,
    spec=CnnEpochDescentSpec,
    profiles={
        # Both on images that come with the package: CIFAR-10 must be fetched, and a build fetches nothing.
        "smoke": Profile(seeds=2, parameters={**_TINY, "images": "fashion-small"}, seconds=2, judged=False),
        "quick": Profile(
            seeds=2, parameters={**_TINY, "images": "fashion-small", "planes": 4, "steps": 60}, seconds=8, judged=False
        ),
        # On a GPU. Three seeds, since a seed's test error at one step differs by less than a percent.
        "full": Profile(seeds=3, parameters={}, seconds=30_000),
    },
    claims=CLAIMS,
    columns=dict(COLUMNS),
    quantities=meanings("train accuracy", "test accuracy"),
    # Grey images of 28 by 28, of which there are as many.
    replication=lambda spec: {"images": "digits" if spec.images == "fashion-small" else "fashion-mnist"},
    replication_seed=2000,
    precondition=LEARNS,
    controls={"no noise": {"noise": 0.0}},
    varies=("training subset", "corruption", "order", "augmentation", "initialisation"),
    fits=from_pool("n_train"),
)
