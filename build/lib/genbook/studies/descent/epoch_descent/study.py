"""Double descent in time: profiles and settings."""

from __future__ import annotations

from genbook.base.spec import Profile
from genbook.studies import Study, other_images
from genbook.studies.descent.epoch_descent.claims import CLAIMS
from genbook.studies.descent.epoch_descent.design import SETTINGS, EpochDescentSpec, design
from genbook.studies.learning import LEARNS

#: Of all settings that were searched, the one in which the second fall was clear of its threshold on the first seeds,
#: named here before it was trained from any other seed. `genbook publish epoch_descent --name preregistered` with these
#: parameters makes the tables that decide.
PREREGISTERED = {"settings": ["four layers"], "steps": 6000, "seeds": list(range(5000, 5020))}

STUDY = Study.designed(
    design,
    name="epoch_descent",
    title="One network in time",
    version=2,
    spec=EpochDescentSpec,
    profiles={
        "smoke": Profile(
            seeds=2,
            parameters={"n_train": 60, "batch_size": 30, "steps": 30, "n_measurements": 6},
            seconds=1,
            judged=False,
        ),
        "quick": Profile(seeds=5, parameters={}, seconds=25),
        "full": Profile(
            seeds=5,
            parameters={
                "settings": sorted(SETTINGS, key=lambda name: not name.startswith("three layers")),
                "steps": 6000,
            },
            seconds=400,
        ),
    },
    claims=CLAIMS,
    conditions={"setting": "network and training, by the name of the setting"},
    replication=other_images,
    # The replication's data, and then the statistics of peaks, were changed after earlier seeds had been looked at.
    replication_seed=4000,
    precondition=LEARNS,
    controls={"no noise": {"noise_factor": 0.0}},
)
