"""A PAC-Bayes bound that is not vacuous: profiles and settings."""

from __future__ import annotations

from genbook.base.spec import Profile
from genbook.studies import Study, from_pool, other_images
from genbook.studies.coherence.pac_bayes_bound.claims import CLAIMS, LEARNS
from genbook.studies.coherence.pac_bayes_bound.spec import PacBayesBoundSpec
from genbook.tables.quantities import COLUMNS

STUDY = Study(
    name="pac_bayes_bound",
    title="A bound that is not vacuous",
    version=1,
    spec=PacBayesBoundSpec,
    profiles={
        "smoke": Profile(
            seeds=2,
            parameters={"n_train": 100, "hidden": [8], "batch_size": 50, "steps": 50, "posterior_steps": 60},
            seconds=2,
            judged=False,
        ),
        "quick": Profile(seeds=5, parameters={}, seconds=25),
        "full": Profile(seeds=20, parameters={"hidden": [64], "steps": 2000, "posterior_steps": 3000}, seconds=900),
    },
    claims=CLAIMS,
    columns={
        "seed": COLUMNS["seed"],
        "labels": "'real' (classes 0 to 4 against 5 to 9) or 'random' (drawn anew for each image)",
        "step": "gradient steps on the bound",
        "quantity": COLUMNS["quantity"],
        "value": COLUMNS["value"],
    },
    quantities={
        "trained train error": "fraction of the training examples that the network trained by SGD has wrong",
        "trained test error": "the same of fresh examples",
        "train error": "the same of training examples, with weights drawn from the posterior for each of them",
        "test error": "the same of fresh examples",
        "bound": "upper bound on the stochastic network's error on fresh examples, for the training set at hand",
        "KL": "KL divergence of the posterior from the prior around the initial weights, in nats",
        "budget": "how far error and training error may be apart, as a KL divergence of two coins, in nats",
        "prior variance": "variance of the prior, chosen from those over which the union bound goes",
    },
    replication=other_images,
    replication_seed=2000,
    precondition=LEARNS,
    controls={
        "shuffled labels": {"labels": "shuffled"},
        "other fresh labels": {"noise": 0.0, "fresh": "at random"},
    },
    varies=("training subset", "corruption", "order", "initialisation", "weights of the posterior"),
    fits=from_pool("n_train"),
)
