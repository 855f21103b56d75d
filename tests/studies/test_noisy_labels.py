import numpy as np
import pandas as pd
import pytest

from genbook import data, studies
from genbook.base.claims import judge
from genbook.base.spec import ParameterError
from genbook.studies.noise.noisy_labels import annotator, claims
from genbook.studies.noise.noisy_labels.patches import PatchFilters
from genbook.studies.noise.noisy_labels.run import run, wrong_labels
from tests.known import Answer, Known

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


QUICK = STUDY.build("quick", {})  # an epoch has 12 steps


def test_scores_are_read_where_the_measured_steps_are_nearest_to_ten_epochs():
    key = ("uniform", "AUC of EL2N", "corrupted")
    table = made({(0, *key): {0: 0.5, 12: 0.9, 110: 0.7, 1000: 0.6}, (1, *key): {0: 0.5, 12: 0.5, 110: 0.8, 1000: 0.9}})
    assert claims.early(table, QUICK)["uniform"].to_dict() == {0: 0.7, 1: 0.8}
    assert claims.missed(table, QUICK)["uniform"].to_dict() == pytest.approx({0: 0.3, 1: 0.2})
    assert claims.early(table, QUICK.model_copy(update={"n_train": 60}))["uniform"].to_dict() == {0: 0.9, 1: 0.5}


def test_kinds_of_mistakes_are_compared_with_uniform_ones_within_the_seed():
    curves = {}
    for seed in (0, 1):
        given, area = ("train accuracy", "corrupted"), ("AUC of EL2N", "corrupted")
        curves[seed, "uniform", *given] = {1: 0.0, 10: 0.0, 1000: 0.4}
        curves[seed, "lookalike", *given] = {1: 0.0, 10: 0.2, 1000: 0.3}
        curves[seed, "uniform", *area] = {0: 0.5, 1: 0.6, 100: 0.9, 1000: 0.8}
        curves[seed, "lookalike", *area] = {0: 0.5, 1: 0.6, 100: 0.7, 1000: 0.8}
    table = made(curves)
    assert claims.steps_to(table, 0.2)["uniform"].tolist() == pytest.approx([100, 100])
    assert claims.sooner(table, 0.2).to_dict() == pytest.approx({"lookalike": 10, "uniform": 1})
    assert np.isnan(claims.sooner(table, 0.5)).all()
    assert claims.more_misled(table, QUICK).to_dict() == pytest.approx({"lookalike": 3, "uniform": 1})
    rates = claims.misled(table).set_index(["seed", "mistakes", "step"])["value"]
    assert rates[0, "lookalike", 100] == pytest.approx(0.3)
    assert 0 not in rates.index.unique("step")


def test_what_is_said_of_other_images_is_no_memory(table):
    """It is measured for every kind; where it is at a fifth, a fifth of the corrupted labels is none."""
    measured = claims.curve(table, "wrong labels given elsewhere")
    assert set(measured.index.unique("mistakes")) == set(SPEC.mistakes)
    assert measured.notna().all(axis=None)
    curves = {(0, "uniform", "train accuracy", "corrupted"): {1: 0.2, 10: 0.4, 100: 0.6}}
    curves[0, "uniform", "wrong labels given elsewhere", "all"] = {1: 0.2, 10: 0.2, 100: 0.2}
    assert claims.memorised(made(curves)).iloc[0].tolist() == pytest.approx([0, 0.2, 0.4])
    assert claims.steps_to(made(curves), 0.2)["uniform"].tolist() == pytest.approx([10])


def test_lookalikes_elsewhere_are_what_the_network_mistakes_images_for():
    """A network that learned clean labels gives test images their lookalikes' labels more often than uniform ones."""
    spec = STUDY.build("smoke", {"noise": 0.02, "n_train": 300, "steps": 300})
    measured = claims.curve(run(spec, range(3), "cpu"), "wrong labels given elsewhere").iloc[:, -1]
    measured = measured.groupby("mistakes").mean()
    assert measured["lookalike"] > 2 * measured["uniform"]


