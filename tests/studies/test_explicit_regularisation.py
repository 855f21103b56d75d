"""Weight decay and random labels: its conditions, its statistics on a table whose answer is known, its controls."""

import pandas as pd
import pytest

from genbook import studies
from genbook.base.claims import judge
from genbook.experiments import Labels
from genbook.studies.memorisation.explicit_regularisation.design import ExplicitRegularisationSpec, design

STUDY = studies.get("explicit_regularisation")

#: By labels and quantity, the last values without weight decay and with it.
ENDS = {
    ("real", "train accuracy"): (1.0, 0.97),
    ("real", "test accuracy"): (0.88, 0.89),
    ("real", "weight norm"): (10.0, 4.0),
    ("random", "train accuracy"): (0.99, 0.92),
    ("random", "test accuracy"): (0.11, 0.09),
    ("random", "weight norm"): (20.0, 12.0),
}


def known_table():
    rows = [
        (seed, labels, regularisation, step, quantity, value)
        for seed in (0, 1)
        for (labels, quantity), ends in ENDS.items()
        for regularisation, end in zip(("none", "weight decay"), ends, strict=True)
        for step, value in ((0, 0.1), (10, end))
    ]
    return pd.DataFrame(rows, columns=["seed", "trained on", "regularisation", "step", "quantity", "value"])


def test_the_statistics_of_a_known_table():
    found = {claim.id: claim.statistic(known_table(), ExplicitRegularisationSpec()).tolist() for claim in STUDY.claims}
    assert found == {
        "decay-shrinks-weights": pytest.approx([0.6, 0.6]),
        "decay-memorises": pytest.approx([0.92, 0.92]),
        "decay-not-needed": pytest.approx([0.01, 0.01]),
    }


def test_each_training_set_is_learned_with_weight_decay_and_without_it_and_nothing_else_differs():
    spec = ExplicitRegularisationSpec.build(weight_decay=0.02, wrong=0.1, random=0.9)
    found = {tuple(c.columns.values()): c for c in design(spec).conditions}
    assert {place: (c.images.labels, c.recipe.optimiser.weight_decay) for place, c in found.items()} == {
        ("real", "none"): (Labels().wrong(0.1), 0.0),
        ("real", "weight decay"): (Labels().wrong(0.1), 0.02),
        ("random", "none"): (Labels().redrawn(0.9), 0.0),
        ("random", "weight decay"): (Labels().redrawn(0.9), 0.02),
    }
    assert {(c.network, c.images.n_train, c.recipe.steps, c.recipe.optimiser.lr) for c in found.values()} == {
        (found["real", "none"].network, 200, 1000, 0.2)
    }


@pytest.mark.parametrize("claim", STUDY.claims, ids=lambda claim: claim.id)
def test_a_claim_fails_in_its_control(claim):
    control = STUDY.build("quick", STUDY.controls[claim.control])
    assert judge(claim, STUDY.run(control, range(5), "cpu"), control).verdict == "fails"
