"""The laws of coherence: profiles and settings."""

from __future__ import annotations

from genbook.base.spec import Profile
from genbook.studies import Study, from_pool, other_images
from genbook.studies.coherence.coherence_laws.claims import CLAIMS
from genbook.studies.coherence.coherence_laws.spec import CoherenceLawsSpec
from genbook.tables.quantities import COLUMNS, meanings

STUDY = Study(
    name="coherence_laws",
    title="The laws of coherence",
    version=2,
    spec=CoherenceLawsSpec,
    profiles={
        "smoke": Profile(
            seeds=2,
            parameters={"n_train": 50, "steps": 30, "batch_sizes": [1, 4, 16], "draws": 100},
            seconds=3,
            judged=False,
        ),
        "quick": Profile(seeds=5, parameters={}, seconds=7),
        "full": Profile(seeds=20, parameters={"n_train": 500, "hidden": [64]}, seconds=300),
    },
    claims=CLAIMS,
    columns={
        "seed": COLUMNS["seed"],
        "step": "full-batch gradient steps taken",
        "quantity": COLUMNS["quantity"],
        "layer": COLUMNS["layer"],
        "at": "what was varied: batch size, subset size, fraction of nonzero gradients, scale; else missing",
        "value": COLUMNS["value"],
    },
    quantities={
        **meanings("m-coherence"),
        "norm fraction": "what a layer makes up of Σ ‖gᵢ‖²",
        "layers combined": "m times the weighted mean of the layers' α",
        "gradient diversity": "Σ ‖gᵢ‖² / ‖Σ gᵢ‖², from gradients written out",
        "noise scale": "tr Cov / ‖ḡ‖², from gradients written out",
        "signal-to-noise": "Σⱼ mean² / Σⱼ variance over the coordinates, from gradients written out",
        "alpha": "‖ḡ‖² / mean ‖gᵢ‖² of the gradients written out, at the step that the laws are checked at",
        "batch alpha": "the same of averages of `at` gradients drawn with replacement",
        "subset m-coherence": "m-coherence of `at` of the examples, mean over random subsets",
        "diluted alpha": "α with zeros added until the fraction `at` of the gradients is not zero",
        "scaled alpha": "α of `at` times the gradients",
    },
    replication=other_images,
    # The replication's data were changed after those of the usual seeds had been looked at.
    replication_seed=2000,
    controls={
        "other examples, equal weights": {"relatives_on": "other examples", "layer_weights": "equal"},
        "copies, isotropic": {"batches": "copies", "gradients": "isotropic"},
    },
    varies=("training subset", "initialisation", "mini-batches"),
    fits=from_pool("n_train"),
)
