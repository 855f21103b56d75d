"""Coherence with fresh examples: profiles and settings."""

from __future__ import annotations

from genbook.base.spec import Profile
from genbook.studies import Study, other_images
from genbook.studies.learning import LEARNS
from genbook.studies.stopping.fresh_coherence.claims import CLAIMS
from genbook.studies.stopping.fresh_coherence.design import FreshCoherenceSpec, design

STUDY = Study.designed(
    design,
    name="fresh_coherence",
    title="Coherence with fresh examples",
    version=1,
    spec=FreshCoherenceSpec,
    profiles={
        "smoke": Profile(
            seeds=2,
            parameters={"n_train": 60, "held_out": 40, "widths": [4, 8], "steps": 30, "n_measurements": 10},
            seconds=2,
            judged=False,
        ),
        # Enough to be seen on every page; too few seeds and widths to judge by.
        "quick": Profile(
            seeds=2,
            parameters={
                "n_train": 200,
                "held_out": 200,
                "widths": [16, 64],
                "learning_rate": 0.06,
                "steps": 600,
                "n_measurements": 30,
            },
            seconds=20,
            judged=False,
        ),
        "full": Profile(seeds=8, parameters={}, seconds=240),
    },
    claims=CLAIMS,
    conditions={
        "width": "units of each hidden layer, or channels of the first convolution",
        "descent": "'small' steps on all examples, or steps on 'minibatches'",
    },
    replication=other_images,
    # The data of the replication were seen in other studies before.
    replication_seed=2000,
    precondition=LEARNS,
    controls={
        "shuffled fresh labels": {"fresh_labels": "shuffled"},
        "shuffled tags": {"tags": "shuffled"},
        "small steps throughout": {"minibatch": 10**6, "minibatch_learning_rate": 0.04},
    },
)
