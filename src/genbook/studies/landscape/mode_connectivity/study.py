"""Mode connectivity: profiles and settings."""

from __future__ import annotations

from genbook.base.spec import Profile
from genbook.studies import Study, from_pool, other_images
from genbook.studies.landscape.mode_connectivity.claims import CLAIMS
from genbook.studies.landscape.mode_connectivity.spec import ModeConnectivitySpec
from genbook.studies.learning import LEARNS
from genbook.tables.quantities import COLUMNS, meanings

STUDY = Study(
    name="mode_connectivity",
    title="Two networks up to an order of units",
    version=1,
    spec=ModeConnectivitySpec,
    profiles={
        "smoke": Profile(
            seeds=2,
            parameters={"n_train": 100, "widths": [4, 8], "steps": 60, "points": 5, "examples": 20},
            seconds=2,
            judged=False,
        ),
        "quick": Profile(seeds=3, parameters={"widths": [12, 48], "steps": 400}, seconds=12, judged=False),
        "full": Profile(seeds=20, parameters={}, seconds=300),
    },
    claims=CLAIMS,
    columns={
        "seed": COLUMNS["seed"],
        "width": "units in each hidden layer",
        "order": "'as trained', or 'matched': how the second network's units are ordered",
        "place": "fraction of the way from the first network to the second; 0 for what is told of both together",
        "quantity": COLUMNS["quantity"],
        "value": COLUMNS["value"],
    },
    quantities={
        **meanings("train loss", "test loss", "m-coherence"),
        "train error": "fraction of the training images that are misclassified",
        "test error": "fraction of the test images that are misclassified",
        "distance": "Euclidean distance of the two networks' parameters",
        "place as far": "where the path as trained is as far from the first network as the midpoint after matching",
        "loss as far": "training loss there, in nats",
        "leading agreement": "how far the singular directions of large singular values agree, mean over layers",
        "other agreement": "how far the other singular directions do; missing where there are none",
    },
    replication=other_images,
    replication_seed=2000,
    precondition=LEARNS,
    controls={
        "a random order": {"order": "random"},
        "a shared start": {"start": "shared"},
        "untrained": {"steps": 1},
        "equal widths": {"widths": [31, 32]},
    },
    varies=("training subset", "order", "initialisation"),
    fits=from_pool("n_train"),
)
