import numpy as np
import pandas as pd
import pytest

from genbook import data, studies
from genbook.base.claims import judge
from genbook.base.spec import ParameterError
from genbook.studies.noise.noisy_labels import annotator, claims
from genbook.studies.noise.noisy_labels.patches import PatchFilters
from genbook.studies.noise.noisy_labels.run import run, wrong_labels

STUDY = studies.get("noisy_labels")
SPEC = STUDY.build("smoke", {})


@pytest.fixture(scope="module")
def table():
    return run(SPEC, [0, 1], "cpu")


def test_wrong_classes_come_as_often_as_their_probabilities_say():
    labels = np.zeros(40_000, dtype=np.int64)
    probabilities = np.tile([0.7, 0.2, 0.1], (len(labels), 1))
    drawn = annotator.wrong(probabilities, labels, np.random.default_rng(1))
    fractions = np.bincount(drawn, minlength=3) / len(labels)
    assert fractions[0] == 0
    # standard error of a fraction near 2/3 of 40,000 draws: 0.0024
    np.testing.assert_allclose(fractions[1:], [2 / 3, 1 / 3], atol=0.012)


def test_where_nothing_wrong_is_probable_all_wrong_classes_are_as_likely():
    labels = np.full(30_000, 1)
    drawn = annotator.wrong(np.eye(3)[labels], labels, np.random.default_rng(2))
    np.testing.assert_allclose(np.bincount(drawn, minlength=3) / len(labels), [0.5, 0, 0.5], atol=0.015)


def test_a_confusion_has_the_mean_probabilities_of_each_class():
    probabilities = np.array([[0.5, 0.5, 0], [0.9, 0.1, 0], [0.2, 0.8, 0]])
    expected = [[0.7, 0.3, 0], [0.2, 0.8, 0], [0, 0, 1]]
    np.testing.assert_allclose(annotator.confusion(probabilities, np.array([0, 0, 1])), expected)


def test_all_kinds_of_mistakes_mislabel_the_same_images_as_many_as_asked_for():
    dataset = data.load(SPEC.dataset)
    split = data.split(dataset, 3, SPEC.n_train, n_validation=SPEC.annotator_examples, flat=True)
    true = split.train.labels.numpy()
    given = wrong_labels(SPEC, dataset, split, true, 3)
    changed = {kind: labels != true for kind, labels in given.items()}
    assert changed["uniform"].mean() == pytest.approx(SPEC.noise)
    for kind in SPEC.mistakes:
        np.testing.assert_array_equal(changed[kind], changed["uniform"])
    assert (given["lookalike"] != given["uniform"]).sum() > 0.5 * changed["uniform"].sum()


def test_lookalikes_are_what_the_annotator_finds_more_probable():
    dataset = data.load(SPEC.dataset)
    split = data.split(dataset, 3, SPEC.n_train, n_validation=SPEC.annotator_examples, flat=True)
    true = split.train.labels.numpy()
    given = wrong_labels(SPEC, dataset, split, true, 3)
    learned = split.validation
    images = split.train.inputs.numpy()
    seen = annotator.read(learned.inputs.numpy(), learned.labels.numpy(), images, split.n_classes)
    np.testing.assert_allclose(seen.sum(1), 1, atol=1e-6)
    changed = given["uniform"] != true
    rows = np.arange(len(true))
    mean = {kind: seen[rows, labels][changed].mean() for kind, labels in given.items()}
    assert mean["uniform"] < mean["confused"] < mean["lookalike"]


def test_every_kind_of_mistakes_mislabels_the_fraction_asked_for(table):
    assert set(table["mistakes"]) == set(SPEC.mistakes)
    wrong = table.loc[table["quantity"] == "wrong labels", "value"]
    np.testing.assert_allclose(wrong, SPEC.noise, atol=1e-12)


