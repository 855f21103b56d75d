"""Benign oscillation: profiles and worlds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genbook.base.spec import Profile
from genbook.studies import Study
from genbook.studies.steps.benign_oscillation.claims import CLAIMS
from genbook.studies.steps.benign_oscillation.spec import BenignOscillationSpec


def _confirmation(spec: BenignOscillationSpec) -> Mapping[str, Any]:
    """There are no other data for a problem made up whole: other sizes, more noise, fresh seeds, no phase diagram."""
    return {
        "dimension": min(2 * spec.dimension, 1000),
        "examples": min(spec.examples * 3 // 4 * 2, 200),
        "noise": min(1.5 * spec.noise, 1.0),
        "batch_steps": max(spec.batch_steps // 2, 100),
        "strengths": [],
    }


STUDY = Study(
    name="benign_oscillation",
    title="Benign oscillation",
    version=2,
    spec=BenignOscillationSpec,
    profiles={
        "smoke": Profile(
            seeds=2,
            parameters={
                "rates": [0.1, 0.24, 0.3, 0.36, 0.45],
                "steps": 400,
                "batch_rates": [0.4, 0.7],
                "batch_steps": 100,
                "strengths": [1.0, 2.0],
                "diagram_steps": [0.05, 0.3],
                "checkpoints": 5,
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
        "batch": (
            "'single' examples or 'full' batches at strength 1; 'jump only' (large steps for the first jump, small "
            "ones after it) and 'no jump' (small steps until all has settled, large ones after that), on single "
            "examples; 'diagram' for the phase diagram (single examples)"
        ),
        "strength": "length of the strong feature u",
        "rate": "η‖u‖²/m",
        "step": "steps taken",
        "quantity": "what was measured (see the quantities)",
        "value": "the measured value",
    },
    quantities={
        "escaped": "1 if the run left every bound, 0 if not; its step is where it ended",
        "weak accuracy": "share of the test points with the weak feature and noise alone that are on their side; "
        "missing in the diagram where the run escaped",
        "weak share": "part of y f on the training examples that the weak feature contributes",
        "strong share": "the part that the strong feature contributes; the rest is noise",
        "weak growth": "log of the weak projections that help their label, over their initial size",
        "strong growth": "the same for the strong feature",
        "weak growth by the sum": "what the recorded residuals say the weak growth must be",
        "residual": "mean of 1 − y f over the steps since the checkpoint before; missing at the start",
        "amplitude": "root mean square of 1 − y f over these steps; missing at the start",
        "unsettled": "share of these steps with |1 − y f| of at least 0.2; missing at the start",
        "output": "y f of an example of the label + when it is visited, before the step",
    },
    confirm=_confirmation,
    nulls={
        "small steps": {"rates": [0.05, 0.1, 0.2, 0.24], "jump_rate": 0.24, "strengths": [], "batch_steps": 100},
        "large steps": {"rates": [0.3, 0.33, 0.36], "strengths": [], "batch_steps": 100},
        "jump without end": {
            "rates": [0.1, 0.2],
            "jump_steps": 10**9,
            "strengths": [],
            "batch_steps": 100,
        },
        "half the loss": {
            "loss": "half squared",
            "rates": [0.2, 0.4, 0.48, 0.52, 0.6, 0.7, 0.78, 0.86, 0.9],
            "batch_rates": [0.8, 0.96, 1.04, 1.2, 1.4],
            "strengths": [],
        },
        "weak patch by lot": {
            "weak_labels": "by lot",
            "rates": [0.2, 0.24, 0.28, 0.3, 0.33, 0.36],
            "strengths": [],
            "batch_steps": 100,
        },
    },
    # Settings were changed after the confirmation on the usual seeds had been looked at.
    confirmation_seed=2000,
    varies=("noise patches", "test points", "order", "initialisation"),
)
