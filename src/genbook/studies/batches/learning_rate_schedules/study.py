"""Schedules of the learning rate on a convex problem: profiles and settings."""

from __future__ import annotations

from genbook.base.spec import Profile
from genbook.studies import Study, from_pool, other_images
from genbook.studies.batches.learning_rate_schedules.claims import CLAIMS
from genbook.studies.batches.learning_rate_schedules.spec import LearningRateSchedulesSpec

STUDY = Study(
    name="learning_rate_schedules",
    title="Schedules of the learning rate",
    version=1,
    spec=LearningRateSchedulesSpec,
    profiles={
        "smoke": Profile(
            seeds=2,
            parameters={"n_train": 50, "features": 5, "batch_size": 5, "steps": 40, "peaks": [4.0, 32.0], "repeats": 2},
            seconds=1,
            judged=False,
        ),
        # Too few seeds to judge by: it shows what the published table says.
        "quick": Profile(seeds=3, parameters={"repeats": 2, "steps": 500}, seconds=7, judged=False),
        "full": Profile(seeds=20, parameters={}, seconds=150),
    },
    claims=CLAIMS,
    columns={
        "seed": "the seed",
        "schedule": "'constant', 'inverse square root', 'step' (a tenth after each third), 'cosine', 'linear' or "
        "'refined' (made of the gradient norms of a first run with linear decay)",
        "peak": "learning rate that the schedule multiplies; of factors and gradients, that of the first run",
        "step": "gradient steps taken",
        "quantity": "what was measured (see the quantities)",
        "value": "the measured value",
    },
    quantities={
        "excess loss": "mean training loss of the last iterate, less the least there is; a mean over runs, in nats",
        "excess loss of the average": "the same of the average of all iterates",
        "bound": "what the bound for any schedule allows the last iterate, with the measured gradient norms",
        "factor": "multiple of the peak at this step; its maximum is 1",
        "gradient norm": "running median of the norms of the batch's gradients in the first run",
        "mean of squared norms": "mean squared norm of the training examples' gradients, in the first run",
        "squared norm of the mean": "squared norm of their mean, in the first run",
    },
    replication=other_images,
    replication_seed=2000,
    controls={
        "averaged iterates": {"iterate": "average"},
        "one class after the other": {"order": "sorted"},
        "nothing to learn": {"noise": 0.5, "features": 4},
    },
    varies=("training subset", "projection", "wrong labels", "batches"),
    fits=from_pool("n_train"),
)
