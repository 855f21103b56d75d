"""Stability and batch size: profiles and settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genbook.base.spec import Profile
from genbook.studies import Study, other_images
from genbook.studies.steps.batch_stability.claims import CLAIMS
from genbook.studies.steps.batch_stability.design import BatchStabilitySpec, design

_FEW_TRIED = {
    "learning_rates": [0.04],
    "climbing_rates": [0.045],
    "batch_sizes": [25, 50],
    "n_tried": 2,
    "stable_steps": 5,
}
_NO_TRACE = {"steps": 10, "learning_rates": [0.01], "climbing_rates": [0.02]}


def _replication(spec: BatchStabilitySpec) -> Mapping[str, Any]:
    """Other images; on fashion-small, where the loss is sharper, with rates at which single examples settle."""
    changes = other_images(spec)
    factor = 0.75 if (spec.dataset, changes["dataset"]) == ("digits", "fashion-small") else 1.0
    rates = {name: [factor * rate for rate in getattr(spec, name)] for name in ("learning_rates", "climbing_rates")}
    return {**changes, **rates}


STUDY = Study.designed(
    design,
    name="batch_stability",
    title="Stability and batch size",
    version=3,
    spec=BatchStabilitySpec,
    profiles={
        "smoke": Profile(
            seeds=2,
            parameters={
                "n_train": 20,
                "hidden": [8],
                "learning_rates": [0.01],
                "climbing_rates": [0.02],
                "steps": 20,
                "batch_sizes": [1, 20],
                "n_tried": 3,
                "stable_steps": 10,
            },
            seconds=2,
            judged=False,
        ),
        "quick": Profile(seeds=5, parameters={}, seconds=52),
        "full": Profile(
            seeds=20,
            parameters={
                "n_train": 200,
                "hidden": [100],
                "steps": 60_000,
                "batch_sizes": [1, 2, 4, 8, 16, 32, 64, 128, 200],
                "n_tried": 120,
                "stable_steps": 300,
            },
            seconds=3000,
        ),
    },
    claims=CLAIMS,
    conditions={
        "run": "'single' or 'whole': one output on single examples or on all; 'climbing': single ones, larger rates; "
        "'batches': one for each class",
        "learning rate": "constant learning rate",
        "batch size": "examples in one gradient step",
    },
    replication=_replication,
    # Settings and the replication's data were changed after the usual seeds had been looked at.
    replication_seed=3000,
    controls={
        "whole set": {"single_batch": 10**6, **_FEW_TRIED},
        "single examples": {"whole_batch": 1, **_FEW_TRIED},
        "large batches": {"batch_sizes": [25, 50], **_NO_TRACE},
        "small batches": {"batch_sizes": [1, 4], **_NO_TRACE},
    },
    varies=("training subset", "order", "initialisation"),
)
