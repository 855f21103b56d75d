"""Benign oscillation: profiles and settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genbook.base.spec import Profile
from genbook.studies import Study
from genbook.studies.steps.benign_oscillation.claims import CLAIMS
from genbook.studies.steps.benign_oscillation.spec import BenignOscillationSpec


def _replication(spec: BenignOscillationSpec) -> Mapping[str, Any]:
    """There are no other data for a problem made up whole: other sizes, more noise, fresh seeds, no phase diagram."""
    return {
        "dimension": min(2 * spec.dimension, 1000),
        "n_train": min(spec.n_train * 3 // 4 * 2, 200),
        "noise_std": min(1.5 * spec.noise_std, 1.0),
        "full_batch_steps": max(spec.full_batch_steps // 2, 100),
        "strengths": [],
    }


STUDY = Study(
    name="benign_oscillation",
    title="Benign oscillation",
    version=3,
    spec=BenignOscillationSpec,
    profiles={
        "smoke": Profile(
            seeds=2,
            parameters={
                "scaled_learning_rates": [0.1, 0.24, 0.3, 0.36, 0.45],
                "steps": 400,
                "full_batch_learning_rates": [0.4, 0.7],
                "full_batch_steps": 100,
                "strengths": [1.0, 2.0],
                "diagram_learning_rates": [0.05, 0.3],
                "n_measurements": 5,
            },
            seconds=6,
            judged=False,
        ),
        "quick": Profile(seeds=5, parameters={"strengths": [0.7, 1.0, 1.4, 2.0]}, seconds=20),
        "full": Profile(
            seeds=20, parameters={"strengths": [0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0], "steps": 20_000}, seconds=400
        ),
    },
    claims=CLAIMS,
    columns={
        "seed": "the seed",
        "run": (
            "'single' examples or 'full' batches at strength 1; 'jump only' (a large learning rate for the first jump, "
            "a small one after it) and 'no jump' (a small one until all has settled, a large one after that), on "
            "single examples; 'diagram' for the phase diagram (single examples)"
        ),
        "strength": "length of the strong feature u",
        "scaled learning rate": "η‖u‖²/m",
        "step": "gradient steps taken",
        "quantity": "what was measured (see the quantities)",
        "value": "the measured value",
    },
    quantities={
        "escaped": "1 if the run left every bound, 0 if not; its step is where it ended",
        "weak accuracy": "fraction of the test examples (weak feature and noise alone) that are on their side; "
        "missing in the diagram where the run escaped",
        "weak fraction": "part of y f on the training examples that the weak feature contributes",
        "strong fraction": "the part that the strong feature contributes; the rest is noise",
        "weak growth": "log of the weak projections that help their label, over their initial size; missing where "
        "none helps at the start",
        "strong growth": "the same for the strong feature",
        "weak growth by the sum": "what the recorded residuals say the weak growth must be",
        "residual": "mean of 1 − y f over the steps since the measured step before; missing at the start",
        "amplitude": "root mean square of 1 − y f over these steps; missing at the start",
        "unsettled": "fraction of these steps with |1 − y f| of at least 0.2; missing at the start",
        "output": "y f of an example of the label + when it is visited, before the step",
    },
    replication=_replication,
    controls={
        "small learning rates": {
            "scaled_learning_rates": [0.05, 0.1, 0.2, 0.24],
            "jump_learning_rate": 0.24,
            "strengths": [],
            "full_batch_steps": 100,
        },
        "jump without end": {
            "scaled_learning_rates": [0.1, 0.2],
            "jump_steps": 10**9,
            "strengths": [],
            "full_batch_steps": 100,
        },
        "half the loss": {
            "loss": "half squared",
            "scaled_learning_rates": [0.2, 0.4, 0.48, 0.52, 0.6, 0.7, 0.78, 0.86, 0.9],
            "full_batch_learning_rates": [0.8, 0.96, 1.04, 1.12, 1.2, 1.4],
            "strengths": [],
        },
        "weak patch at random": {
            "weak_labels": "at random",
            "scaled_learning_rates": [0.2, 0.24, 0.28, 0.3, 0.33, 0.36],
            "strengths": [],
            "full_batch_steps": 100,
        },
    },
    # Settings, and then statistics, were changed after replications from 1000 and from 2000 on had been looked at.
    replication_seed=3000,
    varies=("noise patches", "test points", "order", "initialisation"),
)
