"""The linear student and its teacher: profiles and settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genbook.base.spec import Profile
from genbook.studies import Study
from genbook.studies.descent.linear_teacher.claims import CLAIMS
from genbook.studies.descent.linear_teacher.spec import LinearTeacherSpec


def _replication(spec: LinearTeacherSpec) -> Mapping[str, Any]:
    """There are no other data for inputs drawn at random: signs in the place of Gaussians, less signal, N larger.

    Nothing in the formula knows the law of the entries, only their variance.
    """
    return {
        "law": "signs" if spec.law == "gauss" else "gauss",
        "inputs": [round(1.25 * size) for size in spec.inputs],
        "snr": spec.snr / 2,
    }


STUDY = Study(
    name="linear_teacher",
    title="A linear student and its teacher",
    version=2,
    spec=LinearTeacherSpec,
    profiles={
        "smoke": Profile(
            seeds=2,
            parameters={"inputs": [10, 20], "samples_per_weight": [0.5, 1.0, 2.0], "draws": 2, "teachers": 2},
            seconds=1,
            judged=False,
        ),
        "quick": Profile(seeds=5, parameters={}, seconds=11),
        "full": Profile(seeds=20, parameters={"inputs": [25, 50, 100, 200, 400]}, seconds=160),
    },
    claims=CLAIMS,
    columns={
        "seed": "the seed",
        "size": "dimensions N of an input",
        "ratio": "α = P/N, samples per weight",
        "at": "time (learning rate × steps), the ridge, or P − N for the noise at the end",
        "quantity": "what was measured (see the quantities)",
        "value": "the measured value",
    },
    quantities={
        "test error, small start": "expected squared error on a new answer, in units of the noise variance, at a time",
        "test error, large start": "the same from large initial weights",
        "training error": "mean squared residual on the training answers, in the same units, at a time",
        "ridge error": "expected squared error of ridge regression at a ridge of the grid",
        "guessed ridge error": "the same at the guessed ridge",
        "noise at the end": "mean of (1/N) Σ 1/λ over fresh inputs with P − N samples beyond N",
        "moved in the frozen subspace": (
            "fraction of the way from start to end, by length, that lies where no training input has a component"
        ),
    },
    replication=_replication,
    # Two statistics were changed after the replication of the usual seeds had been looked at.
    replication_seed=2000,
    controls={
        "weight decay": {"weight_decay": 0.2, "draws": 2},
        "uneven inputs": {"law": "uneven", "draws": 2},
        "no stopping, wrong ridge": {"earliest": 1e4, "guess": 0.003, "draws": 2},
    },
    varies=("inputs and teacher", "noise on the answers", "initial weights"),
)
