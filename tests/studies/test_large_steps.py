"""Large steps on real data: passings and comparisons on made-up paths, the table, the run whose steps become small."""

import numpy as np
import pandas as pd
import pytest

from genbook.base.claims import judge
from genbook.base.spec import ParameterError
from genbook.studies import get
from genbook.studies.steps.large_steps import claims
from genbook.studies.steps.large_steps.run import run
from genbook.studies.steps.large_steps.spec import LargeStepsSpec

STUDY = get("large_steps")
SMALL = STUDY.build("smoke", {})
BY_ID = {claim.id: claim for claim in claims.CLAIMS}
SPEC = LargeStepsSpec.build(ladder=[0.1, 1.0], label_noise=[0.0], loss_level=0.5)


@pytest.fixture(scope="module")
def table():
    return run(SMALL, [0, 1], "cpu")


def test_both_runs_are_in_the_table(table):
    assert set(table["run"]) == {"constant", "decayed"}


def test_runs_of_a_seed_begin_alike(table):
    """One start for all steps; the decayed run begins where its accuracy was reached."""
    first = table[(table["step"] == 0) & (table["run"] == "constant") & (table["quantity"] == "train loss")]
    assert (first.groupby(["seed", "noise"])["value"].nunique() == 1).all()
    accuracy = table[(table["step"] == 0) & (table["run"] == "decayed") & (table["quantity"] == "train accuracy")]
    assert (accuracy["value"] >= SMALL.decay_accuracy).all()


def test_shuffled_test_labels_leave_training_alone(table):
    other = run(LargeStepsSpec.build(**{**SMALL.model_dump(), "test_labels": "shuffled"}), [0, 1], "cpu")
    same = table["quantity"] != "test accuracy"
    assert other["value"][same].to_numpy() == pytest.approx(table["value"][same].to_numpy())
    assert (other["value"][~same] != table["value"][~same]).any()


def test_level_is_passed_for_good_and_between_two_looks():
    steps, losses = np.array([0.0, 3, 8, 26]), np.array([2.0, 0.4, 0.9, 0.1])
    step = claims.passing(steps, losses, 0.3)
    assert step == pytest.approx(8 + (26 - 8) / 2, rel=0.3)
    # in the logarithms of loss and step, 0.3 is half of the way from 0.9 to 0.1
    assert np.log1p(step) == pytest.approx((np.log1p(8) + np.log1p(26)) / 2)
    assert claims.passing(steps[:2], losses[:2], 1.0) == pytest.approx(np.expm1(np.log(4) * np.log(2) / np.log(5)))
    assert np.isnan(claims.passing(steps, losses, 0.05))
    assert np.isnan(claims.passing(steps, losses, 3.0))


def test_curves_go_as_far_as_every_seed_comes_down():
    made = synthetic(errors=(0.6, 0.3))
    stuck = (made["seed"] == 1) & (made["rate"] == 0.1) & (made["step"] == 20) & (made["quantity"] == "train loss")
    made.loc[stuck, "value"] = 0.7
    lowest = claims.against_loss(made, "test accuracy", 0.0).groupby(["run", "rate"])["loss"].min()
    assert lowest["constant", 0.1] >= 0.7
    assert lowest["constant", 1.0] < 0.2


def synthetic(errors, sharpness=(4.0, 1.0), coherence=(1.0, 8.0), decayed=(0.6, 0.5), reached=(0.1, 0.1)):
    """Two steps and a decayed run; test error, sharpness and m-coherence are the same all along a path."""
    rows = []
    for seed in (0, 1, 2):
        paths = [
            ("constant", rate, *values)
            for rate, *values in zip((0.1, 1.0), errors, sharpness, coherence, reached, strict=True)
        ]
        paths.append(("decayed", 1.0, decayed[0], 2.0, decayed[1], 0.1))
        for name, rate, error, sharp, agree, end in paths:
            for step, loss in ((0, 2.0), (10, 0.8), (20, end)):
                measured = {"train loss": loss, "test accuracy": 1 - error, "sharpness": sharp, "m-coherence": agree}
                rows += [(seed, 0.0, name, rate, step, quantity, value) for quantity, value in measured.items()]
    return pd.DataFrame(rows, columns=list(STUDY.columns))


def test_statistics_on_known_paths():
    made = synthetic(errors=(0.6, 0.3))
    found = {name: judge(claim, made, SPEC) for name, claim in BY_ID.items()}
    assert found["large-steps-test-better"].estimate == pytest.approx(0.5)
    assert found["gain-outlives-large-steps"].estimate == pytest.approx(1)
    assert found["large-steps-raise-coherence"].estimate == pytest.approx(8)
    assert found["coherence-goes-with-them"].estimate == pytest.approx(1 / 16)
    assert found["large-steps-flatter"].estimate == pytest.approx(1 / 4)
    # sharpness 4, 2, 1 with accuracy .4, .4, .7: two pairs in reverse order and a tie
    assert found["flat-at-equal-loss"].estimate == pytest.approx(-2 / 6**0.5)
    assert found["flat-end-tests-better"].estimate == pytest.approx(-2 / 6**0.5)


def test_no_effect_fails():
    made = synthetic(errors=(0.5, 0.5), sharpness=(2.0, 2.0), coherence=(1.0, 1.0), decayed=(0.5, 1.0))
    assert {name: judge(claim, made, SPEC).verdict for name, claim in BY_ID.items()} == dict.fromkeys(BY_ID, "fails")


def test_small_steps_that_do_not_reach_the_level_leave_the_claim_undecided():
    made = synthetic(errors=(0.6, 0.3), reached=(0.7, 0.1))
    judged = judge(BY_ID["large-steps-test-better"], made, SPEC)
    assert (judged.verdict, judged.censored) == ("undecided", 3)


def test_the_largest_step_is_chosen_by_what_trains():
    made = synthetic(errors=(0.6, 0.3), reached=(0.1, 0.7))
    assert claims.largest_that_trains(made, SPEC, 0.0) == 0.1
    assert claims.largest_that_trains(synthetic(errors=(0.6, 0.3)), SPEC, 0.0) == 1.0


def test_small_steps_train_as_long_as_large_ones():
    spec = LargeStepsSpec.build(ladder=[0.01, 1.0], time=50.0, least_steps=20)
    assert [spec.steps_at(rung) for rung in spec.ladder] == [5000, 50]
    with pytest.raises(ParameterError, match="want values that grow"):
        LargeStepsSpec.build(ladder=[1.0, 0.1])
