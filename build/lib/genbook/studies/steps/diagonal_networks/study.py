"""Diagonal linear networks: profiles and settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genbook.base.spec import Profile
from genbook.studies import Study
from genbook.studies.steps.diagonal_networks.claims import CLAIMS
from genbook.studies.steps.diagonal_networks.spec import DiagonalNetworksSpec


def _replication(spec: DiagonalNetworksSpec) -> Mapping[str, Any]:
    """There are no other data for regressions made up whole: half as many again of everything, with fresh seeds."""
    return {
        "n_train": min(3 * spec.n_train // 2, 500),
        "inputs": min(3 * spec.inputs // 2, 1000),
        "used": list(dict.fromkeys((spec.used[0], spec.used[-1]))),
    }


STUDY = Study(
    name="diagonal_networks",
    title="Diagonal linear networks",
    version=1,
    spec=DiagonalNetworksSpec,
    profiles={
        "smoke": Profile(
            seeds=2,
            parameters={
                "n_train": 10,
                "inputs": 20,
                "used": [0.1, 1.0],
                "fractions": [0.1, 0.6],
                "steps": 20_000,
                "whole_steps": 20_000,
                "annealed_sooner": [0.05],
                "bisections": 9,
            },
            seconds=1,
            judged=False,
        ),
        "quick": Profile(seeds=8, parameters={}, seconds=16),
        "full": Profile(seeds=20, parameters={"used": [0.02, 0.05, 0.1, 0.2, 0.4, 1.0]}, seconds=60),
    },
    claims=CLAIMS,
    columns={
        "seed": "the seed",
        "used": "part of the inputs that the teacher uses",
        "batches": "'small' ones (single examples), the 'whole' set, or 'none' for gradient flow from the same start",
        "fraction": "learning rate as a fraction of the largest with which the same network trains; 0 for the flow",
        "annealed after": "part of the steps after which the learning rate becomes small; 0 for the flow",
        "quantity": "what was measured (see the quantities)",
        "value": "the measured value",
    },
    quantities={
        "learning rate": "the learning rate before it becomes small; missing where none was found that trains",
        "risk": "mean squared error on fresh inputs, exactly; missing where training diverged",
        "loss left": "squared error on the training examples at the end, over that of zero weights; missing likewise",
        "predicted risk": "risk of the end of gradient flow from the imbalances that training leaves; missing likewise",
        "shrinkage, used": (
            "fall of the logarithm of |u² − v²| by the end, mean over the inputs that the teacher uses; missing where "
            "training diverged"
        ),
        "shrinkage, unused": "the same over the inputs that it does not use; missing where it uses all, or diverged",
    },
    replication=_replication,
    # Its sizes had been tried on other seeds when the settings were chosen.
    replication_seed=2000,
    controls={
        "dense teacher": {"used": [1.0]},
        "sparse teacher": {"used": [0.05]},
        "whole set": {"used": [0.05], "batch_size": 500},
    },
    varies=("inputs and teacher", "order"),
)
