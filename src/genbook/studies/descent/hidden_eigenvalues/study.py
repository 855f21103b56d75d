"""The hidden layer's least eigenvalue: profiles and settings."""

from __future__ import annotations

from genbook.base.spec import Profile
from genbook.data.sizes import check_pool
from genbook.studies import Study, other_images
from genbook.studies.descent.hidden_eigenvalues.claims import CLAIMS
from genbook.studies.descent.hidden_eigenvalues.spec import HiddenEigenvaluesSpec
from genbook.studies.learning import LEARNS
from genbook.tables.quantities import COLUMNS, meanings


def _fits(spec: HiddenEigenvaluesSpec) -> None:
    check_pool(spec.dataset, {"n_train": spec.distinct()})


STUDY = Study(
    name="hidden_eigenvalues",
    title="Least eigenvalue of hidden activations",
    version=1,
    spec=HiddenEigenvaluesSpec,
    profiles={
        "smoke": Profile(
            seeds=2,
            parameters={"n_train": 20, "widths": [0.125, 0.25, 1.0, 4.0], "steps": [10, 25]},
            seconds=1,
            judged=False,
        ),
        # Too few steps and seeds to judge by: it shows what the published table says.
        "quick": Profile(seeds=2, parameters={"steps": [10, 100, 1000]}, seconds=8, judged=False),
        "full": Profile(seeds=10, parameters={}, seconds=400),
    },
    claims=CLAIMS,
    columns={
        "seed": COLUMNS["seed"],
        "trained": "'whole', or the 'last layer' alone, over a first layer that stays as it was drawn",
        "width": "units of the hidden layer over the number of training examples",
        "step": "steps taken",
        "quantity": COLUMNS["quantity"],
        "value": COLUMNS["value"],
    },
    quantities={
        **meanings("train accuracy", "test accuracy"),
        "train loss": "mean squared distance from the given one-hot labels; 1 for answering 0",
        "test loss": "mean squared distance from the one-hot labels of the test set; 1 for answering 0",
        "least eigenvalue": (
            "least positive eigenvalue of the second moments of the hidden activations; missing where no unit is alive"
        ),
        "largest eigenvalue": "largest one; missing where no unit is alive",
        "rank": "number of positive ones",
    },
    replication=other_images,
    replication_seed=2000,
    precondition=LEARNS,
    controls={
        "each image twice": {"copies": 2},
        "few steps": {"steps": [10, 30]},
        "first layer fixed": {"first_layer": "fixed"},
    },
    varies=("training subset", "corruption", "initialisation"),
    fits=_fits,
)
