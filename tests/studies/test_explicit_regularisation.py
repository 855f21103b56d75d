"""Weight decay and random labels: its conditions, its statistics on a table whose answer is known, its controls."""

import pandas as pd
import pytest

from genbook import studies
from genbook.base.claims import judge
from genbook.experiments import Labels
from genbook.studies.memorisation.explicit_regularisation.claims import told_by_margin
from genbook.studies.memorisation.explicit_regularisation.design import ExplicitRegularisationSpec, design
from tests.known import Answer, Known

STUDY = studies.get("explicit_regularisation")


def known_table(norm=0.6, memorised=0.92, gained=0.01, raised=1.5, path_norm=10.0):
    """Weight decay leaves ``norm`` of the weights, ``memorised`` of the random labels, and adds ``gained`` in testing.

    It multiplies the m-coherence by ``raised``. Random labels have this ``path_norm`` at a margin of 1, one more
    without weight decay; real ones 1.8 without and 1.6 with it. Norms of the second seed are larger by a hundredth
    with weight decay.
    """
    ends = {
        ("real", "train accuracy"): (1.0, 0.97),
        ("real", "test accuracy"): (0.88, 0.88 + gained),
        ("real", "weight norm"): (10.0, 4.0),
        ("random", "train accuracy"): (0.99, memorised),
        ("random", "test accuracy"): (0.11, 0.09),
        ("random", "weight norm"): (20.0, 20 * norm),
        ("real", "margin"): (1.0, 1.0),
        ("random", "margin"): (1.0, 1.0),
        ("real", "path norm"): (1.8, 1.6),
        ("random", "path norm"): (path_norm + 1, path_norm),
    }
    rows = [
        (seed, labels, regularisation, step, quantity, value * (1 + 0.01 * seed * (value > 1 and with_decay)))
        for seed in (0, 1)
        for (labels, quantity), both in ends.items()
        for with_decay, (regularisation, end) in enumerate(zip(("none", "weight decay"), both, strict=True))
        for step, value in ((0, 0.1), (10, end))
    ]
    for seed in (0, 1):
        for labels in ("real", "random"):
            for regularisation, coherence in (("none", 2.0), ("weight decay", 2.0 * raised * (1 + 0.001 * seed))):
                place = (seed, labels, regularisation)
                rows += [(*place, step, "m-coherence", coherence) for step in (0, 1, 2, 3)]
                losses, accuracies = (2.0, 1.0, 0.5, 0.1), (0.1, 0.4, 0.8, 0.95)
                rows += [(*place, step, "train loss", loss) for step, loss in enumerate(losses)]
                rows += [(*place, step, "train accuracy", value) for step, value in enumerate(accuracies) if step]
    return pd.DataFrame(rows, columns=["seed", "trained on", "regularisation", "step", "quantity", "value"])


def answer(*values, **changes):
    return Answer(known_table(**changes), values, ExplicitRegularisationSpec())


KNOWN = {
    "decay-shrinks-weights": Known(answer(0.6, 0.606), answer(0.9, 0.909, norm=0.9)),
    "decay-memorises": Known(answer(0.92, 0.92), answer(0.5, 0.5, memorised=0.5)),
    "decay-not-needed": Known(answer(0.01, 0.01), answer(0.1, 0.1, gained=0.1)),
    "decay-raises-coherence-real": Known(answer(1.5, 1.5015), answer(1.0, 1.001, raised=1.0)),
    "decay-raises-coherence-random": Known(answer(1.5, 1.5015), answer(1.0, 1.001, raised=1.0)),
    "path-norm-over-margin-tells": Known(answer(10 / 1.8, 10.1 / 1.8), answer(2 / 1.8, 2.02 / 1.8, path_norm=2.0)),
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


def test_a_network_that_does_not_fit_has_no_path_norm_in_units_of_its_margin():
    table = known_table()
    unfitted = (table["trained on"] == "random") & (table["quantity"] == "margin") & (table["step"] > 0)
    table.loc[unfitted & (table["regularisation"] == "weight decay"), "value"] = -0.1
    assert told_by_margin(table, ExplicitRegularisationSpec()).isna().all()
