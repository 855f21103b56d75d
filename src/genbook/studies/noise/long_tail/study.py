"""The long tail: profiles and worlds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genbook.base.spec import ParameterError, Profile
from genbook.data.sizes import RAREST_CLASS
from genbook.studies import Study
from genbook.studies.noise.long_tail.claims import CLAIMS
from genbook.studies.noise.long_tail.spec import LongTailSpec


def _confirmation(spec: LongTailSpec) -> Mapping[str, Any]:
    """Real images, clustered within their classes and drawn with Zipf's frequencies."""
    return {"source": "mnist1d" if spec.source == "digits" else "digits", "clusters": 100, "sample": 150}


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
    version=1,
    spec=LongTailSpec,
    profiles={
        "smoke": Profile(
            seeds=2,
            parameters={
                "sample": 150,
                "clusters": 100,
                "tail_units": 32,
                "tail_updates": 80,
                "tail_looks": 12,
                "new": 500,
            },
            seconds=2,
            judged=False,
        ),
        "quick": Profile(seeds=5, parameters={}, seconds=18),
        "full": Profile(seeds=20, parameters={"clusters": 1000, "sample": 1000, "tail_updates": 800}, seconds=120),
    },
    claims=CLAIMS,
    columns={
        "seed": "the seed of the replica",
        "learner": "'plain' stochastic gradient descent or what suppresses memory in it, or a vote of neighbours",
        "step": "gradient steps taken",
        "quantity": "what was measured (see the quantities)",
        "seen": "how often the training set shows the cluster of an example, or 'all'",
        "value": "the measured value, in the quantity's unit",
    },
    quantities={
        "train accuracy": "share of the training examples classified as labelled",
        "test accuracy": "share of the new examples classified as labelled, in expectation where a rule guesses",
        "mass": "probability that a new example is of a cluster seen so often",
        "examples": "share of the training examples that are of a cluster seen so often",
        "classes": "number of classes",
    },
    confirm=_confirmation,
    nulls={
        "uniform frequencies": {"frequencies": "uniform", "clusters": 20},
        "labels by lot": {"meaning": "none", "learners": ["plain"]},
        "wide clusters": {"spread_within": 1.5, "learners": ["plain"], "tail_updates": 10, "tail_looks": 5},
    },
    varies=("training subset", "order", "initialisation"),
    fits=_fits,
)