def test_accuracies_of_a_group_by_given_and_by_true_label_exclude_each_other(table):
    accuracies = ("train accuracy", "train accuracy on true labels")
    given, true = (claims.curve(table, quantity, "corrupted") for quantity in accuracies)
    assert ((given + true) <= 1 + 1e-12).all().all()
    pd.testing.assert_frame_equal(*(claims.curve(table, quantity, "clean") for quantity in accuracies))


def made(curves):
    """A table from {(seed, mistakes, quantity, group): {step: value}}."""
    return pd.DataFrame(
        [
            {"seed": s, "mistakes": m, "step": step, "quantity": q, "group": g, "value": v, "epoch": 0.0}
            for (s, m, q, g), values in curves.items()
            for step, v in values.items()
        ]
    )


def test_the_best_step_of_a_seed_is_chosen_by_the_others_and_by_nobody_where_it_is_alone():
    key = ("uniform", "AUC of EL2N", "corrupted")
    table = made({(0, *key): {1: 0.9, 2: 0.6}, (1, *key): {1: 0.5, 2: 0.8}})
    found = claims.best_found(table)["uniform"]
    assert found.to_dict() == {0: 0.6, 1: 0.5}
    assert claims.missed(table)["uniform"].to_dict() == pytest.approx({0: 0.4, 1: 0.5})
    assert claims.best_found(table[table["seed"] == 0])["uniform"].isna().all()


def test_kinds_of_mistakes_are_compared_with_uniform_ones_within_the_seed():
    curves = {}
    for seed in (0, 1):
        given, area = ("train accuracy", "corrupted"), ("AUC of EL2N", "corrupted")
        curves[seed, "uniform", *given] = {1: 0.0, 10: 0.0, 1000: 0.4}
        curves[seed, "lookalike", *given] = {1: 0.0, 10: 0.2, 1000: 0.3}
        curves[seed, "uniform", *area] = {0: 0.5, 1: 0.6, 10: 0.9, 1000: 0.8}
        curves[seed, "lookalike", *area] = {0: 0.5, 1: 0.6, 10: 0.7, 1000: 0.8}
    table = made(curves)
    assert claims.steps_to(table, 0.2)["uniform"].tolist() == pytest.approx([100, 100])
    assert claims.sooner(table, 0.2).to_dict() == pytest.approx({"lookalike": 10, "uniform": 1})
    assert np.isnan(claims.sooner(table, 0.5)).all()
    assert claims.more_misled(table).to_dict() == pytest.approx({"lookalike": 2, "uniform": 1})
    rates = claims.misled(table).set_index(["seed", "mistakes", "step"])["value"]
    assert rates[0, "lookalike", 10] == pytest.approx(0.3)
    assert 0 not in rates.index.unique("step")


@pytest.mark.parametrize(
    ("id", "expected"),
    [
        # clean ones reach a half between the steps 1 and 10, corrupted ones at 100
        ("clean-first", 100 / 10**0.5),
        ("true-first", 0.6 / 0.1),
        ("el2n-finds", 0.95),
        ("gradient-norm-finds", 0.85),
        ("scores-fade", 0.25 / 0.05),
        ("structured-sooner", 10 ** (0.4 + 1) / 10 ** (0.2 / 0.3)),
        ("structured-hides", 0.2 / 0.05),
    ],
)
def test_each_statistic_on_curves_whose_answer_is_known(id, expected):
    curves = {}
    for seed in (0, 1):
        curves[seed, "uniform", "train accuracy", "clean"] = {1: 0.0, 10: 1.0, 100: 1.0}
        curves[seed, "uniform", "train accuracy", "corrupted"] = {1: 0.0, 10: 0.0, 100: 0.5}
        curves[seed, "lookalike", "train accuracy", "corrupted"] = {1: 0.0, 10: 0.3, 100: 0.5}
        curves[seed, "uniform", "train accuracy on true labels", "corrupted"] = {1: 0.1, 10: 0.6, 100: 0.3}
        curves[seed, "uniform", "AUC of EL2N", "corrupted"] = {1: 0.6, 10: 0.95, 100: 0.75}
        curves[seed, "uniform", "AUC of gradient norm", "corrupted"] = {1: 0.5, 10: 0.6, 100: 0.85}
        curves[seed, "lookalike", "AUC of EL2N", "corrupted"] = {1: 0.6, 10: 0.8, 100: 0.75}
        curves[seed, "uniform", "classes", "all"] = {0: 10.0}
    (statistic,) = (claim.statistic for claim in STUDY.claims if claim.id == id)
    values = statistic(made(curves), STUDY.build("quick", {}))
    np.testing.assert_allclose(values.to_numpy(float), expected)


