"""Random features and the optimiser: profiles and settings."""

from __future__ import annotations

from genbook.base.spec import Profile
from genbook.data.sizes import check_pool
from genbook.studies import Study, other_images
from genbook.studies.descent.random_features.claims import CLAIMS
from genbook.studies.descent.random_features.spec import RandomFeaturesSpec
from genbook.studies.learning import LEARNS

#: What a negative control may leave out, where its claims are about the places of the peak alone.
_SITES_ALONE = {"widths": [0.25, 1.0, 4.0], "sample_counts": [0.25, 1.0, 4.0], "members": 2}


def _fits(spec: RandomFeaturesSpec) -> None:
    """The largest training set is drawn apart from the validation set."""
    counts = round(max(spec.sample_counts) * spec.width)
    largest = ("sample_counts x width", counts) if counts > spec.n_train else ("n_train", spec.n_train)
    check_pool(spec.dataset, dict([largest, ("held_out", spec.held_out)]))


STUDY = Study(
    name="random_features",
    title="Random features and the optimiser",
    version=2,
    spec=RandomFeaturesSpec,
    profiles={
        "smoke": Profile(
            seeds=2,
            parameters={
                "n_train": 40,
                "held_out": 40,
                "width": 40,
                "widths": [0.25, 1.0, 4.0],
                "sample_counts": [0.25, 1.0, 4.0],
                "taken_steps": 10,
                "members": 2,
            },
            seconds=2,
            judged=False,
        ),
        "quick": Profile(seeds=5, parameters={}, seconds=22),
        "full": Profile(seeds=20, parameters={"taken_steps": 5000}, seconds=130),
    },
    claims=CLAIMS,
    columns={
        "seed": "the seed",
        "group": (
            "'optimiser': what changes how far training gets; 'problem': what changes where it ends; 'tuned': the "
            "tuned ridge; 'samples': numbers of examples; 'features': the features themselves"
        ),
        "family": "what was varied",
        "setting": "how",
        "steps": "steps taken; infinite for what is solved at once",
        "width": "number of features over the number of examples, or over the fixed width",
        "samples": "number of examples over the fixed width; 1 where the width is varied",
        "quantity": "what was measured (see the quantities)",
        "value": "the measured value",
    },
    quantities={
        "test loss": "mean squared distance from the true one-hot labels of test examples; 1 for answering 0",
        "test error": "fraction of the test examples that are given another class than their own",
        "training loss": "mean squared distance from the given labels, wrong ones among them; 1 for answering 0",
        "output size": "mean squared length of the answers to test inputs; no label enters",
        "condition number": "largest over smallest nonzero eigenvalue of the features' second moments",
        "ridge chosen": "the ridge that was best on the validation examples, in units of the mean eigenvalue",
    },
    replication=other_images,
    # The replication's data were changed after those of the usual seeds had been looked at.
    replication_seed=2000,
    precondition=LEARNS,
    controls={
        "ridge": {"weight_decay": 1.0, "taken_steps": 10, "members": 2},
        "few steps": {"steps": [10, 30, 100], "taken_steps": 10, **_SITES_ALONE},
        "whitened, untuned, shuffled": {
            "base_map": "whitened",
            "ridges": [1e-7],
            "private": 1e-7,
            "tags": "shuffled",
            "taken_steps": 10,
            **_SITES_ALONE,
        },
    },
    varies=("training subset", "validation", "corruption", "order", "initialisation"),
    fits=_fits,
)
