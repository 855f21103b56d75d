"""Double descent of networks by width: profiles and settings."""

from __future__ import annotations

from genbook.base.spec import Profile
from genbook.studies import Study, other_images
from genbook.studies.descent.network_descent.claims import CLAIMS
from genbook.studies.descent.network_descent.design import NetworkDescentSpec, design
from genbook.studies.learning import LEARNS

#: Twenty widths from 2 to 300, even on a log scale and rounded down, as in the code of Greydanus and Kobak (2024).
_PUBLISHED = [2, 3, 4, 5, 7, 9, 12, 16, 21, 27, 36, 47, 61, 80, 104, 135, 177, 230, 300]


STUDY = Study.designed(
    design,
    name="network_descent",
    title="Networks by width",
    version=2,
    spec=NetworkDescentSpec,
    profiles={
        "smoke": Profile(
            seeds=2,
            parameters={
                "n_train": 60,
                "widths": [2, 4, 8, 16],
                "batch_size": 30,
                "steps": 60,
                "n_measurements": 6,
                "coherence_examples": 60,
            },
            seconds=3,
            judged=False,
        ),
        "quick": Profile(seeds=5, parameters={}, seconds=75),
        "full": Profile(
            seeds=5,
            parameters={
                "dataset": "mnist1d",
                "n_train": 4000,
                "noise": 0.135,
                "widths": _PUBLISHED,
                "layers": 2,
                "learning_rate": 0.01,
                "steps": 20_000,
                "n_measurements": 30,
            },
            seconds=2000,
        ),
    },
    claims=CLAIMS,
    conditions={"width": "units of each hidden layer"},
    replication=other_images,
    # The replication's data, and then the statistics of peaks, were changed after earlier seeds had been looked at.
    replication_seed=4000,
    precondition=LEARNS,
    controls={
        "no noise": {"noise": 0.0},
        "weight decay": {"weight_decay": 0.01},
        "shuffled labels": {"labels": "shuffled"},
        # Widths at which labels without meaning are fitted, as they are for a comparison at equal loss.
        "shuffled labels, wide": {"labels": "shuffled", "noise": 0.0, "widths": [64, 90, 128, 180]},
    },
)
