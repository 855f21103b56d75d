"""The generalization theorem on a small network: profiles and worlds."""

from __future__ import annotations

from genbook.base.spec import Profile
from genbook.studies import Study, from_pool, other_images
from genbook.studies.coherence.stability_bound.claims import CLAIMS
from genbook.studies.coherence.stability_bound.spec import StabilityBoundSpec

STUDY = Study(
    name="stability_bound",
    title="The theorem on a small network",
    version=1,
    spec=StabilityBoundSpec,
    profiles={
        "smoke": Profile(
            seeds=2,
            parameters={"n_train": 50, "noise_levels": [0.0, 1.0], "steps": 30},
            seconds=2,
            judged=False,
        ),
        "quick": Profile(seeds=5, parameters={}, seconds=7),
        "full": Profile(seeds=20, parameters={"n_train": 500, "hidden": [64]}, seconds=300),
    },
    claims=CLAIMS,
    columns={
        "seed": "the seed of the network",
        "noise": "share of the labels that were drawn anew",
        "step": "full-batch gradient steps taken",
        "quantity": "what was measured (see the quantities)",
        "value": "the measured value",
    },
    quantities={
        "m-coherence": "‖Σ gᵢ‖² / Σ ‖gᵢ‖² over the training examples",
        "off-diagonal coherence": "mean gᵢ·gⱼ over pairs i ≠ j, over mean ‖gᵢ‖²: α without its 1/m bias",
        "gradient norm": "norm of the mean gradient",
        "train loss": "mean cross-entropy on the training labels as given, in nats",
        "fresh loss": "mean cross-entropy on images of the test part with labels of the same noise, in nats",
        "largest gradient": "largest norm of a training example's gradient",
        "sharpness": "largest eigenvalue of the Hessian of the mean training loss",
    },
    confirm=other_images,
    nulls={
        "shuffled labels": {"labels": "shuffled"},
        "ten steps": {"steps": 10},
    },
    varies=("training subset", "corruption", "initialisation"),
    fits=from_pool("n_train"),
)
