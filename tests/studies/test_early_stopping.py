"""Early stopping: descents against autograd, groups, statistics on tables with known answers."""

import numpy as np
import pandas as pd
import pytest

from genbook.studies import get
from genbook.studies.stopping.early_stopping import claims as gradient_claims
from genbook.studies.stopping.early_stopping.spec import EarlyStoppingSpec


@pytest.fixture(scope="module")
def table():
    """The main table in the smoke profile."""
    study = get("early_stopping")
    return study.run(study.build("smoke", {}), [0, 1], "cpu")


def test_descent_of_the_groups_is_that_of_autograd():
    """The last moment's descents, from one gradient of the summed loss of each group in float64."""
    study = get("early_stopping")
    spec = study.build("smoke", {"steps": 10, "probes": 5})
    table = study.run(spec, [3], "cpu")
    row = table[(table["layer"] == "all") & (table["step"] == table["step"].max())].set_index(["quantity", "group"])
    value = row["value"]
    total = value["gradient length", "clean"] ** 2 + value["gradient length", "corrupted"] ** 2
    product = value["gradient cosine", "both"]
    product *= value["gradient length", "clean"] * value["gradient length", "corrupted"]
    assert value["descent", "both"] == pytest.approx(total + 2 * product, rel=1e-5)
    clean = value["gradient length", "clean"] ** 2 + product
    assert value["clean descent", "clean"] == pytest.approx(clean, rel=1e-5)


def test_layers_make_up_the_whole_descent(table):
    descent = table[table["quantity"] == "descent"].pivot_table(index=["seed", "step"], columns="layer", values="value")
    layers = gradient_claims.layers_of(table)
    assert layers == ["layer 1", "layer 2"]
    np.testing.assert_allclose(descent[layers].sum(axis=1), descent["all"], rtol=1e-5)


def test_tags_and_labels_of_the_null_worlds():
    """Shuffled tags leave training as it is; clean labels leave nothing to be corrupted."""
    study = get("early_stopping")
    spec = study.build("smoke", {"steps": 50, "probes": 5})
    main = study.run(spec, [0], "cpu")
    shuffled = study.run(study.world(spec, study.nulls["shuffled tags"]), [0], "cpu")
    clean = study.run(study.world(spec, study.nulls["clean labels"]), [0], "cpu")

    def curve(table, quantity, group="all"):
        return gradient_claims.curve(table, quantity, group).to_numpy()

    np.testing.assert_allclose(curve(main, "test accuracy"), curve(shuffled, "test accuracy"))
    assert np.abs(curve(main, "train accuracy", "clean") - curve(shuffled, "train accuracy", "clean")).max() > 0.02
    np.testing.assert_allclose(curve(clean, "train accuracy", "corrupted"), curve(clean, "true accuracy", "corrupted"))


def toy(curves, step=(1, 10, 100, 1000)):
    """A table of early stopping: {(quantity, group, layer): {seed: values}}."""
    return pd.DataFrame(
        [
            {"seed": seed, "step": s, "epoch": s, "quantity": q, "group": g, "layer": layer, "value": v}
            for (q, g, layer), seeds in curves.items()
            for seed, values in seeds.items()
            for s, v in zip(step, values, strict=True)
        ]
    )


def test_best_step_is_chosen_on_the_other_seeds():
    table = toy({("test accuracy", "all", "all"): {0: [0, 1.0, 0, 0], 1: [0, 0, 0.9, 0], 2: [0, 0, 0.8, 0]}})
    assert gradient_claims.best_steps(table).to_dict() == {0: 100, 1: 10, 2: 10}


def test_descent_share_weighs_steps_by_their_descent():
    accuracy = {0: [0.1, 0.9, 0.5, 0.4], 1: [0.1, 0.9, 0.5, 0.4]}
    descent = {0: [4.0, 4.0, 1.0, 1.0], 1: [4.0, 4.0, 1.0, 1.0]}
    clean = {0: [4.0, 4.0, 0.25, 0.25], 1: [2.0, 2.0, 0.5, 0.5]}
    table = toy(
        {
            ("test accuracy", "all", "all"): accuracy,
            ("descent", "both", "all"): descent,
            ("clean descent", "clean", "all"): clean,
        }
    )
    early, late = gradient_claims.descent_share(table, True), gradient_claims.descent_share(table, False)
    assert early.tolist() == [1.0, 0.5]
    # from step 10 to 100 descent falls from 4 to 1, then stays: 225 + 900, of which the clean make 191.25 + 225
    assert late[0] == pytest.approx((191.25 + 225) / (225 + 900))


def test_share_of_clean_examples_is_what_the_corruption_leaves():
    assert gradient_claims.share_of_clean(EarlyStoppingSpec.build(noise=0.3, n_train=500)) == pytest.approx(0.7)
    assert gradient_claims.share_of_clean(
        EarlyStoppingSpec.build(noise=0.3, n_train=25, batch_size=5)
    ) == pytest.approx(17 / 25)
