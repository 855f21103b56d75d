"""Late coherence: profiles and worlds."""

from __future__ import annotations

from genbook.base.spec import Profile
from genbook.studies import Study, from_pool, other_images
from genbook.studies.memorisation.late_coherence.claims import CLAIMS
from genbook.studies.memorisation.late_coherence.spec import LateCoherenceSpec

STUDY = Study(
    name="late_coherence",
    title="The late coherence of random labels",
    chapter="02_random_vs_real_labels",
    version=1,
    spec=LateCoherenceSpec,
    profiles={
        "smoke": Profile(
            seeds=2,
            parameters={"n_train": 100, "hidden": [32], "step_factors": [1.0, 3.0], "steps": 400, "time": 0.2},
            seconds=4,
            judged=False,
        ),
        "quick": Profile(seeds=5, parameters={}, seconds=40),
        "full": Profile(seeds=20, parameters={"n_train": 1000, "hidden": [128, 128]}, seconds=600),
    },
    claims=CLAIMS,
    columns={
        "seed": "the seed of the replica",
        "labels": "'real' or 'random': what the training labels are",
        "factor": "step size until the network was stopped, in units of learning_rate",
        "path": "'at the start': where it was stopped; 'as before' or 'small steps': how it goes on from there",
        "time": "steps from there, times their size",
        "quantity": "what was measured (see the quantities)",
        "part": "'all', a layer, how many of the sharpest directions were removed, or the kind of pairs",
        "value": "the measured value, in the quantity's unit",
    },
    quantities={
        "steps": "steps until the network was stopped; missing where it did not reach the accuracy wanted",
        "accuracy": "share of the training labels, as given, that are predicted",
        "loss": "mean cross-entropy on the training labels as given, in nats",
        "m-coherence": "‖Σ gᵢ‖² / Σ ‖gᵢ‖² over the whole training set: how many examples an average example helps",
        "predicted m-coherence": "what the noise of the batches keeps up in the sharp directions",
        "sharpness": "largest eigenvalue of the Hessian of the training loss",
        "share of squares": "the sharp directions' share of Σ ‖gᵢ‖²",
        "pairs": "what the pairs of examples with one label, or with two, add to m-coherence: their Σ gᵢ·gⱼ / Σ ‖gᵢ‖²",
        "share of pairs": "how many of all pairs they are",
    },
    confirm=other_images,
    nulls={
        "labels kept": {"labels": "kept"},
        "shuffled labels": {"labels": "shuffled", "step_factors": [1.0]},
    },
    varies=("training subset", "corruption", "order", "initialisation"),
    fits=from_pool("n_train"),
)
