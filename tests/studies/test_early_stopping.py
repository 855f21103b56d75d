"""Early stopping: descents against autograd, groups, statistics on tables with known answers."""

import numpy as np
import pandas as pd
import pytest

from genbook.studies import get
from genbook.studies.stopping.early_stopping import claims as gradient_claims
from genbook.studies.stopping.early_stopping.design import EarlyStoppingSpec


@pytest.fixture(scope="module")
def table():
    """The main table in the smoke profile."""
    study = get("early_stopping")
    return study.run(study.build("smoke", {}), [0, 1], "cpu")


def test_descent_of_the_groups_is_that_of_autograd():
    """The last step's descents, from one gradient of the summed loss of each group in float64."""
    study = get("early_stopping")
    spec = study.build("smoke", {"steps": 10, "n_measurements": 5})
    table = study.run(spec, [3], "cpu")
    row = table[(table["layer"] == "all") & (table["step"] == table["step"].max())].set_index(["quantity", "group"])
    value = row["value"]
    total = value["gradient length", "clean"] ** 2 + value["gradient length", "corrupted"] ** 2
    product = value["gradient cosine", "clean, corrupted"]
    product *= value["gradient length", "clean"] * value["gradient length", "corrupted"]
    assert value["descent", "all"] == pytest.approx(total + 2 * product, rel=1e-5)
    clean = value["gradient length", "clean"] ** 2 + product
    assert value["descent", "clean"] == pytest.approx(clean, rel=1e-5)


def test_layers_make_up_the_whole_descent(table):
    descent = table[(table["quantity"] == "descent") & (table["group"] == "all")].pivot_table(
        index=["seed", "step"], columns="layer", values="value"
    )
    layers = gradient_claims.layers_of(table)
    assert layers == ["0", "2"]
    np.testing.assert_allclose(descent[layers].sum(axis=1), descent["all"], rtol=1e-5)


def test_tags_and_labels_of_the_controls():
    """Shuffled tags leave training as it is; clean labels leave nothing to be corrupted."""
    study = get("early_stopping")
    spec = study.build("smoke", {"steps": 50, "n_measurements": 5})
    main = study.run(spec, [0], "cpu")
    shuffled = study.run(study.changed(spec, study.controls["shuffled tags"]), [0], "cpu")
    clean = study.run(study.changed(spec, study.controls["clean labels"]), [0], "cpu")

    def curve(table, quantity, group="all"):
        return gradient_claims.curve(table, quantity, group).to_numpy()

    np.testing.assert_allclose(curve(main, "test accuracy"), curve(shuffled, "test accuracy"))
    assert np.abs(curve(main, "train accuracy", "clean") - curve(shuffled, "train accuracy", "clean")).max() > 0.02
    np.testing.assert_allclose(
        curve(clean, "train accuracy", "corrupted"), curve(clean, "train accuracy on true labels", "corrupted")
    )


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


def test_descent_fraction_weighs_steps_by_their_descent():
    accuracy = {0: [0.1, 0.9, 0.5, 0.4], 1: [0.1, 0.9, 0.5, 0.4]}
    descent = {0: [4.0, 4.0, 1.0, 1.0], 1: [4.0, 4.0, 1.0, 1.0]}
    clean = {0: [4.0, 4.0, 0.25, 0.25], 1: [2.0, 2.0, 0.5, 0.5]}
    table = toy(
        {
            ("test accuracy", "all", "all"): accuracy,
            ("descent", "all", "all"): descent,
            ("descent", "clean", "all"): clean,
        }
    )
    early, late = gradient_claims.descent_fraction(table, True), gradient_claims.descent_fraction(table, False)
    assert early.tolist() == [1.0, 0.5]
    # from step 10 to 100 descent falls from 4 to 1, then stays: 225 + 900, of which the clean make 191.25 + 225
    assert late[0] == pytest.approx((191.25 + 225) / (225 + 900))


def test_fraction_of_clean_examples_is_what_the_corruption_leaves():
    assert gradient_claims.fraction_clean(EarlyStoppingSpec.build(noise=0.3, n_train=500)) == pytest.approx(0.7)
    assert gradient_claims.fraction_clean(
        EarlyStoppingSpec.build(noise=0.3, n_train=25, batch_size=5)
    ) == pytest.approx(17 / 25)


#: By quantity, group and layer, at the steps 1, 10, 100 and 1000; both seeds alike, so that step 10 is the best.
MEASURED = {
    ("test accuracy", "all", "all"): [0.1, 0.8, 0.7, 0.6],
    ("train loss", "all", "all"): [2.0, 1.0, 0.5, 0.1],
    ("distance", "all", "all"): [0.0, 1.0, 2.0, 5.0],
    ("train accuracy", "clean", "all"): [0.1, 0.6, 0.9, 1.0],
    ("train accuracy", "corrupted", "all"): [0.1, 0.1, 0.2, 0.7],
    ("gradient length", "clean", "all"): [9.0, 3.0, 2.0, 1.0],
    ("gradient length", "corrupted", "all"): [1.0, 4.0, 3.0, 2.0],
    ("gradient cosine", "clean, corrupted", "all"): [0.5, -0.4, -0.8, -0.9],
    ("m-coherence at equal size", "clean", "all"): [30.0, 8.0, 3.0, 1.0],
    ("m-coherence at equal size", "corrupted", "all"): [30.0, 2.0, 3.0, 1.0],
    ("descent", "all", "all"): [2.0, 2.0, 2.0, 2.0],
    ("descent", "clean", "all"): [1.68, 1.68, 0.7, 0.7],
    ("descent", "all", "0"): [1.0, 1.0, 1.0, 1.0],
    ("descent", "clean", "0"): [0.5, 0.5, 0.5, 0.5],
    ("descent", "all", "2"): [1.0, 1.0, 1.0, 1.0],
    ("descent", "clean", "2"): [0.4, 0.4, 0.4, 0.4],
}


@pytest.mark.parametrize(
    ("claim", "value"),
    [
        ("overtraining", 0.4 / 0.2),
        ("clean-drive-early", 0.84 / 0.7),
        # from step 10 to 100 the clean part falls from .84 to .35, then it stays
        ("corrupted-drive-late", (90 * (0.84 + 0.35) / 2 + 900 * 0.35) / 990 / 0.7),
        ("opposed-at-best", -0.4),
        ("equal-at-best", 4 / 3),
        ("clean-more-coherent", 8 / 2),
        ("memorising-is-far", 5.0),
        ("output-layer-turns-most", 0.6 / 0.5),
    ],
)
def test_statistics_on_a_table_with_known_answers(claim, value):
    known = toy({kind: {0: values, 1: values} for kind, values in MEASURED.items()})
    statistic = next(one.statistic for one in gradient_claims.CLAIMS if one.id == claim)
    assert statistic(known, EarlyStoppingSpec()).tolist() == pytest.approx([value, value])
