"""Outliers and bulk of the Hessian: profiles and settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genbook.base.spec import Profile
from genbook.data.sizes import check_pool
from genbook.studies import Study
from genbook.studies.landscape.hessian_outliers.claims import CLAIMS
from genbook.studies.landscape.hessian_outliers.spec import HessianOutliersSpec
from genbook.tables.quantities import COLUMNS, meanings

#: What a control does not need, made small.
_FEW_WIDTHS = {"widths": [8, 16]}


def _replication(spec: HessianOutliersSpec) -> Mapping[str, Any]:
    if not spec.dataset.startswith("fashion"):
        return {"dataset": "fashion-small"}
    return {"dataset": "digits", "per_class": min(spec.per_class, 100)}  # of which there are fewer


def _fits(spec: HessianOutliersSpec) -> None:
    check_pool(spec.dataset, {"per_class (with a fifth to spare, all classes)": spec.drawn})


STUDY = Study(
    name="hessian_outliers",
    title="Outliers and bulk of the Hessian",
    version=1,
    spec=HessianOutliersSpec,
    profiles={
        "smoke": Profile(
            seeds=2,
            parameters={
                "classes": [2, 3],
                "compared": 2,
                "per_class": 6,
                "components": 3,
                "width": 3,
                "widths": [2, 3],
                "steps": 5,
                "small_batch": 3,
            },
            seconds=2,
            judged=False,
        ),
        # Too few seeds and too small networks to judge by: it shows what the published table says.
        "quick": Profile(
            seeds=2,
            parameters={"classes": [2, 4, 6], "components": 8, "width": 8, "widths": [4, 8], "steps": 100},
            seconds=10,
            judged=False,
        ),
        "full": Profile(seeds=20, parameters={}, seconds=130),
    },
    claims=CLAIMS,
    columns={
        "seed": COLUMNS["seed"],
        "data": "'images'; the same with 'random labels'; 'separable' and 'overlapping' clusters of points",
        "classes": "number of classes, and of outputs",
        "width": "units of the hidden layer",
        "place": "rank of an eigenvalue, the largest is 1; fraction of the straight path; 0 for all else",
        "quantity": COLUMNS["quantity"],
        "value": COLUMNS["value"],
    },
    quantities={
        "eigenvalue": "eigenvalue of the training loss's Hessian",
        "outliers": "eigenvalues that are at least the given fraction of the largest",
        "near zero": "fraction of the eigenvalues whose size is at most the given fraction of the largest",
        "smallest eigenvalue": "the smallest eigenvalue, which may be negative",
        "loss on the path": "training loss at a place of the straight path from the end of large batches (0) to that "
        "of small ones (1), in nats",
        "way": "length of that path, over the way of the large batches from their start; missing where these never "
        "moved",
        **meanings("train loss"),
    },
    replication=_replication,
    replication_seed=2000,
    controls={
        "untrained": {"steps": 0},
        "merged labels": {"merged": 2, **_FEW_WIDTHS},
        "another start": {"other_start": True, "classes": [2, 4], **_FEW_WIDTHS},
    },
    varies=("training subset", "classes", "order", "initialisation"),
    fits=_fits,
)
