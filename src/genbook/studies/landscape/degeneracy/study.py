"""Degeneracy: profiles and settings."""

from __future__ import annotations

from genbook.base.spec import Profile
from genbook.studies import Study, from_pool, other_images
from genbook.studies.landscape.degeneracy.claims import CLAIMS
from genbook.studies.landscape.degeneracy.spec import DegeneracySpec
from genbook.studies.learning import LEARNS
from genbook.tables.quantities import COLUMNS, meanings

STUDY = Study(
    name="degeneracy",
    title="Directions that change nothing",
    version=1,
    spec=DegeneracySpec,
    profiles={
        "smoke": Profile(
            seeds=2,
            parameters={"n_train": 40, "noises": [0.0, 1.0], "hidden": [8, 8], "steps": 400, "examples": 6},
            seconds=2,
            judged=False,
        ),
        "quick": Profile(seeds=3, parameters={"noises": [0.0, 0.2, 1.0], "examples": 30}, seconds=12, judged=False),
        "full": Profile(seeds=20, parameters={}, seconds=180),
    },
    claims=CLAIMS,
    columns={
        "seed": COLUMNS["seed"],
        "when": "'start': the first weights; 'fitted': once all given labels are; 'as long': on the least random "
        "labels, after as many steps as the most random ones took",
        "noise": "fraction of the labels that are drawn at random",
        "layer": "hidden layer that is counted, from 0 on, or 'all'",
        "quantity": COLUMNS["quantity"],
        "value": COLUMNS["value"],
    },
    quantities={
        **meanings("steps to fit"),
        "dependent activations": "fraction of a layer's units less the rank of their outputs' Gram matrix; missing "
        "where the network never fitted",
        "dependent gradients": "fraction of a layer's units less the rank of the Gram matrix of the network's outputs' "
        "derivatives by them; missing where it never fitted",
        "firing alike": "fraction of a layer's units that fire on the same examples as another one that is counted; "
        "missing where it never fitted",
        "effective parameters": "directions of the parameters in which the training outputs change to speak of; "
        "missing where it never fitted",
        "test accuracy": "fraction of the test images that are classified; missing where it never fitted",
        "sharpness": "largest eigenvalue of the training loss's Hessian; missing where it never fitted",
    },
    replication=other_images,
    # At the first learning rate, which was more than three times as high, most networks on random labels of the usual
    # replication never fitted. It was lowered for all settings; thresholds are those from before.
    replication_seed=3000,
    precondition=LEARNS,
    controls={"shuffled labels": {"labels": "shuffled"}},
    varies=("training subset", "corruption", "order", "initialisation"),
    fits=from_pool("n_train"),
)
