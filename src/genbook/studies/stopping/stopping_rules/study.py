"""Stopping rules: profiles and worlds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genbook.base.spec import Profile
from genbook.studies import Study, from_pool
from genbook.studies.stopping.stopping_rules.claims import CLAIMS
from genbook.studies.stopping.stopping_rules.spec import StoppingRulesSpec


def _confirmation(spec: StoppingRulesSpec) -> Mapping[str, Any]:
    """Other data: MNIST-1D, or digits where MNIST-1D is the main world (of which there are fewer)."""
    if spec.dataset == "mnist1d":
        return {"dataset": "digits", "n_train": min(spec.n_train, 1000)}
    return {"dataset": "mnist1d"}


STUDY = Study(
    name="stopping_rules",
    title="Stopping rules",
    chapter="03_early_stopping",
    version=1,
    spec=StoppingRulesSpec,
    profiles={
        "smoke": Profile(
            seeds=2,
            parameters={
                "n_train": 100,
                "n_validation": 50,
                "decoys": 10,
                "noise_levels": [0.0, 0.4],
                "hidden": [32],
                "steps": 400,
                "checkpoints": 30,
            },
            seconds=3,
            judged=False,
        ),
        "quick": Profile(seeds=5, parameters={}, seconds=24),
        "full": Profile(
            seeds=20,
            parameters={
                "n_train": 1000,
                "decoys": 50,
                "noise_levels": [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6],
                "hidden": [128, 128],
                "steps": 5000,
            },
            seconds=2000,
        ),
    },
    claims=CLAIMS,
    columns={
        "seed": "the seed of the replica",
        "noise": "share of wrong labels, decoys not counted",
        "step": "gradient steps taken",
        "epoch": "passes through the training set",
        "quantity": "what was measured (see the quantities)",
        "value": "the measured value, in the quantity's unit",
    },
    quantities={
        "test accuracy": "share of the test set's right labels that are predicted; no rule sees it",
        "held-out accuracy": "share of the held-out examples' noisy labels that are predicted",
        "held-out loss": "mean cross-entropy on the held-out examples' noisy labels, in nats",
        "train loss": "mean cross-entropy on the training labels as given, decoys included, in nats",
        "decoy loss": "mean cross-entropy on the decoys' labels, in nats",
        "loss spread": "standard deviation of the training examples' losses, in nats",
        "m-coherence": "‖Σ gᵢ‖² / Σ ‖gᵢ‖² over the training set",
        "gradient norm": "length of the mean gradient over the training set",
        "cosine of halves": "cosine of the angle between the summed gradients of two random halves of the training set",
        "gradient disparity": "root mean square distance of the gradients of two disjoint random batches",
    },
    confirm=_confirmation,
    nulls={"shifted signals": {"signals": "shifted"}, "noise everywhere": {"noise_levels": [0.3, 0.4]}},
    fits=from_pool("n_train", "n_validation"),
)
