"""Depth and coherence: profiles and settings."""

from __future__ import annotations

from genbook.base.spec import Profile
from genbook.studies import Study, other_images
from genbook.studies.learning import LEARNS
from genbook.studies.memorisation.depth_coherence.claims import CLAIMS
from genbook.studies.memorisation.depth_coherence.design import DepthCoherenceSpec, design

#: Small enough to be seen on every page; too few examples and steps to judge by.
_SHOWN = {"n_train": 100, "hidden_layers": [1, 3], "width": 32, "steps": 1500, "n_measurements": 24}

STUDY = Study.designed(
    design,
    name="depth_coherence",
    title="Depth and coherence",
    version=1,
    spec=DepthCoherenceSpec,
    profiles={
        "smoke": Profile(
            seeds=2,
            parameters={
                "n_train": 40,
                "hidden_layers": [1, 2],
                "width": 8,
                "batch_size": 20,
                "steps": 60,
                "n_measurements": 8,
            },
            seconds=1,
            judged=False,
        ),
        "quick": Profile(seeds=3, parameters=_SHOWN, seconds=8, judged=False),
        "full": Profile(seeds=8, parameters={}, seconds=200),
    },
    claims=CLAIMS,
    conditions={
        "hidden layers": "number of hidden layers",
        "trained on": "'real' or 'random' labels of the same images",
    },
    replication=other_images,
    replication_seed=2000,
    precondition=LEARNS,
    controls={"shuffled labels": {"real_labels": "shuffled"}, "few labels random": {"random": 0.02}},
)
