"""How far networks come from chance to what all the data allow, on tables whose answer is known."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from genbook import studies
from genbook.base.claims import judge_all
from genbook.data import NAMES
from genbook.data.sizes import REACHED
from genbook.experiments import Dataset
from genbook.studies.learning import LEARNS, learned


def table(accuracies, quantity="test accuracy", **columns):
    """Rows of each seed's accuracies, one a step."""
    rows = [
        {"seed": seed, "step": step, "quantity": quantity, "value": value, **columns}
        for seed, values in accuracies.items()
        for step, value in enumerate(values)
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize("name", NAMES)
def test_chance_is_nothing_and_what_all_the_data_allow_is_one(name):
    reached = REACHED.get(name, 1.0)
    found = learned(
        table({3: [0.05, 0.1], 4: [0.1, reached], 5: [0.1, (0.1 + reached) / 2, 0.1]}), Dataset(dataset=name)
    )
    assert found.to_dict() == pytest.approx({3: 0.0, 4: 1.0, 5: 0.5})


def test_groups_of_the_test_set_and_accuracy_on_training_labels_do_not_count():
    whole = table({0: [0.4]}, group="all")
    rest = [table({0: [1.0]}, group="one half"), table({0: [1.0], 1: [1.0]}, "train accuracy", group="all")]
    found = learned(pd.concat([whole, *rest]), Dataset())
    assert found[0] == pytest.approx(0.3 / (REACHED["digits"] - 0.1))
    assert np.isnan(found[1]), "a seed whose networks were not tested has no value"


def test_an_error_is_as_good_as_an_accuracy():
    errors = learned(table({0: [0.9, 0.3], 1: [0.5]}, "test error"), Dataset())
    assert errors.equals(learned(table({0: [0.1, 0.7], 1: [0.5]}), Dataset()))


def test_networks_that_hardly_learn_leave_every_claim_untestable():
    study = studies.get("random_labels")
    rows = table({seed: [0.1, 0.28 + 0.01 * seed] for seed in range(5)}).assign(group="all", layer="all")
    spec = study.build("quick", {"dataset": "mnist1d"})
    assert ", must be > 0.5, and is 0.238 [" in LEARNS.lacking(LEARNS.measured(rows, spec))
    claims = [c for c in study.claims if c.kind == "mean"][:2]
    assert claims
    silent = [
        dataclasses.replace(c, statistic=lambda *_: pd.Series(0.0, index=range(5)), continuity=None) for c in claims
    ]
    found = judge_all(silent, rows, spec, precondition=study.precondition)
    assert {one.verdict for one in found.values()} == {"not testable"}


@pytest.mark.parametrize("name", studies.names())
def test_images_are_replicated_on_images_that_can_be_learned(name):
    """Where discovery's images are digits, the replication's are fashion-small, on seeds that nobody has looked at."""
    study = studies.get(name)
    spec = study.build("quick", {})
    if getattr(spec, "dataset", None) != "digits" or name == "xor_digits":
        pytest.skip("no images, or a replication with other classes of the same ones")
    changed = study.changed(spec, study.replication(spec))
    assert changed.dataset == "fashion-small"
    assert study.replication_seed >= 2000
    assert study.replication(changed)["dataset"] == "digits"


def test_a_replication_on_digits_takes_no_more_of_them_than_there_are():
    study = studies.get("random_labels")
    spec = study.build("quick", {"dataset": "fashion-mnist", "n_train": 5000})
    assert study.replication(spec) == {"dataset": "digits", "n_train": 1000}
    study.accept(spec)
