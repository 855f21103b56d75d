"""Two Gaussians: profiles and settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genbook.base.spec import Profile
from genbook.studies import Study
from genbook.studies.stopping.two_gaussians.claims import CLAIMS
from genbook.studies.stopping.two_gaussians.spec import TwoGaussiansSpec
from genbook.tables.quantities import COLUMNS, meanings


def _replication(spec: TwoGaussiansSpec) -> Mapping[str, Any]:
    """Another mixture: more points, fewer random labels, more spread."""
    return {"n_train": 300, "noise": 0.3, "spread": 5.0}


STUDY = Study(
    name="two_gaussians",
    title="Two Gaussians",
    version=2,
    spec=TwoGaussiansSpec,
    profiles={
        "smoke": Profile(
            seeds=2,
            parameters={"n_train": 60, "dimensions": [0.9, 3.0], "steps": 200, "n_measurements": 20},
            seconds=1,
            judged=False,
        ),
        "quick": Profile(seeds=5, parameters={}, seconds=2),
        "full": Profile(seeds=20, parameters={"n_train": 600, "steps": 10_000}, seconds=300),
    },
    claims=CLAIMS,
    columns={
        **{name: COLUMNS[name] for name in ("step", "quantity", "value")},
        "seed": "the seed of the points and labels",
        "dimensions": "dimensions for each point, p/n",
        "group": "'all', or the points that were measured: rightly labelled ('clean') or wrongly ('corrupted')",
    },
    quantities={
        **meanings("train accuracy", "train accuracy on true labels"),
        "test accuracy": "probability that a new point is classified rightly, exact for the weights at hand",
        "coefficient": "mean of 1 − p(given label) over the group's points: their weight in the gradient",
        "first step in theory": "test accuracy after one step, in closed form for many points",
    },
    replication=_replication,
    # Two statistics were changed after the tables of the usual seeds had been looked at.
    replication_seed=2000,
    controls={
        "no signal": {"signal": "absent"},
        "few dimensions": {"dimensions": [0.05, 0.1]},
        "no more dimensions": {"dimensions": [0.9, 0.95]},
    },
    varies=("training subset", "corruption"),
)
