import numpy as np
import pandas as pd
import pytest

from genbook import data, studies
from genbook.base.claims import judge
from genbook.base.spec import ParameterError
from genbook.studies.noise.noisy_labels import claims, mistakes
from genbook.studies.noise.noisy_labels.patches import PatchFilters
from genbook.studies.noise.noisy_labels.run import run, wrong_labels
from genbook.studies.noise.noisy_labels.scores import auc

STUDY = studies.get("noisy_labels")
SPEC = STUDY.build("smoke", {})


@pytest.fixture(scope="module")
def table():
    return run(SPEC, [0, 1], "cpu")


def test_the_auc_is_the_share_of_pairs_in_order_with_ties_counting_half():
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 5, (3, 40)).astype(float)
    positive = rng.random((3, 40)) < 0.3
    for row in range(3):
        above, below = scores[row][positive[row]], scores[row][~positive[row]]
        pairs = (above[:, None] > below) + 0.5 * (above[:, None] == below)
        assert auc(scores, positive)[row] == pytest.approx(pairs.mean(), abs=1e-12)


def test_the_auc_of_one_kind_only_is_missing():
    assert np.isnan(auc(np.arange(4.0)[None], np.zeros((1, 4), dtype=bool))).all()


def test_wrong_classes_come_as_often_as_their_probabilities_say():
    labels = np.zeros(40_000, dtype=np.int64)
    probabilities = np.tile([0.7, 0.2, 0.1], (len(labels), 1))
    drawn = mistakes.wrong(probabilities, labels, np.random.default_rng(1))
    shares = np.bincount(drawn, minlength=3) / len(labels)
    assert shares[0] == 0
    # standard error of a share near 2/3 of 40,000 draws: 0.0024
    np.testing.assert_allclose(shares[1:], [2 / 3, 1 / 3], atol=0.012)


def test_where_nothing_wrong_is_probable_all_wrong_classes_are_as_likely():
    labels = np.full(30_000, 1)
    drawn = mistakes.wrong(np.eye(3)[labels], labels, np.random.default_rng(2))
    np.testing.assert_allclose(np.bincount(drawn, minlength=3) / len(labels), [0.5, 0, 0.5], atol=0.015)


def test_a_confusion_has_the_mean_probabilities_of_each_class():
    probabilities = np.array([[0.5, 0.5, 0], [0.9, 0.1, 0], [0.2, 0.8, 0]])
    expected = [[0.7, 0.3, 0], [0.2, 0.8, 0], [0, 0, 1]]
    np.testing.assert_allclose(mistakes.confusion(probabilities, np.array([0, 0, 1])), expected)


def test_all_kinds_of_noise_mislabel_the_same_images_as_many_as_asked_for():
    dataset = data.load(SPEC.dataset)
    split = data.split(dataset, 3, SPEC.n_train, n_validation=SPEC.reader_examples, flat=True)
    true = split.train.labels.numpy()
    given = wrong_labels(SPEC, dataset, split, true, 3)
    changed = {noise: labels != true for noise, labels in given.items()}
    assert changed["uniform"].mean() == pytest.approx(SPEC.share)
    for noise in SPEC.noises:
        np.testing.assert_array_equal(changed[noise], changed["uniform"])
    assert (given["lookalike"] != given["uniform"]).sum() > 0.5 * changed["uniform"].sum()


def test_lookalikes_are_what_the_reader_finds_more_probable():
    dataset = data.load(SPEC.dataset)
    split = data.split(dataset, 3, SPEC.n_train, n_validation=SPEC.reader_examples, flat=True)
    true = split.train.labels.numpy()
    given = wrong_labels(SPEC, dataset, split, true, 3)
    reader = split.validation
    images = split.train.inputs.numpy()
    seen = mistakes.read(reader.inputs.numpy(), reader.labels.numpy(), images, split.n_classes)
    np.testing.assert_allclose(seen.sum(1), 1, atol=1e-6)
    changed = given["uniform"] != true
    rows = np.arange(len(true))
    mean = {noise: seen[rows, labels][changed].mean() for noise, labels in given.items()}
    assert mean["uniform"] < mean["confused"] < mean["lookalike"]


def test_every_kind_of_noise_mislabels_the_share_asked_for(table):
    assert set(table["noise"]) == set(SPEC.noises)
    wrong = table.loc[table["quantity"] == "wrong labels", "value"]
    np.testing.assert_allclose(wrong, SPEC.share, atol=1e-12)


def test_accuracies_of_a_group_by_given_and_by_true_label_exclude_each_other(table):
    given, true = (claims.curve(table, quantity, "corrupted") for quantity in ("as given", "as true"))
    assert ((given + true) <= 1 + 1e-12).all().all()
    pd.testing.assert_frame_equal(claims.curve(table, "as given", "clean"), claims.curve(table, "as true", "clean"))


def made(curves):
    """A table of one quantity for (seed, noise) curves over steps."""
    return pd.DataFrame(
        [
            {"seed": s, "noise": n, "step": step, "quantity": q, "group": g, "value": v, "epoch": 0.0}
            for (s, n, q, g), values in curves.items()
            for step, v in values.items()
        ]
    )


def test_the_time_to_a_level_is_that_of_the_last_crossing_on_a_logarithmic_axis():
    curves = pd.DataFrame({0: [0.0, 0.9, 0.0], 1: [0.9, 0.9, 0.0], 10: [0.1, 0.9, 0.1], 100: [0.6, 0.9, 0.2]})
    times = claims.time_to(curves, 0.35)
    assert times[0] == pytest.approx(10 * 10**0.5)
    assert times[1] == 1
    assert np.isnan(times[2])


def test_the_best_moment_of_a_seed_is_chosen_by_the_others():
    key = ("uniform", "AUC of EL2N", "corrupted")
    table = made({(0, *key): {1: 0.9, 2: 0.6}, (1, *key): {1: 0.5, 2: 0.8}})
    found = claims.best_found(table)["uniform"]
    assert found[0] == 0.6
    assert found[1] == 0.5
    assert claims.best_found(table[table["seed"] == 0])["uniform"][0] == 0.9


@pytest.mark.parametrize("null", ["shuffled labels", "blind reader"])
def test_claims_fail_in_their_null_worlds(null):
    small = {"n_train": 300, "steps": 1000, "probes": 25} if null == "shuffled labels" else {"steps": 800, "probes": 25}
    spec = STUDY.world(STUDY.build("quick", small), STUDY.nulls[null])
    table = run(spec, range(4), "cpu")
    wanted = [claim for claim in STUDY.claims if claim.null == null]
    # the time to a fifth of the labels needs the full length of training
    for claim in (c for c in wanted if c.id != "structured-sooner"):
        judgement = judge(claim, table, spec)
        assert judgement.verdict == "fails", claim.id
        assert np.isfinite(judgement.estimate)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"noises": ["lookalike", "uniform"]}, "uniform"),
        ({"noises": ["uniform", "human"]}, "cifar10"),
        ({"batch_size": 601}, "n_train"),
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
    spec = STUDY.build("smoke", {"features": "patches", "filters": 5, "steps": 20, "test_images": 100})
    measured = run(spec, [0], "cpu")
    assert claims.curve(measured, "test accuracy").notna().all(axis=None)
    with pytest.raises(ParameterError, match="signals"):
        STUDY.build("smoke", {"features": "patches", "dataset": "mnist1d"})
