"""XOR of pairs of images: profiles and settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genbook.base.spec import Profile
from genbook.studies import Study
from genbook.studies.xor.shared import QUANTITIES
from genbook.studies.xor.xor_digits.claims import CLAIMS
from genbook.studies.xor.xor_digits.spec import XorDigitsSpec
from genbook.tables.quantities import COLUMNS


def _replication(spec: XorDigitsSpec) -> Mapping[str, Any]:
    """Images of two other classes, on which nothing was chosen."""
    return {"classes": [number for number in (4, 7, 2, 9) if number not in spec.classes][:2]}


STUDY = Study(
    name="xor_digits",
    title="XOR of pairs of images",
    version=2,
    spec=XorDigitsSpec,
    profiles={
        "smoke": Profile(
            seeds=2,
            parameters={"n_train": 20, "width": 40, "canvas": [0, 400], "steps": 10, "n_test": 60},
            seconds=3,
            judged=False,
        ),
        "quick": Profile(seeds=5, parameters={}, seconds=7),
        "full": Profile(
            seeds=20, parameters={"canvas": [0, 100, 250, 500, 1000, 2000, 4000, 8000], "steps": 1000}, seconds=130
        ),
    },
    claims=CLAIMS,
    columns={
        "seed": COLUMNS["seed"],
        "run": "'two classes', or 'odd and even' numbers from all classes",
        "canvas": "pixels of pure noise next to the images",
        "step": "full-batch steps taken",
        "quantity": COLUMNS["quantity"],
        "value": COLUMNS["value"],
    },
    quantities=QUANTITIES,
    replication=_replication,
    controls={
        "separable": {"labels": "separable", "canvas": [0]},
        "large init scale": {"init_scale": 100.0, "canvas": [0]},
        "few steps": {"steps": 10, "canvas": [0]},
        "blank canvas": {"canvas_noise": 0.0, "canvas": [0, 1000]},
    },
    # Statistics were changed after the replication on the usual seeds had been looked at.
    replication_seed=2000,
    varies=("training pairs", "test pairs", "corruption", "canvas", "initialisation"),
)
