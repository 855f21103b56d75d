"""XOR of pairs of images: what a pair is, the table against its columns, statistics, a control."""

import numpy as np
import pandas as pd
import pytest

from genbook import data
from genbook.base.claims import judge
from genbook.base.spec import ParameterError
from genbook.studies import get
from genbook.studies.xor.xor_digits import claims
from genbook.studies.xor.xor_digits.run import COLUMNS, draw_pairs, problem, run, sides
from genbook.studies.xor.xor_digits.spec import XorDigitsSpec
from tests.known import Answer, Known

STUDY = get("xor_digits")
SMALL = STUDY.build("smoke", {})


@pytest.fixture(scope="module")
def table():
    return run(SMALL, [0, 1], "cpu")


def test_sides_are_the_classes_about_the_middle_of_their_means():
    images, side = sides(SMALL, "train", "two classes")
    means = [images[side == one].mean(0) for one in (1, -1)]
    assert means[0] == pytest.approx(-means[1], abs=1e-9)
    labels = data.load("digits").train_labels
    assert len(side) == np.isin(labels, SMALL.classes).sum()
    _, parity = sides(SMALL, "test", "odd and even")
    assert (parity == np.where(data.load("digits").test_labels % 2 == 0, 1, -1)).all()


@pytest.mark.parametrize("labels", ["xor", "separable"])
def test_pairs_are_two_images_and_their_label_follows_the_rule(labels):
    spec = XorDigitsSpec.build(labels=labels)
    pairs, truth = draw_pairs(spec, "test", "two classes", 40, np.random.default_rng(0))
    images, side = sides(spec, "test", "two classes")
    half = images.shape[1]
    for pair, label in zip(pairs, truth, strict=True):
        left, right = (side[(images == part).all(1).argmax()] for part in (pair[:half], pair[half:]))
        assert label == (left * right if labels == "xor" else left)


def test_flips_are_as_many_as_asked_for_and_the_canvas_is_next_to_the_images():
    bare, truth, flipped, _ = problem(SMALL, 0, "two classes", 0)
    assert flipped.sum() == round(SMALL.noise * SMALL.n_train)
    assert ((bare.labels != truth[: SMALL.n_train]) == flipped).all()
    wide, other, same, _ = problem(SMALL, 0, "two classes", 400)
    assert (other == truth).all()
    assert (same == flipped).all()
    added = wide.products.diagonal() - bare.products.diagonal()
    assert added == pytest.approx(400 * SMALL.canvas_noise**2, rel=0.5)


def test_one_class_twice_is_refused():
    with pytest.raises(ParameterError, match="two different classes"):
        XorDigitsSpec.build(classes=[3, 3])


@pytest.mark.parametrize("canvas", [[], [5], [0, 9, 4]])
def test_canvases_that_cannot_be_compared_are_refused(canvas):
    with pytest.raises(ParameterError, match="canvas"):
        XorDigitsSpec.build(canvas=canvas)


SPEC = XorDigitsSpec.build(canvas=[0, 5, 9])


def made(test=(0.55, 0.9), even=0.95, flipped=(1.0, 0.9), wide_fit=0.95, wide_test=0.7):
    """Test accuracy and fraction of flipped pairs fitted, after one step and at the end; the widest canvas's own."""

    def rows(quantity, first, last, canvas=0, run="two classes"):
        return [
            (seed, run, canvas, step, quantity, value)
            for seed in (0, 1)
            for step, value in ((0, 0.0), (1, first), (2, last))
        ]

    found = rows("test accuracy", *test) + rows("test accuracy", 0.5, wide_test, canvas=9)
    found += rows("test accuracy", 0.1, 0.1, canvas=5) + rows("test accuracy", 0.2, 0.2, run="odd and even")
    found += rows("test accuracy, even part", 0.5, even) + rows("test accuracy, linear part", 0.6, 0.45)
    found += rows("train accuracy", 0.7, 1.0) + rows("train accuracy", wide_fit, 1.0, canvas=9)
    found += rows("train accuracy, flipped", *flipped)
    return pd.DataFrame(found, columns=COLUMNS)


def known(holding, changed, failing):
    return Known(Answer(made(), [holding] * 2, SPEC), Answer(made(**changed), [failing] * 2, SPEC))


KNOWN = {
    "images-chance-after-one-step": known(0.55, {"test": (0.9, 0.9)}, 0.9),
    "images-turn-later": known(0.35, {"test": (0.9, 0.9)}, 0),
    "images-even-part-knows": known(0.95, {"even": 0.5}, 0.5),
    "images-fitted-in-one-step": known(1.0, {"flipped": (0.3, 1.0)}, 0.3),
    "images-noise-fitted-in-the-end": Known(
        Answer(made(flipped=(0.3, 1.0)), [1, 1], SPEC), Answer(made(flipped=(1.0, 0.3)), [0.3, 0.3], SPEC)
    ),
    "canvas-brings-one-step-fit": known(0.25, {"wide_fit": 0.7}, 0),
    "canvas-hides-the-rule": known(0.2, {"wide_test": 0.9}, 0),
}


def test_without_a_canvas_nothing_is_said_of_one():
    alone = XorDigitsSpec.build(canvas=[0])
    missing = {claim.id for claim in claims.CLAIMS if claim.statistic(made(), alone).isna().all()}
    assert missing == {"canvas-brings-one-step-fit", "canvas-hides-the-rule"}


def test_nine_flipped_pairs_tell_no_more_than_half_of_one():
    claim = next(claim for claim in claims.CLAIMS if claim.id == "images-noise-fitted-in-the-end")
    assert claim.continuity(made(), XorDigitsSpec.build(n_train=60, noise=0.15)) == 1 / 18


def test_replication_never_uses_the_classes_of_discovery():
    for classes in ([0, 1], [4, 7], [7, 2]):
        spec = XorDigitsSpec.build(classes=classes)
        others = STUDY.replication(spec)["classes"]
        assert len(set(others) - set(classes)) == len(others) == 2


def test_turn_holds_for_xor_and_fails_for_separable_pairs():
    spec = STUDY.build("quick", {"canvas": [0], "steps": 40})
    turn = next(claim for claim in claims.CLAIMS if claim.id == "images-turn-later")
    assert judge(turn, run(spec, range(3), "cpu"), spec).verdict == "holds"
    control = STUDY.changed(spec, {**STUDY.controls["separable"], "steps": 40})
    assert judge(turn, run(control, range(3), "cpu"), control).verdict == "fails"