@pytest.mark.parametrize("control", ["shuffled labels", "uninformed annotator"])
def test_claims_fail_in_their_controls(control):
    small = (
        {"n_train": 300, "steps": 1000, "n_measurements": 25}
        if control == "shuffled labels"
        else {"steps": 800, "n_measurements": 25}
    )
    spec = STUDY.changed(STUDY.build("quick", small), STUDY.controls[control])
    table = run(spec, range(4), "cpu")
    wanted = [claim for claim in STUDY.claims if claim.control == control]
    # the time to a fifth of the labels needs the full length of training
    for claim in (c for c in wanted if c.id != "structured-sooner"):
        judgement = judge(claim, table, spec)
        assert judgement.verdict == "fails", claim.id
        assert np.isfinite(judgement.estimate)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"mistakes": ["lookalike", "uniform"]}, "uniform"),
        ({"mistakes": ["uniform", "human"]}, "cifar10"),
        ({"batch_size": 601}, "training set's size, 600"),
        ({"noise": 0.9995}, "600 would be wrong; want from 0.0017 to 0.9983"),
        ({"noise": 0.0005}, "0 would be wrong"),
    ],
)
def test_a_spec_that_compares_nothing_is_refused(wrong, message):
    with pytest.raises(ParameterError, match=message):
        STUDY.build("quick", wrong)


@pytest.fixture(scope="module")
def photographs():
    return np.random.default_rng(0).random((6, 3, 12, 12)).astype(np.float32)


def test_a_filter_responds_as_a_loop_over_the_patches_says(photographs):
    respond = PatchFilters.draw(photographs, 4, np.random.default_rng(1))
    found = respond(photographs)
    assert found.shape == (6, 32)
    responses = np.zeros((6, 4, 4, 4))
    for n, row, column in np.ndindex(6, 4, 4):
        patch = photographs[n, :, 2 * row : 2 * row + 6, 2 * column : 2 * column + 6].astype(np.float64).ravel()
        normalised = (patch - patch.mean()) / np.sqrt(patch.var() + (10 / 255) ** 2)
        responses[n, row, column] = (normalised - respond.mean) @ respond.filters
    quarters = [responses[:, i : i + 2, j : j + 2] for i in (0, 2) for j in (0, 2)]
    expected = [np.maximum(sign * part - 0.25, 0).mean((1, 2)) for sign in (1, -1) for part in quarters]
    np.testing.assert_allclose(found, np.concatenate(expected, axis=1), atol=1e-5)


def test_filters_do_not_see_brightness(photographs):
    respond = PatchFilters.draw(photographs, 4, np.random.default_rng(1))
    np.testing.assert_allclose(respond(photographs + 0.5), respond(photographs), atol=1e-4)


def test_features_take_the_place_of_pixels():
    spec = STUDY.build("smoke", {"features": "patches", "filters": 5, "steps": 20, "n_test": 100})
    measured = run(spec, [0], "cpu")
    assert claims.curve(measured, "test accuracy").notna().all(axis=None)
    with pytest.raises(ParameterError, match="signals"):
        STUDY.build("smoke", {"features": "patches", "dataset": "mnist1d"})
