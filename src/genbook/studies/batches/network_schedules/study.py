"""Schedules of the learning rate on a network: profiles and settings."""

from __future__ import annotations

from genbook.base.spec import Profile
from genbook.studies import Study, from_pool, other_images
from genbook.studies.batches.network_schedules.claims import CLAIMS
from genbook.studies.batches.network_schedules.spec import NetworkSchedulesSpec
from genbook.studies.learning import LEARNS
from genbook.tables.quantities import COLUMNS, meanings

STUDY = Study(
    name="network_schedules",
    title="Schedules of the learning rate on a network",
    version=1,
    spec=NetworkSchedulesSpec,
    profiles={
        "smoke": Profile(
            seeds=2,
            parameters={"n_train": 40, "hidden": [4], "batch_size": 10, "steps": 20, "peaks": [0.1, 0.4]},
            seconds=1,
            judged=False,
        ),
        # Too few seeds and peaks to judge by: it shows what the published table says.
        "quick": Profile(seeds=2, parameters={"peaks": [0.28, 0.56], "steps": 500}, seconds=5, judged=False),
        "full": Profile(seeds=20, parameters={}, seconds=150),
    },
    claims=CLAIMS,
    columns={
        "seed": COLUMNS["seed"],
        "schedule": "'constant', 'inverse square root', 'step' (a tenth after each third), 'cosine', 'linear', "
        "'refined' (made of the gradient norms of a first run), or the 'first run' itself, with linear decay",
        "peak": "learning rate that the schedule multiplies",
        "step": "gradient steps taken",
        "quantity": COLUMNS["quantity"],
        "value": COLUMNS["value"],
    },
    quantities={
        "batch gradient norm": "root of the mean squared norm of a batch's gradient in the first run, a running median",
        "factor": "multiple of the peak at this step in the refined schedule; its maximum over all steps is 1",
        **meanings("train loss", "test loss", "test accuracy"),
    },
    replication=other_images,
    replication_seed=2000,
    precondition=LEARNS,
    controls={"short steps": {"peaks": [0.0005, 0.001, 0.002]}},
    fits=from_pool("n_train"),
)
