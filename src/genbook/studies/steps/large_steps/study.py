"""Large steps on real data: profiles and worlds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genbook.base.spec import Profile
from genbook.studies import Study, from_pool
from genbook.studies.steps.large_steps.claims import CLAIMS
from genbook.studies.steps.large_steps.spec import LargeStepsSpec

_MNIST1D = {"dataset": "mnist1d", "n_train": 1000, "scale": 1.0, "time": 420.0, "least_steps": 1600}
_DIGITS = {"dataset": "digits", "n_train": 300, "scale": 0.6, "time": 260.0, "least_steps": 500}


def _confirmation(spec: LargeStepsSpec) -> Mapping[str, Any]:
    """Other data: digits, with steps that suit them, or MNIST-1D where the main world has any other data."""
    given = _DIGITS if spec.dataset == "mnist1d" else _MNIST1D
    return {**given, "least_steps": min(given["least_steps"], spec.least_steps), "time": min(given["time"], spec.time)}


STUDY = Study(
    name="large_steps",
    title="Large steps on real data",
    version=1,
    spec=LargeStepsSpec,
    profiles={
        "smoke": Profile(
            seeds=2,
            parameters={
                "n_train": 100,
                "hidden": 8,
                "ladder": [0.5, 2.0],
                "time": 1.0,
                "least_steps": 40,
                "looks": 4,
                "loss_level": 2.0,
                "decay_accuracy": 0.2,
            },
            seconds=2,
            judged=False,
        ),
        "quick": Profile(seeds=5, parameters={}, seconds=75),
        "full": Profile(
            seeds=20, parameters={"n_train": 4000, "hidden": 256, "time": 640.0, "loss_level": 0.1}, seconds=3000
        ),
    },
    claims=CLAIMS,
    columns={
        "seed": "the seed of the replica",
        "noise": "share of the training labels that is wrong",
        "run": "'constant', or 'decayed': begun with large steps, then small ones (measured from there, step 0)",
        "rate": "step size; of decayed runs the first one",
        "step": "steps taken",
        "quantity": "what was measured (see the quantities)",
        "value": "the measured value",
    },
    quantities={
        "train loss": "mean cross-entropy on the training labels as given, in nats",
        "train accuracy": "share of the training labels, as given, that are predicted",
        "test accuracy": "share of the test set's labels that are predicted",
        "m-coherence": "‖Σ gᵢ‖² / Σ ‖gᵢ‖² over the whole training set: how many examples an average example helps",
        "sharpness": "largest Hessian eigenvalue of the training loss on the first 300 training examples",
    },
    confirm=_confirmation,
    nulls={
        "nothing to learn": {
            "test_labels": "shuffled",
            "ladder": [0.5, 0.7, 0.9, 1.2],
            "time": 1.0,
            "decay_to": 0.5,
        },
        "one step size": {
            "label_noise": [0.0],
            "ladder": [1.0, 1.1],
            "time": 1.0,
            "decay_to": 1.0,
        },
    },
    varies=("training subset", "corruption", "order", "initialisation"),
    fits=from_pool("n_train"),
)
