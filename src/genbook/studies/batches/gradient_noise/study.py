"""Noise on gradients: profiles and settings."""

from __future__ import annotations

from genbook.base.spec import Profile
from genbook.studies import Study, other_images
from genbook.studies.batches.gradient_noise.claims import CLAIMS
from genbook.studies.batches.gradient_noise.design import GradientNoiseSpec, design

STUDY = Study.designed(
    design,
    name="gradient_noise",
    title="Noise on gradients of deep networks",
    version=1,
    spec=GradientNoiseSpec,
    profiles={
        "smoke": Profile(
            seeds=2,
            parameters={"n_train": 40, "depth": 3, "width": 4, "batch_size": 20, "steps": 10},
            seconds=1,
            judged=False,
        ),
        # Narrow, few steps and few seeds: noise gets the network moving, and teaches it little.
        "quick": Profile(
            seeds=2, parameters={"width": 16, "learning_rate": 0.07, "steps": 350}, seconds=4, judged=False
        ),
        "full": Profile(seeds=20, parameters={}, seconds=250),
    },
    claims=CLAIMS,
    conditions={
        "start": "'poor' first weights, or 'good' ones, which keep the size of a signal",
        "noise": "on the gradients: 'none', 'annealed', or 'constant', which begins as strong and stays so",
    },
    replication=other_images,
    replication_seed=2000,
    controls={
        "no noise": {"eta": 1e-12},
        "loud noise": {"eta": 30.0},
    },
)
