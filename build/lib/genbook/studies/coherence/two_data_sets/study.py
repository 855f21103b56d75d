"""Two data sets, one difference: profiles and settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genbook.base.spec import Profile
from genbook.studies import Study
from genbook.studies.coherence.two_data_sets.claims import CLAIMS
from genbook.studies.coherence.two_data_sets.spec import TwoDataSetsSpec
from genbook.tables.quantities import COLUMNS


def _replication(spec: TwoDataSetsSpec) -> Mapping[str, Any]:
    """There are no other data for a problem made up whole: other sizes, a wider draw of the starts, fresh seeds."""
    return {
        "n_train": min(2 * spec.n_train, 200),
        "dimension": min(3 * spec.dimension, 2000),
        "spread": min(2 * spec.spread, 0.5),
    }


STUDY = Study(
    name="two_data_sets",
    title="Two data sets, one difference",
    version=2,
    spec=TwoDataSetsSpec,
    profiles={
        "smoke": Profile(
            seeds=2,
            parameters={"init_scales": [0.5, 0.1], "strengths": [0.0, 0.2, 0.8], "dimension": 50},
            seconds=1,
            judged=False,
        ),
        "quick": Profile(seeds=5, parameters={}, seconds=2),
        "full": Profile(seeds=20, parameters={"init_scales": [0.5, 0.2, 0.1, 0.05, 0.02]}, seconds=10),
    },
    claims=CLAIMS,
    columns={
        "seed": COLUMNS["seed"],
        "data": "'L', 'M', or 'family' for a random data set",
        "depth": "number of factors of which each weight is the product",
        "init scale": "start of the factors; 0 for one weight per input, which starts at 0",
        "strength": "strength of the shared feature in the random family",
        "step": "steps of full-batch gradient descent taken",
        "quantity": COLUMNS["quantity"],
        "value": COLUMNS["value"],
    },
    quantities={
        "m-coherence": "‖Σ gᵢ‖² / Σ ‖gᵢ‖² over the training examples, at this step; of the family at the first one",
        "train loss": "½ (f − y)², mean over the training examples",
        "train output": "y f(x), mean over the training examples; 1 is fitted",
        "test output": "y f(x) of the test point, of the family the mean over fresh examples",
        "test loss": "½ (f − y)², mean over fresh examples",
        "test accuracy": "fraction of fresh examples whose sign is right",
        "own weight": "mean weight of the four features that only one training example has",
        "shared weight": "weight of the sixth input, which the examples of L share",
    },
    replication=_replication,
    # The strengths of the family and two statistics were changed after the usual seeds had been looked at.
    replication_seed=2000,
    controls={
        "nothing shared": {"shared": "nowhere"},
        "everything shared": {"shared": "everywhere"},
        "hardly shared": {"shared": "hardly"},
        "large start": {"init_scales": [0.6, 0.55]},
        "shuffled labels": {"labels": "shuffled"},
    },
    varies=("own features of the random family", "initialisation of the factors"),
)
