"""The long tail: profiles and settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genbook.base.spec import ParameterError, Profile
from genbook.data.sizes import RAREST_CLASS
from genbook.studies import Study
from genbook.studies.noise.long_tail.claims import CLAIMS
from genbook.studies.noise.long_tail.spec import LongTailSpec
from genbook.tables.quantities import COLUMNS, meanings


def _replication(spec: LongTailSpec) -> Mapping[str, Any]:
    """Real images, clustered within their classes and drawn with Zipf's frequencies."""
    return {"source": "mnist1d" if spec.source == "digits" else "digits", "clusters": 100, "n_train": 150}


def _fits(spec: LongTailSpec) -> None:
    """Every cluster of images has one of its class at least (all data sets have ten classes)."""
    if spec.dataset is not None and spec.clusters // 10 > RAREST_CLASS[spec.dataset]:
        most = 10 * RAREST_CLASS[spec.dataset] + 9
        raise ParameterError(
            f"parameter clusters = {spec.clusters}: want at most {most}, or the rarest class of {spec.dataset} has "
            "fewer images than clusters"
        )


STUDY = Study(
    name="long_tail",
    title="The long tail",
    version=2,
    spec=LongTailSpec,
    profiles={
        "smoke": Profile(
            seeds=2,
            parameters={
                "n_train": 150,
                "clusters": 100,
                "width": 32,
                "steps": 80,
                "n_measurements": 12,
                "n_test": 500,
            },
            seconds=2,
            judged=False,
        ),
        "quick": Profile(seeds=5, parameters={}, seconds=18),
        "full": Profile(seeds=20, parameters={"clusters": 1000, "n_train": 1000, "steps": 800}, seconds=120),
    },
    claims=CLAIMS,
    columns={
        "seed": COLUMNS["seed"],
        "learner": "'plain' stochastic gradient descent or what suppresses memory in it, or a vote of neighbours",
        "step": "gradient steps taken",
        "quantity": COLUMNS["quantity"],
        "seen": "how often the training set shows the cluster of an example, or 'all'",
        "value": COLUMNS["value"],
    },
    quantities={
        **meanings("train accuracy", "test accuracy", "classes"),
        "mass": "probability that a new example is of a cluster seen so often",
        "examples": "fraction of the training examples that are of a cluster seen so often",
    },
    replication=_replication,
    # A claim's statistic was changed after the tables of the usual seeds had been looked at.
    replication_seed=2000,
    controls={
        "uniform frequencies": {"frequencies": "uniform", "clusters": 20},
        "labels at random": {"meaning": "none", "learners": ["plain"]},
        "wide clusters": {"spread_within": 1.5, "learners": ["plain"], "steps": 10, "n_measurements": 5},
    },
    varies=("training subset", "order", "initialisation"),
    fits=_fits,
)
