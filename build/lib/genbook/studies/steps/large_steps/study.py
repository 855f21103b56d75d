"""Large learning rates on real data: profiles and settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genbook.base.spec import Profile
from genbook.studies import Study
from genbook.studies.learning import LEARNS
from genbook.studies.steps.large_steps.claims import CLAIMS
from genbook.studies.steps.large_steps.design import DECAYED, LargeStepsSpec, design

_MNIST1D = {"dataset": "mnist1d", "n_train": 1000, "scale": 1.0, "time": 420.0, "min_steps": 1600}
_DIGITS = {"dataset": "digits", "n_train": 300, "scale": 0.6, "time": 260.0, "min_steps": 500}


def _replication(spec: LargeStepsSpec) -> Mapping[str, Any]:
    """Other data: digits, with learning rates that suit them, or MNIST-1D where discovery has others."""
    given = _DIGITS if spec.dataset == "mnist1d" else _MNIST1D
    return {**given, "min_steps": min(given["min_steps"], spec.min_steps), "time": min(given["time"], spec.time)}


STUDY = Study.designed(
    design,
    name="large_steps",
    title="Large learning rates on real data",
    version=2,
    spec=LargeStepsSpec,
    profiles={
        "smoke": Profile(
            seeds=2,
            parameters={
                "n_train": 100,
                "hidden": [8],
                "learning_rates": [0.5, 2.0],
                "time": 1.0,
                "min_steps": 40,
                "n_measurements": 4,
                "loss_level": 2.0,
                "decay_accuracy": 0.2,
            },
            seconds=2,
            judged=False,
        ),
        "quick": Profile(seeds=5, parameters={}, seconds=75),
        "full": Profile(
            seeds=20, parameters={"n_train": 4000, "hidden": [256], "time": 640.0, "loss_level": 0.1}, seconds=3000
        ),
    },
    claims=CLAIMS,
    conditions={
        "noise": "fraction of the training labels that is wrong",
        "run": f"'constant', or '{DECAYED}': begun with a large learning rate, measured once it has become small",
        "learning rate": "constant learning rate; of decayed networks the first one",
    },
    replication=_replication,
    precondition=LEARNS,
    controls={
        "nothing to learn": {
            "test_labels": "shuffled",
            "learning_rates": [0.5, 0.7, 0.9, 1.2],
            "time": 1.0,
            "decay_to": 0.5,
        },
        "one learning rate": {
            "noise_levels": [0.0],
            "learning_rates": [1.0, 1.1],
            "time": 1.0,
            "decay_to": 1.0,
        },
    },
)
