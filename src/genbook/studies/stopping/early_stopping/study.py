"""Early stopping: profiles and worlds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genbook.base.spec import Profile
from genbook.studies import Study, from_pool
from genbook.studies.stopping.early_stopping.claims import CLAIMS
from genbook.studies.stopping.early_stopping.spec import EarlyStoppingSpec


def _confirmation(spec: EarlyStoppingSpec) -> Mapping[str, Any]:
    """Other data: MNIST-1D, or digits where MNIST-1D is the main world (of which there are fewer)."""
    if spec.dataset == "mnist1d":
        return {"dataset": "digits", "n_train": min(spec.n_train, 1000)}
    return {"dataset": "mnist1d"}


STUDY = Study(
    name="early_stopping",
    title="Early stopping",
    chapter="03_early_stopping",
    version=1,
    spec=EarlyStoppingSpec,
    profiles={
        "smoke": Profile(
            seeds=2,
            parameters={"n_train": 100, "hidden": [32], "steps": 400, "probes": 30},
            seconds=2,
            judged=False,
        ),
        "quick": Profile(seeds=5, parameters={}, seconds=14),
        "full": Profile(seeds=20, parameters={"n_train": 1000, "hidden": [128, 128], "steps": 5000}, seconds=400),
    },
    claims=CLAIMS,
    columns={
        "seed": "the seed of the replica",
        "step": "gradient steps taken",
        "epoch": "passes through the training set",
        "quantity": "what was measured (see the quantities)",
        "group": "'all' examples, those 'clean' or 'corrupted', or 'both' for what is between the two groups",
        "layer": "'all', or the layer that the gradients belong to, counted from the input",
        "value": "the measured value, in the quantity's unit",
    },
    quantities={
        "train accuracy": "share of the training labels, as given, that are predicted",
        "true accuracy": "share of the training examples whose right label is predicted",
        "test accuracy": "share of the test set's right labels that are predicted",
        "train loss": "mean cross-entropy on the training labels as given, in nats",
        "distance": "Euclidean distance of the weights from their start",
        "gradient length": "‖S_g‖, the length of the summed gradients of the group",
        "m-coherence": "‖S_g‖² / Σ ‖gᵢ‖² of the group, for as many examples as the smaller group has",
        "gradient cosine": "cosine of the angle between the summed gradients of the two groups",
        "clean descent": "⟨S, S_clean⟩, what clean examples contribute to the descent",
        "descent": "⟨S, S⟩, the squared length of the summed gradients of all training examples",
    },
    confirm=_confirmation,
    nulls={"shuffled tags": {"tags": "shuffled"}, "clean labels": {"labels": "clean"}},
    varies=("training subset", "corruption", "order", "initialisation"),
    fits=from_pool("n_train"),
)
