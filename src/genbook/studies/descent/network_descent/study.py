"""Double descent of networks by width: profiles and worlds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genbook.base.spec import Profile
from genbook.studies import Study, from_pool
from genbook.studies.descent.network_descent.claims import CLAIMS
from genbook.studies.descent.network_descent.spec import NetworkDescentSpec

#: Twenty widths from 2 to 300, even on a log scale and rounded down, as in the code of Greydanus and Kobak (2024).
_PUBLISHED = [2, 3, 4, 5, 7, 9, 12, 16, 21, 27, 36, 47, 61, 80, 104, 135, 177, 230, 300]


def _confirmation(spec: NetworkDescentSpec) -> Mapping[str, Any]:
    """Other data: MNIST-1D, or digits where MNIST-1D is the main world."""
    if spec.dataset == "mnist1d":
        return {"dataset": "digits", "train_size": min(spec.train_size, 1000)}
    return {"dataset": "mnist1d"}


STUDY = Study(
    name="network_descent",
    title="Networks by width",
    chapter="06_double_descent",
    version=1,
    spec=NetworkDescentSpec,
    profiles={
        "smoke": Profile(
            seeds=2,
            parameters={
                "train_size": 60,
                "hidden_widths": [2, 4, 8, 16],
                "batch_size": 30,
                "training_steps": 60,
                "checks": 6,
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
                "train_size": 4000,
                "label_noise": 0.135,
                "hidden_widths": _PUBLISHED,
                "hidden_layers": 2,
                "learning_rate": 0.01,
                "training_steps": 20_000,
                "checks": 30,
            },
            seconds=2000,
        ),
    },
    claims=CLAIMS,
    columns={
        "seed": "the seed of the replica",
        "width": "units of each hidden layer",
        "step": "gradient steps taken",
        "epoch": "passes through the training set",
        "quantity": "what was measured (see the quantities)",
        "group": "'all' training examples, or those whose labels are 'clean' or 'corrupted'",
        "value": "the measured value, in the quantity's unit",
    },
    quantities={
        "train accuracy": "share of the training labels, as given, that are predicted",
        "train loss": "mean cross-entropy on the training labels as given, in nats",
        "test accuracy": "share of the test set's labels that are predicted",
        "test loss": "mean cross-entropy on the test set, in nats",
        "m-coherence": "‖Σ gᵢ‖² / Σ ‖gᵢ‖² over training examples: how many examples an average example helps",
        "m-coherence at equal size": "the same of a group, at the size of the smaller group",
        "gradient cosine": "cosine of the summed gradients of clean and of corrupted examples",
        "weight norm": "Euclidean norm of the parameters at the end",
        "parameters": "number of trained parameters",
        "sharpness": "largest eigenvalue of the Hessian of the training loss at the end",
    },
    confirm=_confirmation,
    nulls={
        "no noise": {"label_noise": 0.0},
        "weight decay": {"decay": 0.01},
        "shuffled labels": {
            "base_labels": "shuffled",
            "label_noise": 0.0,
            "hidden_widths": [64, 90, 128, 180],
        },
    },
    varies=("training subset", "corruption", "order", "initialisation"),
    fits=from_pool("train_size"),
)
