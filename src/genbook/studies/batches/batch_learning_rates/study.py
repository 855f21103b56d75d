"""Learning rates as a function of batch size: profiles and settings."""

from __future__ import annotations

from genbook.base.spec import Profile
from genbook.studies import Study, from_pool, other_images
from genbook.studies.batches.batch_learning_rates.claims import CLAIMS
from genbook.studies.batches.batch_learning_rates.spec import BatchLearningRatesSpec
from genbook.tables.quantities import COLUMNS

_NO_RATES = {"n_tried": 2, "steps": 2}

STUDY = Study(
    name="batch_learning_rates",
    title="Learning rates as a function of batch size",
    version=1,
    spec=BatchLearningRatesSpec,
    profiles={
        "smoke": Profile(
            seeds=2,
            parameters={
                "n_train": 20,
                "hidden": [4],
                "before": 5,
                "before_batch": 10,
                "batch_sizes": [1, 4, 8],
                "draws": 2,
                "n_tried": 3,
                "steps": 4,
            },
            seconds=2,
            judged=False,
        ),
        # Too few seeds, batches and learning rates to judge by: it shows what the published table says.
        "quick": Profile(seeds=2, parameters={"draws": 3, "n_tried": 14, "steps": 20}, seconds=12, judged=False),
        "full": Profile(seeds=20, parameters={}, seconds=940),
    },
    claims=CLAIMS,
    columns={
        "seed": COLUMNS["seed"],
        "run": "'curvature' (measured before), or the optimiser with which training goes on: 'SGD', 'Adam'",
        "batch size": "examples in a batch; the size of the training set is the whole set",
        "learning rate": "constant learning rate with which training goes on; 0 for what is measured before",
        "quantity": COLUMNS["quantity"],
        "value": COLUMNS["value"],
    },
    quantities={
        "largest eigenvalue": "of the Hessian of a batch's loss, the mean over batches",
        "smallest eigenvalue": "of the Hessian of a batch's loss, the mean over batches",
        "largest Gauss-Newton eigenvalue": "of the Gauss-Newton matrix of a batch's loss, the mean over batches",
        "noise along": "mean square of what a batch's Hessian less the whole set's makes of the sharpest direction, "
        "without the part along it",
        "noise on average": "the same of an average direction: the sum of the squares of all entries, by parameter",
        "gradient noise scale": "tr Σ / ‖g‖² of the gradients of single examples",
        "train loss": "mean cross-entropy on the training set: before, or when training has gone on; missing where it "
        "diverged",
    },
    replication=other_images,
    # Pilots of other settings, and ten seeds of these from 2000 on, had been looked at on its data.
    replication_seed=3000,
    controls={
        "large batches": {"batch_sizes": [100, 160], **_NO_RATES},
        "copies of one example": {"averages": False},
        "a random direction": {"along": "random", **_NO_RATES},
        "far from the whole set": {"batch_sizes": [1, 4]},
    },
    varies=("training subset", "order", "initialisation"),
    fits=from_pool("n_train"),
)
