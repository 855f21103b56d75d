"""An adversarial start: profiles and settings."""

from __future__ import annotations

from genbook.base.spec import Profile
from genbook.studies import Study, other_images
from genbook.studies.learning import LEARNS
from genbook.studies.memorisation.adversarial_start.claims import CLAIMS
from genbook.studies.memorisation.adversarial_start.design import AdversarialStartSpec, design

STUDY = Study.designed(
    design,
    name="adversarial_start",
    title="An adversarial start",
    version=1,
    spec=AdversarialStartSpec,
    profiles={
        "smoke": Profile(
            seeds=2,
            parameters={
                "n_train": 30,
                "copies": 2,
                "before_steps": 20,
                "channels": 2,
                "batch_size": 10,
                "steps": 30,
                "n_measurements": 5,
            },
            seconds=2,
            judged=False,
        ),
        "quick": Profile(
            seeds=2,
            parameters={
                "n_train": 60,
                "before_steps": 600,
                "channels": 4,
                "batch_size": 20,
                "steps": 600,
                "n_measurements": 14,
            },
            seconds=12,
            judged=False,
        ),
        "full": Profile(seeds=5, parameters={}, seconds=500),
    },
    claims=CLAIMS,
    conditions={
        "start": "'first weights', 'pretrained' before, or 'other first weights'",
        "with": "what the real labels are learned with: 'nothing' that regularises, 'crops', 'weight decay', "
        "'momentum', 'all three'; or 'until most': with nothing, until nine in ten are",
    },
    replication=other_images,
    replication_seed=2000,
    precondition=LEARNS,
    controls={
        "real labels before": {"before": "real"},
        # What these ask is read long before the end.
        "hardly any before": {"before_steps": 10, "steps": 400},
        "no regularisers": {"crop": 0, "weight_decay": 0.0, "momentum": 0.0, "steps": 1000},
        "few steps": {"steps": 20},
    },
)