def table_of(nudge=0.0, **changed):
    """Two seeds with known curves, of which seed 1 has ``nudge`` times more in those that are changed."""
    curves = {
        ("uniform", "train accuracy", "clean"): {1: 0.0, 10: 1.0, 100: 1.0},
        ("uniform", "train accuracy", "corrupted"): {1: 0.0, 10: 0.0, 100: 0.5},
        ("lookalike", "train accuracy", "corrupted"): {1: 0.1, 10: 0.3, 100: 0.5},
        ("lookalike", "wrong labels given elsewhere", "all"): {1: 0.0, 10: 0.0, 100: 0.1},
        ("uniform", "wrong labels given elsewhere", "all"): {1: 0.0, 10: 0.0, 100: 0.0},
        ("uniform", "train accuracy on true labels", "corrupted"): {1: 0.1, 10: 0.6, 100: 0.3},
        ("uniform", "AUC of EL2N", "corrupted"): {1: 0.6, 100: 0.95, 1000: 0.75},
        ("uniform", "AUC of gradient norm", "corrupted"): {1: 0.5, 100: 0.85, 1000: 0.9},
        ("lookalike", "AUC of EL2N", "corrupted"): {1: 0.6, 100: 0.8, 1000: 0.75},
        ("uniform", "classes", "all"): {0: 10.0},
    }
    names = {
        "corrupted": ("uniform", "train accuracy", "corrupted"),
        "lookalike": ("lookalike", "train accuracy", "corrupted"),
        "true": ("uniform", "train accuracy on true labels", "corrupted"),
        "el2n": ("uniform", "AUC of EL2N", "corrupted"),
        "norm": ("uniform", "AUC of gradient norm", "corrupted"),
        "hidden": ("lookalike", "AUC of EL2N", "corrupted"),
    }
    changed = {names[name]: curve for name, curve in changed.items()}
    both = {}
    for seed in (0, 1):
        for key, curve in (curves | changed).items():
            more = 1 + nudge * seed * (key in changed)
            both[seed, *key] = {step: more * value for step, value in curve.items()}
    return made(both)


def answer(values, nudge=0.0, **changed):
    return Answer(table_of(nudge, **changed), values, QUICK)


#: Where 0.1 is subtracted, lookalikes pass a fifth at (0.2 - 0.3) / (0.4 - 0.3) < 0: between the first two steps.
SOON = 10 ** ((0.2 - 0.1) / 0.2)
KNOWN = {
    # clean ones reach a half half-way from step 1 to 10, corrupted ones where they rise from 0 at 10 to 0.9 at 100
    "clean-first": Known(
        answer(
            [10 ** (1 + 0.5 / 0.9 - 0.5), 10 ** (1 + 0.5 / 0.909 - 0.5)], 0.01, corrupted={1: 0.0, 10: 0.0, 100: 0.9}
        ),
        answer([10 ** (5 / 9 - 0.5), 10 ** (0.5 / 0.909 - 0.5)], 0.01, corrupted={1: 0.0, 10: 0.9, 100: 0.9}),
    ),
    # each seed is read at step 10, the best for the other
    "true-first": Known(
        answer([6, 6.06], 0.01, true={1: 0.1, 10: 0.6, 100: 0.3}), answer([1.5, 1.515], 0.01, true={1: 0.1, 10: 0.15})
    ),
    "el2n-finds": Known(
        answer([0.95, 0.9595], 0.01, el2n={1: 0.6, 100: 0.95, 1000: 0.75}),
        answer([0.6, 0.606], 0.01, el2n={1: 0.6, 100: 0.6, 1000: 0.95}),
    ),
    "gradient-norm-finds": Known(
        answer([0.9, 0.909], 0.01, norm={1: 0.6, 100: 0.9, 1000: 0.75}),
        answer([0.6, 0.606], 0.01, norm={1: 0.6, 100: 0.6, 1000: 0.95}),
    ),
    "scores-fade": Known(
        answer([0.5 / 0.1, 0.4995 / 0.0991], 0.001, el2n={1: 0.6, 100: 0.9, 1000: 0.5}),
        answer([0.9, 0.08909 / 0.0991], 0.001, el2n={1: 0.6, 100: 0.9, 1000: 0.91}),
    ),
    # uniform mistakes pass a fifth two fifths of the way from step 10 to 100, lookalikes half-way from 1 to 10
    "structured-sooner": Known(
        answer([10**1.4 / SOON, 10 ** (1 + 0.2 / 0.505) / SOON], 0.01, corrupted={1: 0.0, 10: 0.0, 100: 0.5}),
        answer([10**0.4 / SOON, 10 ** (0.2 / 0.505) / SOON], 0.01, corrupted={1: 0.0, 10: 0.5, 100: 0.5}),
    ),
    "structured-hides": Known(
        answer([0.2 / 0.05, 0.1992 / 0.05], 0.001, hidden={1: 0.6, 100: 0.8, 1000: 0.75}),
        answer([1, 0.04905 / 0.05], 0.001, hidden={1: 0.6, 100: 0.95, 1000: 0.75}),
    ),
}


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
