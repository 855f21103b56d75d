"""The student of two scales: profiles and settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genbook.base.spec import ParameterError, Profile
from genbook.data.sizes import POOL
from genbook.studies import Study
from genbook.studies.descent.two_scale_descent.claims import CLAIMS
from genbook.studies.descent.two_scale_descent.spec import TwoScaleDescentSpec


def _fits(spec: TwoScaleDescentSpec) -> None:
    """Refuse more examples than there are images."""
    if spec.dataset and spec.examples > POOL[spec.dataset]:
        raise ParameterError(
            f"parameter examples = {spec.examples}: want at most {POOL[spec.dataset]}, the pool of {spec.dataset}"
        )


def _replication(spec: TwoScaleDescentSpec) -> Mapping[str, Any]:
    """Images instead of Gaussians, whose classes are the teachers; all else, noise included, as it is."""
    return {"features": "Gaussian" if spec.dataset else "fashion-small"}


STUDY = Study(
    name="two_scale_descent",
    title="A student of two scales",
    version=1,
    spec=TwoScaleDescentSpec,
    profiles={
        "smoke": Profile(
            seeds=2,
            parameters={
                "examples": 40,
                "fast": 14,
                "slow": 6,
                "teachers": 2,
                "noises": [0.2, 0.8, 1.2, 1.6],
                "latest": 1e4,
            },
            seconds=1,
            judged=False,
        ),
        "quick": Profile(seeds=20, parameters={}, seconds=15),
        "full": Profile(seeds=100, parameters={}, seconds=80),
    },
    claims=CLAIMS,
    columns={
        "seed": "the seed",
        "noise": "standard deviation of the noise on the answers, over that of the answers",
        "rates": "'one' learning rate for all features, or 'one for each scale'",
        "step": "full-batch steps taken",
        "quantity": "what was measured (see the quantities)",
        "value": "the measured value",
    },
    quantities={
        "test error": "expected squared error on the noiseless answer to a new input, over the answers' variance",
        "error of fast features": "the same of the part of the answer that the fast features give",
        "error of slow features": "the same of the part that the slow features give",
    },
    replication=_replication,
    replication_seed=2000,
    fits=_fits,
    controls={
        "one scale": {"kappa": 1.0},
        "few examples": {"examples": 130},
        "many examples": {"examples": 1000},
        "slow features that say nothing": {"slow_weight": 0.0},
        "rates at random": {"slowed": "features at random"},
        "uneven examples": {"uneven": 0.5},
    },
    varies=("inputs and teachers", "noise on the answers", "which features are slow (of images)"),
)
