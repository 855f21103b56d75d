"""Labels as data: what each change does, and that a smaller one of a seed begins a larger one."""

import numpy as np
import pytest

from genbook import data
from genbook.experiments import Labels

REAL = np.repeat(np.arange(10), 200)
IMAGES = np.random.default_rng(0).normal(size=(2000, 3))


def given(labels, seed=5):
    return labels.given(IMAGES, REAL, seed, 10)


def test_real_labels_stay_as_they_are():
    found = given(Labels())
    assert (found.labels == REAL).all()
    assert (found.true == REAL).all()
    assert found.clean.all()
    assert found.rounds == 1


def test_shuffled_labels_are_a_truth_of_their_own():
    found = given(Labels().shuffled())
    assert (np.bincount(found.labels) == 200).all()
    assert np.mean(found.labels == REAL) == pytest.approx(0.1, abs=0.03)
    assert (found.true == found.labels).all()
    noisy = given(Labels().shuffled().wrong(0.3))
    assert (noisy.true == found.labels).all()
    assert np.mean(noisy.labels != found.labels) == pytest.approx(0.3)


def test_wrong_labels_are_wrong_and_redrawn_ones_may_be_right():
    wrong, redrawn = given(Labels().wrong(0.4)), given(Labels().redrawn(0.4))
    assert np.mean(wrong.labels != REAL) == pytest.approx(0.4)
    assert (wrong.clean == (wrong.labels == REAL)).all()
    assert np.mean(redrawn.labels != REAL) == pytest.approx(0.36, abs=0.03)
    assert (given(Labels().wrong(0.2)).labels != REAL)[wrong.clean].sum() == 0, "a smaller fraction is part of a larger"


def test_labels_are_those_of_the_data_module():
    assert (given(Labels().wrong(0.4)).labels == data.corrupt(REAL, 0.4, "uniform", 5, 10).labels).all()
    assert (given(Labels().exchanged(3)).labels == data.exchange_blocks(IMAGES, REAL, 3, 5)).all()
    mixed = data.exchange_blocks(IMAGES, REAL, 3, 5, alike=False)
    assert (given(Labels().exchanged(3, alike=False)).labels == mixed).all()
    assert (given(Labels().shuffled(), 6).labels == data.shuffle_labels(REAL, 6)).all()


def test_labels_are_diluted_with_random_ones_and_a_smaller_dilution_begins_a_larger():
    many, few = given(Labels().diluted(7)), given(Labels().diluted(3))
    assert (many.rounds, len(many.labels), len(many.true)) == (8, 16_000, 16_000)
    assert (many.labels[:2000] == REAL).all()
    assert (many.clean == (np.arange(16_000) < 2000)).all()
    np.testing.assert_allclose(np.bincount(many.labels[2000:], minlength=10) / 14_000, 0.1, atol=0.01)
    # the right label is among those drawn: a tenth of the random ones are right
    assert np.mean(many.labels[2000:] == many.true[2000:]) == pytest.approx(0.1, abs=0.01)
    assert (few.labels == many.labels[:8000]).all()
    assert (given(Labels().diluted(0)).labels == REAL).all()


def test_another_seed_is_another_draw():
    for labels in (Labels().shuffled(), Labels().wrong(0.3), Labels().redrawn(1.0), Labels().diluted(1)):
        assert (given(labels, 1).labels != given(labels, 2).labels).any()
        assert (given(labels, 1).labels == given(labels, 1).labels).all()


def test_decoys_get_another_label_than_the_one_given_and_know_no_truth():
    noisy, planted = given(Labels().wrong(0.4)), given(Labels().wrong(0.4).decoys(300))
    assert planted.decoys.sum() == 300
    assert ((planted.labels != noisy.labels) == planted.decoys).all()
    assert (planted.clean == noisy.clean).all()
    shift = (planted.labels - noisy.labels)[planted.decoys] % 10
    assert np.bincount(shift, minlength=10)[1:].min() > 15, "each other label is as likely"
    assert given(Labels()).decoys is None


def test_controls_keep_what_was_corrupted_without_corrupting_and_deal_it_out_at_random():
    noisy, corrected = given(Labels().wrong(0.4)), given(Labels().wrong(0.4).corrected())
    assert (corrected.labels == REAL).all()
    assert (corrected.clean == noisy.clean).all()
    dealt = given(Labels().wrong(0.4).retagged())
    assert (dealt.labels == noisy.labels).all()
    assert dealt.clean.sum() == noisy.clean.sum()
    assert np.mean(dealt.clean[~noisy.clean]) == pytest.approx(0.6, abs=0.06), "as often among those that are wrong"


def test_parity_is_one_real_number():
    found = given(Labels().parity())
    assert found.labels.dtype == np.float32
    assert (found.labels == np.where(REAL % 2 == 0, 1, -1)).all()
    assert (found.true == found.labels).all()
