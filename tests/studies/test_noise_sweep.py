"""A sweep of label noise: its conditions, its statistics on a table whose answer is known, its control."""

import numpy as np
import pandas as pd
import pytest

from genbook import data, studies
from genbook.base.claims import judge
from genbook.base.spec import ParameterError
from genbook.studies.noise.noise_sweep import claims
from genbook.studies.noise.noise_sweep.design import GIVEN, RIGHT, NoiseSweepSpec, design
from tests.known import Answer, Known

STUDY = studies.get("noise_sweep")
STEPS = (0, 1, 10, 10.05, 20, 20.1, 100, 100.5, 1000, 1005)


def known_seed(seed, clean, corrupted, at_first, late):
    """Half of the labels are drawn anew, all of them wrong: the step at which half of each group is learned.

    On right labels clean examples are learned at step 10, random labels alone at step 100. The clean half is owed
    ``at_first`` of the descent before step 100 and ``late`` of it from then on.
    """
    learned = {
        (0.5, GIVEN, "clean"): clean,
        (0.5, GIVEN, "corrupted"): corrupted,
        (0.5, RIGHT, "clean"): 10,
        (0.5, RIGHT, "corrupted"): 10,
        (1.0, GIVEN, "clean"): 100,
        (1.0, GIVEN, "corrupted"): 100,
    }
    rows = [
        (seed, *place, step, "train accuracy", 0.5 * (step >= when) + 0.5 * (step > when))
        for place, when in learned.items()
        for step in STEPS
    ]
    for noise in (0.5, 1.0):
        rows.append((seed, noise, GIVEN, "all", 1005, "wrong labels", noise))
        for step in STEPS:
            part = at_first if step < 100 else late
            descents = {"all": 2.0, "clean": 2 * part, "corrupted": 2 - 2 * part}
            rows += [(seed, noise, GIVEN, group, step, "descent", value) for group, value in descents.items()]
    return pd.DataFrame(rows, columns=["seed", "noise", "trained on", "group", "step", "quantity", "value"])


def answer(*values, clean=20, corrupted=100, at_first=0.75, late=0.25):
    """Two seeds, of which the second is learned later by half a per cent and owes its clean half a little more."""
    first = known_seed(0, clean, corrupted, at_first, late)
    second = known_seed(1, round(1.005 * clean, 6), round(1.005 * corrupted, 6), 1.004 * at_first, 1.004 * late)
    return Answer(pd.concat([first, second], ignore_index=True), values, NoiseSweepSpec())


KNOWN = {
    "clean-near-their-own-pace": Known(answer(np.log10(2), np.log10(2.01)), answer(2.0, np.log10(100.5), clean=1000)),
    "noise-dilutes": Known(answer(1.0, 1.005), answer(50.0, 50.25, clean=1000)),
    "corrupted-at-the-pace-of-random-labels": Known(answer(1.0, 1.005), answer(0.1, 0.1005, corrupted=10)),
    "clean-drive-more-at-first": Known(answer(1.5, 1.506), answer(1.0, 1.004, at_first=0.5)),
    "corrupted-drive-more-late": Known(
        answer(0.75 / 0.25, 0.749 / 0.251), answer(1.0, 0.498 / 0.502, at_first=0.5, late=0.5)
    ),
}


def test_what_is_owed_adds_up_to_the_number_of_examples():
    table = answer().table
    parts, numbers = {}, claims.fractions(table)
    for group in ("clean", "corrupted"):
        curve = claims.per_capita(table, group).xs(0.5, level="noise")
        parts[group] = curve.mul(numbers[group][0.5], axis=0)
    assert (parts["clean"] + parts["corrupted"]).to_numpy() == pytest.approx(1)


def test_a_group_that_pulls_back_gives_no_ratio():
    table = answer(late=1.2).table
    assert claims.late_ratio(table).isna().all(axis=None)


def test_a_group_that_is_never_learned_is_censored():
    table = answer(clean=10_000).table
    assert claims.slower_than_right(table).isna().all(axis=None)
    assert STUDY.claims[0].statistic(table, NoiseSweepSpec()).isna().all()


def given(condition, seed):
    images = data.load(condition.images.dataset)
    split = data.split(images, seed, condition.images.n_train, 0, 100, flat=True)
    train = split.train
    return condition.images.labels.given(train.inputs.numpy(), train.labels.numpy(), seed, split.n_classes)


@pytest.mark.parametrize("tags", ["true", "shuffled"])
def test_the_same_examples_are_told_apart_on_right_labels(tags):
    spec = NoiseSweepSpec.build(noise_levels=[0.2, 0.6], tags=tags)
    found = {tuple(c.columns.values()): given(c, 3) for c in design(spec).conditions}
    assert set(found) == {(0.2, GIVEN), (0.2, RIGHT), (0.6, GIVEN), (0.6, RIGHT), (1.0, GIVEN)}
    for level in spec.noise_levels:
        noisy, right = found[level, GIVEN], found[level, RIGHT]
        assert (noisy.clean == right.clean).all()
        assert (right.labels == right.true).all()
        assert ((noisy.labels == noisy.true) == noisy.clean).all() == (tags == "true")
    less, more, most = (found[level, GIVEN].labels for level in (0.2, 0.6, 1.0))
    wrong = less != found[0.2, GIVEN].true
    for labels in (more, most):
        assert (labels[wrong] == less[wrong]).all()


@pytest.mark.parametrize("levels", [[0.0, 0.5], [0.5, 1.0], [0.5, 0.25], [0.0001]])
def test_levels_lie_between_none_and_all(levels):
    with pytest.raises(ParameterError):
        NoiseSweepSpec.build(noise_levels=levels)


@pytest.mark.parametrize("claim", STUDY.claims, ids=lambda claim: claim.id)
def test_a_claim_fails_in_its_control(claim):
    control = STUDY.build("quick", STUDY.controls[claim.control])
    assert judge(claim, STUDY.run(control, range(5), "cpu"), control).verdict == "fails"
