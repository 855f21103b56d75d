"""Double descent in time: profiles and worlds."""

from __future__ import annotations

from genbook.base.spec import Profile
from genbook.studies import Study, from_pool, other_images
from genbook.studies.descent.epoch_descent.claims import CLAIMS
from genbook.studies.descent.epoch_descent.spec import SETTINGS, EpochDescentSpec

STUDY = Study(
    name="epoch_descent",
    title="One network in time",
    chapter="06_double_descent",
    version=1,
    spec=EpochDescentSpec,
    profiles={
        "smoke": Profile(
            seeds=2,
            parameters={"epoch_examples": 60, "epoch_batch": 30, "epoch_steps": 30, "epoch_checks": 6},
            seconds=1,
            judged=False,
        ),
        "quick": Profile(seeds=5, parameters={}, seconds=25),
        "full": Profile(
            seeds=5,
            parameters={
                "watched": sorted(SETTINGS, key=lambda name: not name.startswith("three layers")),
                "epoch_steps": 6000,
            },
            seconds=400,
        ),
    },
    claims=CLAIMS,
    columns={
        "seed": "the seed of the replica",
        "setting": "network and training, by the name of the setting",
        "step": "gradient steps taken",
        "epoch": "passes through the training set",
        "quantity": "what was measured (see the quantities)",
        "value": "the measured value, in the quantity's unit",
    },
    quantities={
        "train accuracy": "share of the training labels, as given, that are predicted",
        "train loss": "mean cross-entropy on the training labels as given, in nats",
        "test accuracy": "share of the test set's labels that are predicted",
        "test loss": "mean cross-entropy on the test set, in nats",
    },
    confirm=other_images,
    nulls={"no noise": {"noise_factor": 0.0}},
    varies=("training subset", "corruption", "order", "initialisation"),
    fits=from_pool("epoch_examples"),
)
