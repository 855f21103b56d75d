"""Learning from noisy labels: profiles and settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genbook.base.spec import Profile
from genbook.studies import Study, from_pool, other_images
from genbook.studies.learning import LEARNS
from genbook.studies.noise.noisy_labels.claims import CLAIMS
from genbook.studies.noise.noisy_labels.spec import NoisyLabelsSpec
from genbook.tables.quantities import COLUMNS, meanings


def _other_images(spec: NoisyLabelsSpec) -> Mapping[str, Any]:
    """Other data, seen as pixels; what people said is there for CIFAR-10 only."""
    kinds = ("lookalike" if kind == "human" else kind for kind in spec.mistakes)
    return {**other_images(spec), "mistakes": tuple(dict.fromkeys(kinds)), "features": "pixels"}


STUDY = Study(
    name="noisy_labels",
    title="Learning from noisy labels",
    version=2,
    spec=NoisyLabelsSpec,
    profiles={
        "smoke": Profile(
            seeds=2,
            parameters={"n_train": 200, "hidden": [32], "steps": 200, "n_measurements": 15},
            seconds=2,
            judged=False,
        ),
        "quick": Profile(seeds=5, parameters={}, seconds=15),
        "full": Profile(
            seeds=20, parameters={"n_train": 1000, "hidden": [256], "steps": 6000, "n_measurements": 80}, seconds=600
        ),
    },
    claims=CLAIMS,
    columns={
        "mistakes": "how its wrong labels were drawn",
        **{name: COLUMNS[name] for name in ("seed", "step", "epoch", "quantity", "group", "value")},
    },
    quantities={
        **meanings(
            *("train accuracy", "train accuracy on true labels", "test accuracy"),
            *("AUC of EL2N", "AUC of gradient norm", "AUC of loss", "wrong labels", "classes"),
        ),
        "wrong labels given elsewhere": "fraction of the test images that are given a wrong label, drawn for each as "
        "those of the training set were",
    },
    replication=_other_images,
    # The replication's data were changed after those of the usual seeds had been looked at.
    replication_seed=2000,
    precondition=LEARNS,
    controls={"shuffled labels": {"labels": "shuffled"}, "uninformed annotator": {"annotator": "uninformed"}},
    varies=("training subset", "validation", "corruption", "order", "initialisation"),
    fits=from_pool("n_train", "annotator_examples"),
)
