"""A best step that moves: profiles and settings."""

from __future__ import annotations

from genbook.base.spec import Profile
from genbook.studies import Study, other_images
from genbook.studies.learning import LEARNS
from genbook.studies.stopping.moving_best_step.claims import CLAIMS
from genbook.studies.stopping.moving_best_step.design import MovingBestStepSpec, design

#: Small enough to be seen on every page; too few runs to judge by.
_SHOWN = {
    "n_train": [100, 400],
    "noise_levels": [0.4],
    "rate_factors": [0.25, 4.0],
    "hidden": [16],
    "steps": 1000,
    "n_measurements": 24,
}

STUDY = Study.designed(
    design,
    name="moving_best_step",
    title="A best step that moves",
    version=1,
    spec=MovingBestStepSpec,
    profiles={
        "smoke": Profile(
            seeds=2,
            parameters={
                "n_train": [50, 100],
                "noise_levels": [0.4],
                "rate_factors": [1.0, 4.0],
                "held_out": 50,
                "hidden": [16],
                "steps": 100,
                "n_measurements": 20,
            },
            seconds=2,
            judged=False,
        ),
        "quick": Profile(seeds=3, parameters=_SHOWN, seconds=10, judged=False),
        "full": Profile(seeds=8, parameters={}, seconds=100),
    },
    claims=CLAIMS,
    conditions={
        "examples": "size of the training set",
        "noise": "fraction of wrong labels",
        "learning rate": "learning rate of stochastic gradient descent",
    },
    replication=other_images,
    replication_seed=2000,
    precondition=LEARNS,
    controls={
        "alike settings": {"n_train": [240, 250], "noise_levels": [0.29, 0.31], "rate_factors": [0.95, 1.0, 1.05]},
        "shuffled signals": {"signals": "shuffled"},
        "hardly a wrong label": {"noise_levels": [0.003]},
    },
)
