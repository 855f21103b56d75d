"""Coherence on convolutions: profiles and settings."""

from __future__ import annotations

from genbook.base.spec import Profile
from genbook.studies import Study, other_images
from genbook.studies.learning import LEARNS
from genbook.studies.memorisation.convolution_coherence.claims import CLAIMS
from genbook.studies.memorisation.convolution_coherence.design import ConvolutionCoherenceSpec, design

#: Small enough to be seen on every page; too few examples and steps to judge by.
_SHOWN = {"n_train": 200, "measured": 200, "channels": 4, "batch_size": 25, "steps": 300, "n_measurements": 14}

STUDY = Study.designed(
    design,
    name="convolution_coherence",
    title="Coherence on convolutions",
    version=1,
    spec=ConvolutionCoherenceSpec,
    profiles={
        "smoke": Profile(
            seeds=2,
            parameters={
                "n_train": 40,
                "measured": 20,
                "channels": 2,
                "batch_size": 20,
                "steps": 20,
                "n_measurements": 5,
            },
            seconds=2,
            judged=False,
        ),
        "quick": Profile(seeds=3, parameters=_SHOWN, seconds=15, judged=False),
        "full": Profile(seeds=8, parameters={}, seconds=300),
    },
    claims=CLAIMS,
    conditions={"trained on": "'real' or 'random' labels of the same images"},
    replication=other_images,
    # The data of the replication were seen in other studies before.
    replication_seed=2000,
    precondition=LEARNS,
    controls={
        "shuffled labels": {"real_labels": "shuffled"},
        "random labels kept real": {"random": 0.0},
    },
)
