"""Memorisable patches: profiles and settings."""

from __future__ import annotations

from genbook.base.spec import ParameterError, Profile
from genbook.data import SIGNALS
from genbook.data.sizes import check_pool
from genbook.studies import Study, other_images
from genbook.studies.learning import LEARNS
from genbook.studies.steps.memorisable_patches.claims import CLAIMS
from genbook.studies.steps.memorisable_patches.spec import MemorisablePatchesSpec
from genbook.tables.quantities import COLUMNS, meanings


def _fits(spec: MemorisablePatchesSpec) -> None:
    """The strip lies above a grey image."""
    if spec.dataset in (*SIGNALS, "cifar10"):
        raise ParameterError(f"parameter dataset = {spec.dataset!r}: want grey images, above which a strip can lie")
    check_pool(spec.dataset, {"n_train": spec.n_train})


STUDY = Study(
    name="memorisable_patches",
    title="Memorisable patches",
    version=1,
    spec=MemorisablePatchesSpec,
    profiles={
        "smoke": Profile(
            seeds=2, parameters={"n_train": 60, "hidden": 8, "steps": 60, "longer": 2}, seconds=1, judged=False
        ),
        # Too few steps and seeds to judge by: it shows what the published table says.
        "quick": Profile(seeds=2, parameters={"n_train": 300, "longer": 4}, seconds=10, judged=False),
        "full": Profile(seeds=20, parameters={}, seconds=600),
    },
    claims=CLAIMS,
    columns={
        "seed": COLUMNS["seed"],
        "trained on": (
            "'patches': images with a patch, without, and patches alone; 'no patches': its images, all bare; "
            "'bare images': those alone that have no patch"
        ),
        "rate": "learning rate: 'small', 'lowered' (large, then small), 'large' throughout, or 'small for longer'",
        "step": "gradient steps taken",
        "quantity": COLUMNS["quantity"],
        "shown": "'all', or the training examples that show an 'image', a 'patch' or 'both'",
        "value": COLUMNS["value"],
    },
    quantities={
        **meanings("train accuracy", "train loss"),
        "test accuracy": "fraction of the test images, shown without a patch, whose class is told",
        "test accuracy on patches": "the same of the patches of the test images' classes, without an image",
        "test accuracy on both": "the same of test images with a patch of their class",
    },
    replication=other_images,
    # Pilots, on other seeds, had been seen on both data sets.
    replication_seed=2000,
    precondition=LEARNS,
    controls={
        # They are there, and hardly to be read: a fifth of the noise on the images' pixels.
        "faint patches": {"common": 0.3, "own": 0.03, "longer": 1},
        "nearly one rate": {"large_rate": 0.012, "longer": 1},
        "hardly any patches": {"bare": 0.9, "alone": 0.02, "longer": 1},
        "no longer": {"longer": 1},
    },
    varies=("training subset", "pixel noise and patches", "order", "initialisation"),
    fits=_fits,
)
