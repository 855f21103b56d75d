"""Memorisation scores: profiles and settings."""

from __future__ import annotations

from genbook.base.spec import ParameterError, Profile
from genbook.data.sizes import RAREST_CLASS
from genbook.studies import Study, other_images
from genbook.studies.learning import LEARNS
from genbook.studies.noise.memorisation_scores.claims import CLAIMS
from genbook.studies.noise.memorisation_scores.spec import MemorisationScoresSpec
from genbook.tables.quantities import COLUMNS, meanings

#: That they fail shows with fewer networks.
_CONTROL = {"networks": 60}


def _fits(spec: MemorisationScoresSpec) -> None:
    """Every kind has an image for either set, and there are enough of them."""
    rarest = RAREST_CLASS[spec.dataset]
    if 2 * spec.kinds > rarest or spec.n_train > 5 * rarest:
        raise ParameterError(
            f"parameters kinds = {spec.kinds}, n_train = {spec.n_train}: want at most {rarest // 2} and {5 * rarest}, "
            f"or {spec.dataset} has no image of some kinds left to test on"
        )


STUDY = Study(
    name="memorisation_scores",
    title="Memorisation scores",
    version=1,
    spec=MemorisationScoresSpec,
    profiles={
        "smoke": Profile(
            seeds=2,
            parameters={
                "n_train": 100,
                "kinds": 2,
                "networks": 8,
                "judges": 2,
                "observed": 2,
                "n_measurements": 3,
                "early_epochs": 2,
                "width": 16,
                "batch_size": 20,
                "steps": 40,
            },
            seconds=2,
            judged=False,
        ),
        # Enough networks to see it, too few to judge by.
        "quick": Profile(
            seeds=2,
            parameters={
                "n_train": 300,
                "networks": 24,
                "judges": 4,
                "observed": 2,
                "n_measurements": 6,
                "batch_size": 30,
                "steps": 250,
            },
            seconds=20,
            judged=False,
        ),
        "full": Profile(seeds=6, parameters={"networks": 500, "judges": 20}, seconds=450),
    },
    claims=CLAIMS,
    columns={
        "seed": COLUMNS["seed"],
        "labels": "whether the labels of the training set are 'right' or 'partly wrong'",
        "removed": "what was removed from the training set: 'nothing', 'the most memorised', 'as many at random'",
        "example": "number of the training example that it is told of; -1 for what is told of all",
        "seen": "how many training examples are of its kind; 0 for what is told of all",
        "group": "of an example 'clean' or 'corrupted'; of new images 'all' or those of kinds that are 'rare' or "
        "'frequent' in the training set",
        "quantity": COLUMNS["quantity"],
        "value": COLUMNS["value"],
    },
    quantities={
        "memorisation": "how often networks trained with an example give its label, less how often those without do; "
        "missing where all networks or none were trained with it",
        "of one half": "the same by one half of the networks; missing where all of these or none were",
        "of the other half": "the same by the other half of the networks; missing where all of these or none were",
        "standard error": "standard error of the memorisation, mean over the examples",
        "accuracy with it": "how often networks trained with an example give its label, mean over the examples",
        "accuracy without it": "how often networks trained without it do, mean over the examples",
        "EL2N": "length of the softmax less the one-hot label early in training, mean over networks on all examples",
        "cosine with the others": "cosine of an example's gradient with the sum of the others', early in training",
        "cosine with new images": "cosine of an example's gradient with that of the test images, early in training",
        "own share": "of the fall of an example's loss over training, the share that its own gradient accounts for",
        **meanings("test accuracy"),
    },
    drawn=("seen", "group"),
    replication=other_images,
    # The data of the replication were seen in other studies, and in one trial of this one.
    replication_seed=2000,
    precondition=LEARNS,
    controls={
        "shuffled scores": {"scores": "shuffled", **_CONTROL},
        "shuffled labels": {"labels": "shuffled", **_CONTROL},
    },
    varies=("kinds", "training set", "corruption", "parts", "order", "initialisation"),
    fits=_fits,
)
