"""Memorisable patches: what examples show, who trains how, and statistics on tables whose answers are known."""

import numpy as np
import pandas as pd
import pytest

from genbook import data, studies
from genbook.studies.steps.memorisable_patches.patches import KINDS, ROWS, draw
from genbook.studies.steps.memorisable_patches.run import COLUMNS, TESTED, recipes, run
from tests.known import Answer, Known

STUDY = studies.get("memorisable_patches")
SPEC = STUDY.build("smoke", {})
EVERY = STUDY.build("smoke", {"n_train": 200, "bare": 0.3, "alone": 0.2})


def strips(drawn, inputs):
    return inputs[:, : ROWS * drawn.shape[1]]


def pictures(drawn, inputs):
    return inputs[:, ROWS * drawn.shape[1] :]


def test_examples_show_what_they_are_said_to():
    drawn = draw(EVERY, 3)
    assert [int((drawn.shown == kind).sum()) for kind in KINDS] == [60, 40, 100]
    assert np.array_equal(strips(drawn, drawn.inputs).any(1), drawn.shown != "image")
    assert np.array_equal(pictures(drawn, drawn.inputs).any(1), drawn.shown != "patch")
    assert not strips(drawn, drawn.unpatched).any()
    assert np.array_equal(pictures(drawn, drawn.unpatched), pictures(drawn, drawn.inputs))
    for kind, inputs in drawn.tests.items():
        assert strips(drawn, inputs).any(1).all() == (kind != "image")
        assert pictures(drawn, inputs).any(1).all() == (kind != "patch")


def test_a_class_has_two_patches_and_all_classes_one_middle():
    drawn = draw(EVERY, 3)
    found = strips(drawn, drawn.tests["patch"]).astype(float)
    middles = []
    for label in range(10):
        two = np.unique(found[drawn.test_labels == label], axis=0)
        assert len(two) == 2
        middles.append(two.mean(0))
    assert np.ptp(middles, axis=0) == pytest.approx(np.zeros(found.shape[1]), abs=1e-5)
    trained = strips(drawn, drawn.inputs)[drawn.shown != "image"]
    assert {tuple(row) for row in trained} <= {tuple(row) for row in strips(drawn, drawn.tests["patch"])}


def test_images_have_the_contrast_and_the_noise_that_are_asked_for():
    quiet, noisy = (draw(EVERY.model_copy(update={"pixel_noise": noise, "contrast": 0.7}), 1) for noise in (0.0, 2.0))
    split = data.split(data.load("digits"), 1, 200, flat=True)
    clean = pictures(quiet, quiet.tests["image"])
    assert clean == pytest.approx(0.7 * split.test.inputs.numpy(), abs=1e-6)
    assert pictures(noisy, noisy.tests["image"]).std() == pytest.approx(0.7, rel=0.03)
    left = pictures(noisy, noisy.tests["image"]) - clean / np.sqrt(5)
    assert left.std() == pytest.approx(0.7 * 2 / np.sqrt(5), rel=0.03)


@pytest.mark.parametrize("steps", [60, 61])
def test_the_large_rate_is_lowered_once_and_to_the_small_one(steps):
    spec = SPEC.model_copy(update={"steps": steps, "longer": 3})
    by_name = recipes(spec)
    lowered = by_name["lowered"]
    rates = [lowered.optimiser.lr * lowered.schedule.factor(step, steps) for step in range(steps)]
    large = -(-steps // 2)
    assert rates == pytest.approx([spec.large_rate] * large + [spec.small_rate] * (steps - large))
    assert by_name["small for longer"].steps == 3 * steps
    assert {by_name[name].optimiser.lr for name in ("small", "small for longer")} == {spec.small_rate}
    assert by_name["large"].optimiser.lr == spec.large_rate


def test_a_table_has_every_network_and_tells_training_examples_by_what_they_show():
    table = run(SPEC, [0], "cpu")
    assert list(table) == COLUMNS
    networks = set(table[["trained on", "rate"]].itertuples(index=False, name=None))
    assert networks == {
        *(("patches", rate) for rate in ("small", "lowered", "large", "small for longer")),
        *((name, rate) for name in ("no patches", "bare images") for rate in ("small", "lowered")),
    }
    told = table[table["quantity"] == "train accuracy"].groupby("trained on")["shown"].unique()
    assert {name: set(shown) for name, shown in told.items()} == {
        "patches": {"all", *KINDS},
        "no patches": {"all", "image", "both"},
        "bare images": {"all", "image"},
    }
    assert set(table["quantity"]) == {"train accuracy", "train loss", *TESTED.values()}


def test_images_alone_are_no_more_than_all_examples():
    with pytest.raises(ValueError, match="want less than 1"):
        STUDY.build("smoke", {"bare": 0.5, "alone": 0.5})
    with pytest.raises(ValueError, match="images without a patch"):
        STUDY.build("smoke", {"batch_size": 40})
    with pytest.raises(ValueError, match="want more than"):
        STUDY.build("smoke", {"large_rate": 0.01})


#: Two seeds: accuracies at half of the training and at its end.
SEEDS = (0, 1)


def known_table(patches=None, images=None):
    """Accuracy on patches at a large rate and at the end, and on images at the end, by network; each seed .01 apart."""
    told = {"small": (0.9, 1.0), "lowered": (0.2, 0.6), "large": (0.2, 0.3), "small for longer": (1.0, 1.0)}
    on_patches = told | (patches or {})
    ends = {
        ("patches", "small"): 0.7,
        ("patches", "lowered"): 0.8,
        ("patches", "large"): 0.8,
        ("patches", "small for longer"): 0.8,
        ("no patches", "small"): 0.85,
        ("no patches", "lowered"): 0.86,
        ("bare images", "small"): 0.7,
        ("bare images", "lowered"): 0.8,
    } | (images or {})
    rows = []
    for seed in SEEDS:
        for (name, rate), end in ends.items():
            longer = SPEC.longer if rate == "small for longer" else 1
            # The seeds differ where a rate is small, so that no difference is certain.
            off = 0.01 * seed * (rate == "small")
            for place, step in enumerate((29 * longer, SPEC.steps * longer)):
                known = on_patches[rate][place] if name == "patches" else 0.1
                rows.append((seed, name, rate, step, "test accuracy on patches", "all", known - off))
                rows.append((seed, name, rate, step, "test accuracy", "all", end - off))
    return pd.DataFrame(rows, columns=COLUMNS)


def answer(values, patches=None, images=None):
    return Answer(known_table(patches, images), values, SPEC)


KNOWN = {
    "small-steps-take-patches-first": Known(
        holds=answer([0.7, 0.69]), fails=answer([-0.3, -0.31], {"small": (0.2, 1.0), "lowered": (0.5, 0.6)})
    ),
    "patches-let-in": Known(holds=answer([0.3, 0.3]), fails=answer([0.0, 0.0], {"large": (0.2, 0.6)})),
    "patches-cost-small-steps": Known(
        holds=answer([0.1, 0.11]), fails=answer([-0.1, -0.09], images={("patches", "small"): 0.9})
    ),
    "no-patches-no-cost": Known(
        holds=answer([0.09, 0.09]), fails=answer([-0.1, -0.1], images={("patches", "small"): 0.89})
    ),
    "time-makes-up": Known(
        holds=answer([0.0, 0.0]), fails=answer([0.1, 0.1], images={("patches", "small for longer"): 0.7})
    ),
    "patched-images-teach-little": Known(
        holds=answer([0.0, 0.0]), fails=answer([0.06, 0.06], images={("bare images", "lowered"): 0.74})
    ),
}
