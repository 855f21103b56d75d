"""Stability and batch size: profiles and worlds."""

from __future__ import annotations

from genbook.base.spec import Profile
from genbook.studies import Study, from_pool, other_images
from genbook.studies.steps.batch_stability.claims import CLAIMS
from genbook.studies.steps.batch_stability.spec import BatchStabilitySpec

_NO_LADDER = {"single_rates": [0.025], "stable_batches": [50, 100], "stable_rungs": 2, "stable_steps": 5}
_NO_TRACE = {"single_steps": 10, "single_rates": [0.01]}


STUDY = Study(
    name="batch_stability",
    title="Stability and batch size",
    version=1,
    spec=BatchStabilitySpec,
    profiles={
        "smoke": Profile(
            seeds=2,
            parameters={
                "edge_examples": 20,
                "edge_hidden": 8,
                "single_rates": [0.01],
                "single_steps": 20,
                "stable_batches": [1, 20],
                "stable_rungs": 3,
                "stable_steps": 10,
            },
            seconds=2,
            judged=False,
        ),
        "quick": Profile(seeds=5, parameters={}, seconds=18),
        "full": Profile(
            seeds=20,
            parameters={
                "edge_examples": 1000,
                "edge_hidden": 100,
                "single_steps": 50_000,
                "stable_batches": [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000],
                "stable_rungs": 30,
                "stable_steps": 300,
            },
            seconds=3000,
        ),
    },
    claims=CLAIMS,
    columns={
        "seed": "the seed of the replica",
        "run": "'single' or 'whole': one output on single examples or on all; 'ladder': ten outputs, steps tried",
        "rate": "step size",
        "batch": "examples in one step",
        "step": "steps taken",
        "quantity": "what was measured (see the quantities)",
        "value": "the measured value; missing at the end of a run that diverged",
    },
    quantities={
        "train loss": "mean squared training loss",
        "sharpness": "largest eigenvalue of the Hessian of the training loss",
        "Hessian trace": "Hutchinson's estimate of the trace of that Hessian",
    },
    confirm=other_images,
    nulls={
        "whole set": {"single_batch": 10**6, **_NO_LADDER},
        "single examples": {"whole_batch": 1, **_NO_LADDER},
        "large batches": {"stable_batches": [50, 100], **_NO_TRACE},
        "small batches": {"stable_batches": [1, 4], **_NO_TRACE},
    },
    varies=("training subset", "order", "initialisation"),
    fits=from_pool("edge_examples"),
)
