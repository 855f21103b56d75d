"""Changing answers: what is asked and of whom, the courses of examples, statistics on tables whose answer is known."""

import numpy as np
import pandas as pd
import pytest
import torch

from genbook import data, studies
from genbook.base.spec import ParameterError
from genbook.models import mlp
from genbook.probes import Answer, AtSteps
from genbook.studies.noise.changing_answers import claims
from genbook.studies.noise.changing_answers.run import conditions, images_of, run
from genbook.studies.noise.changing_answers.spec import ChangingAnswersSpec
from genbook.training import SGD, Examples, Recipe, Replica, train
from tests.known import Answer as KnownAnswer
from tests.known import Known

STUDY = studies.get("changing_answers")
#: By example (given, true): the answers at five steps, and what `courses` must say of them.
COURSES = {
    (1, 7): ([0, 7, 7, 1, 1], {"wrong": True, "memorised": True, "true on the way": True, "straight": True}),
    (2, 7): ([0, 7, 7, 3, 2], {"wrong": True, "memorised": True, "true on the way": True, "straight": False}),
    (3, 7): ([3, 7, 3, 7, 3], {"wrong": True, "memorised": True, "true on the way": False, "straight": True}),
    (4, 7): ([0, 0, 7, 7, 7], {"wrong": True, "memorised": False, "true on the way": True, "straight": True}),
    (5, 7): ([5, 5, 5, 5, 5], {"wrong": True, "memorised": True, "true on the way": False, "straight": False}),
    (7, 7): ([0, 1, 7, 7, 7], {"wrong": False, "memorised": True, "true on the way": True, "straight": False}),
}


def table_of(courses, noise=0.25, seed=0):
    """A table of examples with their answers; ``courses``: pairs of (given, true) and the answers."""
    rows = []
    for place, ((given, true), said) in enumerate(courses):
        common = (seed, noise, str(place))
        rows += [(*common, step, "answer", float(answer)) for step, answer in enumerate(said)]
        rows += [(*common, 0, "given label", float(given)), (*common, 0, "true label", float(true))]
    return pd.DataFrame(rows, columns=["seed", "noise", "group", "step", "quantity", "value"])


def test_the_course_of_each_example_is_told_as_by_hand():
    found = claims.courses(table_of([(labels, said) for labels, (said, _) in COURSES.items()]))
    for row, (_, expected) in zip(found.to_dict("records"), COURSES.values(), strict=True):
        assert row == expected


def test_the_probe_says_what_the_network_says():
    inputs = torch.randn(12, 5, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(12) % 3
    replicas = [
        Replica(seed, mlp((5, 8, 3)), Recipe(4, SGD(0.1), 4), {"train": Examples(inputs, labels)}) for seed in (0, 1)
    ]
    result = train(replicas, [Answer(first=7, at=AtSteps([4]))], "cpu")
    for seed, state in enumerate(result.states):
        model = mlp((5, 8, 3))
        model.load_state_dict(state)
        said = result.table[result.table["seed"] == seed]
        assert said["group"].tolist() == [str(k) for k in range(7)]
        assert said["value"].tolist() == model(inputs)[:7].argmax(1).tolist()


def test_answers_of_all_examples_make_up_the_accuracy():
    spec = ChangingAnswersSpec(n_train=40, watched=40, hidden=(8,), steps=40, n_measurements=5, batch_size=20)
    table = run(spec, [3], "cpu")
    said, given = claims.answers(table), claims.labels(table, "given label")
    right = said.eq(given, axis=0).groupby("noise").mean()
    accuracy = table[table["quantity"] == "train accuracy"].pivot_table(index="noise", columns="step", values="value")
    pd.testing.assert_frame_equal(right.astype(float), accuracy, check_names=False)
    given, true = (
        claims.labels(table, f"{which} label")
        .xs(0.0, level="noise")
        .loc[3]
        .sort_index(key=lambda place: place.astype(int))
        for which in ("given", "true")
    )
    assert true.tolist() == data.split(data.load("digits"), 3, 40).train.labels.tolist() == given.tolist()


def test_more_noise_keeps_the_labels_that_less_noise_has_drawn():
    labels = [condition.images.labels.changes[-1].amount for condition in conditions(ChangingAnswersSpec())]
    assert labels == [0.0, 0.25, 0.5, 0.75, 1.0]
    table = run(STUDY.build("smoke", {}), [0], "cpu")
    given, true = claims.labels(table, "given label").loc[0], claims.labels(table, "true label").loc[0]
    half, whole = (given.xs(level, level="noise") for level in (0.5, 1.0))
    drawn = half != true.xs(0.5, level="noise")
    assert drawn.any()
    assert (half[drawn] == whole[drawn]).all()


@pytest.mark.parametrize(("dataset", "shape"), [("digits", (8, 8)), ("fashion-small", (14, 14)), ("mnist1d", (1, 40))])
def test_images_are_those_that_the_networks_learned(dataset, shape):
    spec = ChangingAnswersSpec(dataset=dataset, watched=12)
    images = images_of(spec, 5)
    assert images.shape == (12, *shape)
    assert images.min() == 0
    assert images.max() == 1
    learned = data.split(data.load(dataset), 5, spec.n_train, flat=True).train.inputs[:12].numpy()
    np.testing.assert_allclose(np.corrcoef(images.ravel(), learned.ravel())[0, 1], 1, atol=1e-6)


@pytest.mark.parametrize("changes", [{"noise_levels": (0.1, 0.5, 1.0)}, {"watched": 400}])
def test_what_cannot_be_compared_is_refused(changes):
    with pytest.raises(ParameterError):
        STUDY.build("quick", changes)


def answer(first, values):
    """Two seeds of 120 mislabelled examples each at two levels of noise.

    ``first``: of how many of them the true label is the last answer before the given one, and seen twice, at noise
    0.25; the second seed has one less. Where all labels are drawn anew it is so of 20.
    """
    true_first, other = ((1, 7), [7, 7, 1]), ((1, 7), [0, 3, 1])
    parts = [
        table_of([true_first] * many + [other] * (120 - many), noise, seed)
        for seed in (0, 1)
        for noise, many in ((0.25, first - seed), (1.0, 20))
    ]
    return KnownAnswer(pd.concat(parts, ignore_index=True), values, ChangingAnswersSpec(noise_levels=(0, 0.25, 1.0)))


MANY, FEW = answer(110, (110 / 120, 109 / 120)), answer(20, (20 / 120, 19 / 120))
KNOWN = {
    "true-on-the-way": Known(MANY, FEW),
    "straight-from-true-to-given": Known(MANY, FEW),
    "not-by-chance": Known(answer(110, (90 / 120, 89 / 120)), answer(20, (0, -1 / 120))),
}
