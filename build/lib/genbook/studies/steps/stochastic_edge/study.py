"""The edge of stochastic stability: profiles and settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genbook.base.spec import Profile
from genbook.studies import Study, other_images
from genbook.studies.steps.stochastic_edge.claims import CLAIMS
from genbook.studies.steps.stochastic_edge.design import StochasticEdgeSpec, design


def _replication(spec: StochasticEdgeSpec) -> Mapping[str, Any]:
    """Other images; fashion-small begins about twice as sharp as digits: half the learning rate, twice the steps."""
    changes = other_images(spec)
    factor = 0.5 if (spec.dataset, changes["dataset"]) == ("digits", "fashion-small") else 1.0
    return {
        **changes,
        "learning_rate": factor * spec.learning_rate,
        "steps": min(round(spec.steps / factor), 10**6),
    }


STUDY = Study.designed(
    design,
    name="stochastic_edge",
    title="The edge of stochastic stability",
    version=1,
    spec=StochasticEdgeSpec,
    profiles={
        "smoke": Profile(
            seeds=2,
            parameters={"n_train": 20, "hidden": [8], "steps": 40, "n_measurements": 5},
            seconds=2,
            judged=False,
        ),
        "quick": Profile(seeds=5, parameters={}, seconds=30),
        "full": Profile(seeds=20, parameters={"batch_sizes": [4, 5, 10, 25], "steps": 4000}, seconds=600),
    },
    claims=CLAIMS,
    conditions={
        "batch size": "examples in one gradient step",
        "learning rate": "constant learning rate, the same for all",
    },
    replication=_replication,
    # Its data were seen at the edge in other studies before.
    replication_seed=2000,
    controls={
        "small learning rate": {"learning_rate": 0.2, "steps": 600},
        "whole set": {"batch_sizes": [10**6]},
    },
    varies=("training subset", "order", "initialisation"),
)
