"""XOR of pairs of images: profiles and worlds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genbook.base.spec import Profile
from genbook.studies import Study
from genbook.studies.xor.xor_digits.claims import CLAIMS
from genbook.studies.xor.xor_digits.spec import XorDigitsSpec


def _confirmation(spec: XorDigitsSpec) -> Mapping[str, Any]:
    """Images of two other classes, on which nothing was chosen."""
    return {"classes": [number for number in (4, 7, 2, 9) if number not in spec.classes][:2]}


STUDY = Study(
    name="xor_digits",
    title="XOR of pairs of images",
    version=1,
    spec=XorDigitsSpec,
    profiles={
        "smoke": Profile(
            seeds=2,
            parameters={"pairs": 20, "units": 40, "canvas": [0, 400], "steps": 10, "test_pairs": 60},
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
        "seed": "the seed",
        "run": "'two classes', or 'odd and even' numbers from all classes",
        "canvas": "pixels of pure noise beside the images",
        "step": "steps taken",
        "quantity": "what was measured (see the quantities)",
        "value": "the measured value",
    },
    quantities={
        "train accuracy": "share of the training pairs classified as given",
        "train accuracy, clean": "the same, of those with their true label",
        "train accuracy, flipped": "the same, of those with a flipped label",
        "train loss": "mean logistic loss on the training pairs",
        "test accuracy": "share of the test pairs classified by the true rule",
        "test accuracy, linear part": "the same, by the linear part of the network alone",
        "test accuracy, even part": "the same, by the even part alone",
    },
    confirm=_confirmation,
    nulls={
        "separable": {"labels": "separable", "canvas": [0]},
        "large start": {"start": 100.0, "canvas": [0]},
        "few steps": {"steps": 10, "canvas": [0]},
        "blank canvas": {"canvas_noise": 0.0, "canvas": [0, 1000]},
    },
    varies=("training pairs", "test pairs", "corruption", "canvas", "initialisation"),
)
