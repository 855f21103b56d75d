"""Changing answers: profiles and settings."""

from __future__ import annotations

from genbook.base.spec import Profile
from genbook.studies import Study, from_pool, other_images
from genbook.studies.learning import LEARNS
from genbook.studies.noise.changing_answers.claims import CLAIMS
from genbook.studies.noise.changing_answers.spec import ChangingAnswersSpec
from genbook.tables.quantities import COLUMNS, meanings

STUDY = Study(
    name="changing_answers",
    title="Changing answers",
    version=1,
    spec=ChangingAnswersSpec,
    profiles={
        "smoke": Profile(
            seeds=2,
            parameters={"n_train": 100, "noise_levels": [0.0, 0.5, 1.0], "hidden": [32], "steps": 200, "watched": 20},
            seconds=2,
            judged=False,
        ),
        "quick": Profile(seeds=5, parameters={}, seconds=14),
        "full": Profile(seeds=20, parameters={"n_train": 1000, "hidden": [128, 128], "steps": 6000}, seconds=600),
    },
    claims=CLAIMS,
    columns={
        "noise": "fraction of the training labels that were drawn anew",
        **{name: COLUMNS[name] for name in ("seed", "step", "epoch", "quantity", "group", "value")},
    },
    quantities={
        **meanings("train accuracy", "test accuracy"),
        "answer": "the class that the network gives a training example, which is the group",
        "given label": "the label that the example is trained on",
        "true label": "the label that it had before",
    },
    replication=other_images,
    replication_seed=2000,
    precondition=LEARNS,
    controls={"shuffled labels": {"labels": "shuffled"}},
    varies=("training subset", "corruption", "order", "initialisation"),
    fits=from_pool("n_train"),
)
