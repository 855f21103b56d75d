"""Learning from noisy labels: profiles and worlds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genbook.base.spec import Profile
from genbook.studies import Study, from_pool
from genbook.studies.noise.noisy_labels.claims import CLAIMS
from genbook.studies.noise.noisy_labels.spec import NoisyLabelsSpec


def _confirmation(spec: NoisyLabelsSpec) -> Mapping[str, Any]:
    """Other data: MNIST-1D, or digits where MNIST-1D is the main world; what people said is there for CIFAR-10 only."""
    noises = tuple("lookalike" if noise == "human" else noise for noise in spec.noises)
    return {
        "dataset": "digits" if spec.dataset == "mnist1d" else "mnist1d",
        "noises": tuple(dict.fromkeys(noises)),
        "features": "pixels",
    }


STUDY = Study(
    name="noisy_labels",
    title="Learning from noisy labels",
    version=1,
    spec=NoisyLabelsSpec,
    profiles={
        "smoke": Profile(
            seeds=2,
            parameters={"n_train": 200, "hidden": [32], "steps": 200, "probes": 15},
            seconds=2,
            judged=False,
        ),
        "quick": Profile(seeds=5, parameters={}, seconds=15),
        "full": Profile(
            seeds=20, parameters={"n_train": 1000, "hidden": [256], "steps": 6000, "probes": 80}, seconds=600
        ),
    },
    claims=CLAIMS,
    columns={
        "seed": "the seed of the replica",
        "noise": "how its wrong labels were drawn",
        "step": "gradient steps taken",
        "epoch": "passes through the training set",
        "quantity": "what was measured (see the quantities)",
        "group": "'clean' or 'corrupted' training examples, or 'all'",
        "value": "the measured value, in the quantity's unit",
    },
    quantities={
        "as given": "share of the group's training examples classified by the label given to them",
        "as true": "share of the group's training examples classified by the label they had before the corruption",
        "test accuracy": "share of the test set's real labels that are predicted",
        "AUC of EL2N": "chance that a corrupted example has a longer error (softmax less one-hot) than a clean one",
        "AUC of gradient norm": "chance that a corrupted example has a longer gradient than a clean one",
        "AUC of loss": "chance that a corrupted example has a larger loss than a clean one",
        "wrong labels": "share of the training labels that differ from the true ones",
        "classes": "number of classes",
    },
    confirm=_confirmation,
    nulls={"shuffled labels": {"labels": "shuffled"}, "blind reader": {"reader": "blind"}},
    varies=("training subset", "validation", "corruption", "order", "initialisation"),
    fits=from_pool("n_train", "reader_examples"),
)
