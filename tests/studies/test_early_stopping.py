"""Early stopping: descents against autograd, groups, statistics on tables with known answers."""

import numpy as np
import pandas as pd
import pytest

from genbook.experiments import CNN
from genbook.results import published
from genbook.results.requests import Request
from genbook.studies import get
from genbook.studies.stopping.early_stopping import claims as gradient_claims
from genbook.studies.stopping.early_stopping.design import EarlyStoppingSpec, design
from genbook.studies.stopping.early_stopping.study import CONVOLUTIONS
from genbook.tables import readings
from tests.known import Answer, Known


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
    layers = readings.layers(table)
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


def test_a_convolutional_network_is_told_layer_by_layer_too():
    """Its layers' descents make up the whole, and a group's is what is left of the other's."""
    study = get("early_stopping")
    spec = study.build(
        "smoke", {**CONVOLUTIONS, "n_train": 40, "batch_size": 20, "channels": 2, "steps": 10, "n_measurements": 5}
    )
    assert [condition.network for condition in design(spec).conditions] == [CNN(2)]
    found = study.run(spec, [3], "cpu").query("quantity == 'descent'")
    by_layer = found.pivot_table(index=["step", "group"], columns="layer", values="value")
    layers = readings.layers(found)
    assert len(layers) == 3
    np.testing.assert_allclose(by_layer[layers].sum(axis=1), by_layer["all"], rtol=1e-5)
    by_group = by_layer["all"].unstack("group")
    np.testing.assert_allclose(by_group["clean"] + by_group["corrupted"], by_group["all"], rtol=1e-5)


@pytest.mark.parametrize("setting", ["discovery", "replication", "shuffled tags", "clean labels"])
def test_the_published_tables_of_convolutions_are_of_the_settings_that_the_study_names(setting):
    request = Request.build(get("early_stopping"), "quick", {**CONVOLUTIONS, "seeds": 10})
    table = published.table(request.study, published.name_of("cnn", setting))
    assert (table.spec, table.seeds) == (request.setting(setting).spec, request.setting(setting).seeds)


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


#: By quantity, group and layer, at the steps 1, 10, 100 and 1000, of which step 10 is the best.
CURVES = {
    ("test accuracy", "all", "all"): [0.1, 0.8, 0.7, 0.6],
    ("test accuracy", "first half", "all"): [0.1, 0.9, 0.7, 0.6],
    ("test accuracy", "second half", "all"): [0.1, 0.8, 0.9, 0.6],
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


def answer(values, kind, curve, of_seed_1=None):
    """`CURVES` with another curve of one kind, by which seed 1 may differ; ``values`` are the statistic's."""
    both = {key: {0: values, 1: values} for key, values in CURVES.items()}
    both[kind] = {0: curve, 1: curve if of_seed_1 is None else of_seed_1}
    return Answer(toy(both), values, EarlyStoppingSpec())


def differ(values, kind, curve, by=1.001):
    """The same, seed 1 having so many times the curve of seed 0."""
    return answer(values, kind, curve, [by * value for value in curve])


SECOND = ("test accuracy", "second half", "all")
LATE = (90 * (0.84 + 0.35) / 2 + 900 * 0.35) / 990 / 0.7
KNOWN = {
    # read at step 10, which is best on the other half, though step 100 is better on this one
    "overtraining": Known(
        answer([0.4 / 0.2, 0.402 / 0.2], SECOND, [0.1, 0.8, 0.9, 0.6], [0, 0.8, 0.9, 0.598]),
        answer([0.22 / 0.2, 0.221 / 0.2], SECOND, [0.1, 0.8, 0.9, 0.78], [0, 0.8, 0.9, 0.779]),
    ),
    "clean-drive-early": Known(
        differ([0.84 / 0.7, 1.001 * 0.84 / 0.7], ("descent", "clean", "all"), [1.68, 1.68, 0.7, 0.7]),
        differ([0.7 / 0.7, 1.001], ("descent", "clean", "all"), [1.4, 1.4, 0.7, 0.7]),
    ),
    # from step 10 to 100 the clean part falls from .84 to .35, then it stays
    "corrupted-drive-late": Known(
        differ([LATE, 1.001 * LATE], ("descent", "clean", "all"), [1.68, 1.68, 0.7, 0.7]),
        differ([1, 1.001], ("descent", "clean", "all"), [1.4, 1.4, 1.4, 1.4]),
    ),
    "opposed-at-best": Known(
        differ([-0.4, -0.4004], ("gradient cosine", "clean, corrupted", "all"), [0.5, -0.4, -0.8, -0.9]),
        differ([0.1, 0.1001], ("gradient cosine", "clean, corrupted", "all"), [0.5, 0.1, -0.8, -0.9]),
    ),
    "equal-at-best": Known(
        differ([4 / 3, 1.001 * 4 / 3], ("gradient length", "corrupted", "all"), [1.0, 4.0, 3.0, 2.0]),
        differ([0.5, 0.5005], ("gradient length", "corrupted", "all"), [1.0, 1.5, 3.0, 2.0]),
    ),
    "clean-more-coherent": Known(
        differ([8 / 2, 8.008 / 2], ("m-coherence at equal size", "clean", "all"), [30.0, 8.0, 3.0, 1.0]),
        differ([1, 1.001], ("m-coherence at equal size", "clean", "all"), [30.0, 2.0, 3.0, 1.0]),
    ),
    # half is passed at 8/10 of the way from step 1 to 10, and at 6/10 of that from 100 to 1000
    "memorising-is-far": Known(
        answer([3.8 / 0.8, 3.803 / 0.8], ("distance", "all", "all"), [0.0, 1.0, 2.0, 5.0], [0.0, 1.0, 2.0, 5.005]),
        answer([1.16 / 0.8, 1.163 / 0.8], ("distance", "all", "all"), [0.0, 1.0, 1.1, 1.2], [0.0, 1.0, 1.1, 1.205]),
    ),
    "output-layer-turns-most": Known(
        answer([0.6 / 0.5, 0.601 / 0.5], ("descent", "clean", "2"), [0.4] * 4, [0.399] * 4),
        answer([0.4 / 0.5, 0.401 / 0.5], ("descent", "clean", "2"), [0.6] * 4, [0.599] * 4),
    ),
}
