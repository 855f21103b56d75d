"""Training towards flat places: profiles and settings."""

from __future__ import annotations

from genbook.base.spec import Profile
from genbook.studies import Study, from_pool, other_images
from genbook.studies.landscape.sharpness_aware.claims import CLAIMS
from genbook.studies.landscape.sharpness_aware.spec import SharpnessAwareSpec
from genbook.studies.learning import LEARNS
from genbook.tables.quantities import COLUMNS, meanings

#: What a control that is not about rescaling needs of it.
_FEW_SCALES = {"scales": [0.7, 1.0]}

STUDY = Study(
    name="sharpness_aware",
    title="Training towards flat places",
    version=2,
    spec=SharpnessAwareSpec,
    profiles={
        "smoke": Profile(
            seeds=2,
            parameters={"n_train": 40, "width": 4, "batch_size": 10, "gradients": 20, "scales": [0.5, 1.0, 2.0]},
            seconds=2,
            judged=False,
        ),
        # Too few seeds and steps to judge by: it shows what the published table says.
        "quick": Profile(
            seeds=2, parameters={"gradients": 400, "scales": [0.25, 0.7, 1.0, 1.4, 4.0]}, seconds=12, judged=False
        ),
        "full": Profile(seeds=20, parameters={}, seconds=150),
    },
    claims=CLAIMS,
    columns={
        "seed": COLUMNS["seed"],
        "method": "'SGD'; 'SAM'; 'SAF'; 'random', which goes as far as SAM before it takes its gradient, anywhere",
        "noise": "fraction of wrong training labels",
        "scale": "factor of the first layer, by which the second is divided; 1 is the network as it was trained",
        "gradients": "evaluations of a batch's gradient",
        "quantity": COLUMNS["quantity"],
        "value": COLUMNS["value"],
    },
    quantities={
        "test error": "fraction of the test images that are not told rightly",
        "change of outputs": "largest change of a test output by rescaling, over the largest output",
        **meanings("train loss", "sharpness"),
    },
    replication=other_images,
    replication_seed=2000,
    precondition=LEARNS,
    controls={
        "tiny radius": {"radius": 1e-4},
        "no trajectory": {"trajectory": 1e-6, **_FEW_SCALES},
        "tanh": {"activation": "tanh", "gradients": 200},
    },
    fits=from_pool("n_train"),
)
