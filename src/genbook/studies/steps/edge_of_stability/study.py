"""Edge of stability: profiles and worlds."""

from __future__ import annotations

from genbook.base.spec import Profile
from genbook.studies import Study, from_pool, other_images
from genbook.studies.steps.edge_of_stability.claims import CLAIMS
from genbook.studies.steps.edge_of_stability.spec import EdgeOfStabilitySpec

STUDY = Study(
    name="edge_of_stability",
    title="The edge of stability",
    version=2,
    spec=EdgeOfStabilitySpec,
    profiles={
        "smoke": Profile(
            seeds=2,
            parameters={"edge_examples": 20, "edge_hidden": 8, "edge_steps": 40, "edge_probes": 4, "edge_batches": [5]},
            seconds=8,
            judged=False,
        ),
        "quick": Profile(seeds=5, parameters={}, seconds=22),
        "full": Profile(
            seeds=20,
            parameters={"edge_examples": 1000, "edge_hidden": 200, "edge_steps": 10_000, "edge_batches": [5, 25, 100]},
            seconds=3000,
        ),
    },
    claims=CLAIMS,
    columns={
        "seed": "the seed of the replica",
        "run": "'full batch' (tanh, squared loss), 'ReLU', 'small step' (both full batch), 'other loss', 'mini-batch'",
        "activation": "of the hidden units",
        "loss": "what is minimised",
        "rate": "step size",
        "batch": "examples in one step; 0 for all",
        "step": "steps taken",
        "quantity": "what was measured (see the quantities)",
        "value": "the measured value",
    },
    quantities={
        "sharpness": "largest eigenvalue of the Hessian of the training loss",
        "train loss": "mean training loss",
        "Hessian trace": "Hutchinson's estimate of the trace of that Hessian, at the end",
    },
    confirm=other_images,
    nulls={
        "calm": {"edge_rates": [0.01, 0.02], "edge_batches": [10**6], "other_loss": "squared", "edge_probes": 4},
        "large steps": {"edge_rates": [1.5, 1.7], "edge_batches": [50], "edge_steps": 400, "edge_probes": 4},
    },
    # Settings were changed after the confirmation on the usual seeds had been looked at.
    confirmation_seed=2000,
    varies=("training subset", "order", "initialisation"),
    fits=from_pool("edge_examples"),
)
