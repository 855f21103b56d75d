"""Suppressing weak directions: profiles and settings."""

from __future__ import annotations

from genbook.base.spec import Profile
from genbook.studies import Study, other_images
from genbook.studies.learning import LEARNS
from genbook.studies.noise.weak_directions.claims import CLAIMS
from genbook.studies.noise.weak_directions.design import WeakDirectionsSpec, design

STUDY = Study.designed(
    design,
    name="weak_directions",
    title="Suppressing weak directions",
    version=3,
    spec=WeakDirectionsSpec,
    profiles={
        "smoke": Profile(
            seeds=2,
            parameters={"n_train": 100, "width": 16, "steps": 80, "winsorised": [5], "n_measurements": 12},
            seconds=3,
            judged=False,
        ),
        "quick": Profile(seeds=5, parameters={}, seconds=70),
        # The same trainings for ten times as long, and more levels of winsorising.
        "full": Profile(
            seeds=10, parameters={"steps": 9000, "winsorised": [1, 2, 5, 9], "n_measurements": 60}, seconds=500
        ),
    },
    claims=CLAIMS,
    conditions={
        "rule": "how the gradients of a batch are averaged, the multiple of the learning rate of plain descent, whose "
        "length its steps have, or the loss",
    },
    replication=other_images,
    # The replication's data were changed after those of the usual seeds had been looked at.
    replication_seed=2000,
    precondition=LEARNS,
    controls={"shuffled tags": {"tags": "shuffled"}, "clean labels": {"labels": "clean"}},
    varies=("training subset", "validation", "corruption", "order", "initialisation"),
)
