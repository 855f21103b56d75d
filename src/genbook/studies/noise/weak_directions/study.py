"""Suppressing weak directions: profiles and worlds."""

from __future__ import annotations

from genbook.base.spec import Profile
from genbook.studies import Study, from_pool, other_images
from genbook.studies.noise.weak_directions.claims import CLAIMS
from genbook.studies.noise.weak_directions.spec import WeakDirectionsSpec

STUDY = Study(
    name="weak_directions",
    title="Suppressing weak directions",
    version=2,
    spec=WeakDirectionsSpec,
    profiles={
        "smoke": Profile(
            seeds=2,
            parameters={"n_train": 100, "width": 16, "steps": 80, "winsorised": [5], "n_measurements": 12},
            seconds=3,
            judged=False,
        ),
        "quick": Profile(seeds=5, parameters={}, seconds=30),
        # The same trainings for ten times as long, and more levels of winsorising.
        "full": Profile(
            seeds=10, parameters={"steps": 9000, "winsorised": [1, 2, 5, 9], "n_measurements": 60}, seconds=500
        ),
    },
    claims=CLAIMS,
    columns={
        "seed": "the seed of the replica",
        "rule": "how the gradients of a batch are averaged, or the multiple of the learning rate of plain descent",
        "step": "gradient steps taken",
        "epoch": "passes through the training set",
        "quantity": "what was measured (see the quantities)",
        "group": "'clean' or 'corrupted' training examples, or 'all'",
        "value": "the measured value, in the quantity's unit",
    },
    quantities={
        "as given": "fraction of the group's training examples classified by the label given to them",
        "as true": "fraction of the group's training examples classified by the label they had before the corruption",
        "test accuracy": "fraction of the test set's real labels that are predicted",
        "held-out accuracy": "fraction of the held-out examples' labels, mislabelled as the training set's, predicted",
    },
    confirm=other_images,
    nulls={"plain averages": {"averages": "plain"}},
    varies=("training subset", "validation", "corruption", "order", "initialisation"),
    fits=from_pool("n_train", "held_out"),
)
