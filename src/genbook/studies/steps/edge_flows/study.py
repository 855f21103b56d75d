"""Flows at the edge of stability: profiles and settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genbook.base.spec import Profile
from genbook.studies import Study
from genbook.studies.steps.edge_flows.claims import CLAIMS
from genbook.studies.steps.edge_flows.spec import EdgeFlowsSpec


def _replication(spec: EdgeFlowsSpec) -> Mapping[str, Any]:
    """There are no other data for points made up whole: a third more of them and of the units, with fresh seeds."""
    return {"n_train": min(4 * spec.n_train // 3, 500), "hidden": min(4 * spec.hidden // 3, 200)}


STUDY = Study(
    name="edge_flows",
    title="Flows at the edge of stability",
    version=2,
    spec=EdgeFlowsSpec,
    profiles={
        "smoke": Profile(
            seeds=2,
            parameters={"n_train": 10, "inputs": 3, "hidden": 3, "steps": 20, "substeps": 2},
            seconds=1,
            judged=False,
        ),
        "quick": Profile(seeds=2, parameters={"steps": 160}, seconds=10, judged=False),
        "full": Profile(seeds=20, parameters={}, seconds=300),
    },
    claims=CLAIMS,
    columns={
        "seed": "the seed",
        "path": "'descent' (midpoints of two iterates), 'gradient flow', 'central flow', 'rod flow' or "
        "'edge flow', from one start",
        "step": "gradient steps taken, or as much time",
        "quantity": "what was measured (see the quantities)",
        "value": "the measured value",
    },
    quantities={
        "sharpness": "largest eigenvalue of the loss's Hessian, in units of 2 / learning rate",
        "loss": "mean squared error on the training points",
        "distance": "distance of the parameters from those of descent, over how far descent has come from its start",
        "gradients": "gradients spent: a Hessian's product with a vector costs two, a Hessian two for each parameter",
    },
    replication=_replication,
    replication_seed=2000,
    controls={
        "far from the edge": {"start": 0.2, "steps": 100},
        "without the force": {"threshold": 1000.0},
        "a fixed direction": {"turns": 0.0},
    },
    varies=("points", "initialisation"),
)
