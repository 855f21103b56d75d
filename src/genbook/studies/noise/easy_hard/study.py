"""Easy and hard examples: profiles and settings."""

from __future__ import annotations

from genbook.base.spec import Profile
from genbook.studies import Study, from_pool, other_images
from genbook.studies.noise.easy_hard.claims import CLAIMS
from genbook.studies.noise.easy_hard.spec import EasyHardSpec
from genbook.tables.quantities import COLUMNS

STUDY = Study(
    name="easy_hard",
    title="Easy and hard examples",
    version=2,
    spec=EasyHardSpec,
    profiles={
        "smoke": Profile(
            seeds=2,
            parameters={"n_train": 200, "initialisations": 4, "hidden": [16], "steps": 150, "n_measurements": 12},
            seconds=2,
            judged=False,
        ),
        "quick": Profile(seeds=5, parameters={}, seconds=10),
        "full": Profile(seeds=20, parameters={"initialisations": 20, "steps": 3000}, seconds=120),
    },
    claims=CLAIMS,
    columns={
        "seed": COLUMNS["seed"],
        "half": "'easy', 'hard' or 'mixed' images, 'all', or 'easy, hard' for what is between the two",
        "step": "gradient steps taken",
        "quantity": COLUMNS["quantity"],
        "value": COLUMNS["value"],
    },
    quantities={
        "agreement of two juries": "Spearman's correlation of the mean early EL2N of two disjoint sets of networks",
        "early accuracy": "fraction of (network, image) pairs in which the network is right early",
        "right in k": "fraction of the images that exactly k of the networks are right on early, a quantity for each k",
        "train accuracy": "after training on half of a half: fraction of these images classified as labelled",
        "own kind accuracy": "the same on the other half of the half",
        "test accuracy": "the same on the test set",
        "together: m-coherence": "in a training on all images: ‖Σ gᵢ‖² / Σ ‖gᵢ‖² over those of a half",
        "together: off-diagonal coherence": "the same without an example's agreement with itself, within and between",
        "together: accuracy": "in a training on all images: fraction of the half's classified as labelled",
        "together: loss": "in a training on all images: mean cross-entropy of the half's, in nats",
    },
    confirm=other_images,
    nulls={"shuffled labels": {"labels": "shuffled"}, "random halves": {"halves": "random"}},
    varies=("training subset", "order", "initialisation"),
    fits=from_pool("n_train"),
)
