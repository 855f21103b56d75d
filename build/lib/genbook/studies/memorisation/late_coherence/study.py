"""Late coherence: profiles and settings."""

from __future__ import annotations

from genbook.base.spec import Profile
from genbook.studies import Study, from_pool, other_images
from genbook.studies.learning import LEARNS
from genbook.studies.memorisation.late_coherence.claims import CLAIMS
from genbook.studies.memorisation.late_coherence.spec import LateCoherenceSpec
from genbook.tables.quantities import COLUMNS, meanings

STUDY = Study(
    name="late_coherence",
    title="The late coherence of random labels",
    version=2,
    spec=LateCoherenceSpec,
    profiles={
        "smoke": Profile(
            seeds=2,
            parameters={"n_train": 100, "hidden": [32], "factors": [1.0, 3.0], "steps": 400, "time": 0.2},
            seconds=4,
            judged=False,
        ),
        "quick": Profile(seeds=5, parameters={}, seconds=40),
        "full": Profile(seeds=20, parameters={"n_train": 1000, "hidden": [128, 128]}, seconds=600),
    },
    claims=CLAIMS,
    columns={
        **{name: meaning for name, meaning in COLUMNS.items() if name != "epoch"},
        "given": "'real' or 'random': what the training labels are",
        "factor": "learning rate until the network was stopped, in units of learning_rate",
        "group": "'all', or the pairs of examples with 'one label' or with 'two labels'",
        "removed": "how many of the sharpest directions were removed from the gradients",
    },
    quantities={
        **meanings("steps to fit", "train accuracy", "test accuracy", "train loss", "m-coherence", "sharpness"),
        "predicted m-coherence": "what the noise of the batches keeps up in the sharp directions",
        "pairs": "what the pairs of examples with one label, or with two, add to m-coherence: their Σ gᵢ·gⱼ / Σ ‖gᵢ‖²",
    },
    replication=other_images,
    # The replication's data were changed after those of the usual seeds had been looked at.
    replication_seed=2000,
    precondition=LEARNS,
    controls={
        "labels kept": {"labels": "kept"},
        "shuffled labels": {"labels": "shuffled", "factors": [1.0]},
    },
    varies=("training subset", "corruption", "order", "initialisation"),
    fits=from_pool("n_train"),
)
