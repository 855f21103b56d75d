"""Large learning rates on real data: the conditions, the decayed network, comparisons on made-up curves."""

import numpy as np
import pandas as pd
import pytest

from genbook.base.claims import judge
from genbook.base.spec import ParameterError
from genbook.studies import get
from genbook.studies.steps.large_steps import claims
from genbook.studies.steps.large_steps.design import DECAYED, LargeStepsSpec, design
from tests.known import Answer, Known

STUDY = get("large_steps")
SMALL = STUDY.build("smoke", {})
BY_ID = {claim.id: claim for claim in claims.CLAIMS}
SPEC = LargeStepsSpec.build(learning_rates=[0.1, 1.0], noise_levels=[0.0], loss_level=0.5)


@pytest.fixture(scope="module")
def table():
    return design(SMALL).run([0, 1], "cpu")


def test_a_decayed_network_is_measured_once_its_learning_rate_is_small(table):
    assert set(zip(table["run"], table["phase"], strict=True)) == {("constant", "training"), (DECAYED, DECAYED)}
    accuracy = table[(table["step"] == 0) & (table["run"] == DECAYED) & (table["quantity"] == "train accuracy")]
    assert len(accuracy) == 4
    assert (accuracy["value"] >= SMALL.decay_accuracy).all()


def test_networks_of_a_seed_begin_alike(table):
    first = table[(table["step"] == 0) & (table["run"] == "constant") & (table["quantity"] == "train loss")]
    assert (first.groupby(["seed", "noise"])["value"].nunique() == 1).all()
    assert first["value"].nunique() == 4


def test_shuffled_test_labels_leave_training_alone(table):
    other = design(LargeStepsSpec.build(**{**SMALL.model_dump(), "test_labels": "shuffled"})).run([0, 1], "cpu")
    same = table["quantity"] != "test accuracy"
    assert other["value"][same].to_numpy() == pytest.approx(table["value"][same].to_numpy())
    assert (other["value"][~same] != table["value"][~same]).any()


def test_a_decayed_network_that_was_never_fitted_is_left_out_and_censored():
    spec = LargeStepsSpec.build(**{**SMALL.model_dump(), "decay_accuracy": 0.99, "loss_level": 0.01})
    table = design(spec).run([0, 1], "cpu")
    assert set(table["run"]) == {"constant"}
    for claim in claims.CLAIMS:
        assert judge(claim, table, spec).verdict == "undecided", claim.id


def test_small_learning_rates_train_as_long_as_large_ones():
    spec = LargeStepsSpec.build(learning_rates=[0.01, 1.0], time=50.0, min_steps=20, scale=0.5)
    assert [spec.recipe(rate).steps for rate in spec.learning_rates] == [5000, 50]
    assert [spec.recipe(rate).optimiser.lr for rate in spec.learning_rates] == [0.005, 0.5]


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"learning_rates": [1.0, 0.1]}, "want values that grow"),
        ({"batch_size": 2000}, "at most n_train = 1000"),
        ({"time": 1e9}, "more than 10,000,000 gradient steps"),
    ],
)
def test_what_cannot_be_trained_is_refused(parameters, words):
    with pytest.raises(ParameterError, match=words):
        LargeStepsSpec.build(**parameters)


def test_curves_go_as_far_as_every_seed_comes_down():
    made = synthetic(errors=(0.6, 0.3))
    stuck = (made["seed"] == 1) & (made["learning rate"] == 0.1) & (made["step"] == 20)
    made.loc[stuck & (made["quantity"] == "train loss"), "value"] = 0.7
    lowest = claims.against_loss(made, "test accuracy", 0.0).groupby(["run", "learning rate"])["loss"].min()
    assert lowest["constant", 0.1] >= 0.7
    assert lowest["constant", 1.0] < 0.2


def synthetic(errors, sharpness=(4.0, 1.0), coherence=(1.0, 8.0), decayed=(0.6, 0.5), reached=(0.1, 0.1)):
    """Two learning rates and a decayed one; test error, sharpness and m-coherence stay the same all along."""
    rows = []
    for seed in (0, 1, 2):
        networks = [
            ("constant", "training", rate, *values)
            for rate, *values in zip((0.1, 1.0), errors, sharpness, coherence, reached, strict=True)
        ]
        networks.append((DECAYED, DECAYED, 1.0, decayed[0], 2.0, decayed[1], 0.1))
        for run, phase, rate, error, sharp, agree, end in networks:
            for step, loss in ((0, 2.0), (10, 0.8), (20, end)):
                measured = {"train loss": loss, "test accuracy": 1 - error, "sharpness": sharp, "m-coherence": agree}
                rows += [(seed, 0.0, run, phase, rate, step, quantity, value) for quantity, value in measured.items()]
    columns = ["seed", "noise", "run", "phase", "learning rate", "step", "quantity", "value"]
    return pd.DataFrame(rows, columns=columns).assign(group="all", layer="all")


RATES = (0.1, 0.3, 1.0, 3.0)
FOUR = LargeStepsSpec.build(learning_rates=RATES, noise_levels=[0.0, 0.2], loss_level=0.5)
#: Of the four constant rates, by noise, and last of the one that decayed.
ERRORS = {0.0: (0.6, 0.5, 0.4, 0.3, 0.35), 0.2: (0.6, 0.5, 0.4, 0.15, 0.2)}


def networks(errors=ERRORS, sharpness=(8, 6, 4, 1, 2), coherence=(1, 2, 4, 8, 0.5)):
    """Four rates and a decayed one that come down alike; of the largest all grows by a hundredth from seed to seed.

    So do the errors of the decayed network and the coherence of all but the smallest rate.
    """
    runs = [("constant", "training", rate) for rate in RATES] + [(DECAYED, DECAYED, 1.0)]
    rows = []
    for seed in (0, 1, 2):
        own = 1 + 0.01 * seed
        for noise, wrong in errors.items():
            for place, run in enumerate(runs):
                measured = {
                    "test accuracy": 1 - wrong[place] * (own if place >= 3 else 1),
                    "sharpness": sharpness[place] * (own if place == 3 else 1),
                    "m-coherence": coherence[place] * (own if 0 < place < 4 else 1),
                }
                for step, loss in ((0, 2.0), (10, 0.8), (20, 0.1)):
                    at_step = {"train loss": loss, **measured}
                    rows += [(seed, noise, *run, step, quantity, value) for quantity, value in at_step.items()]
    columns = ["seed", "noise", "run", "phase", "learning rate", "step", "quantity", "value"]
    return pd.DataFrame(rows, columns=columns).assign(group="all", layer="all")


def known(holding, failing, **changed):
    return Known(Answer(networks(), holding, FOUR), Answer(networks(**changed), failing, FOUR))


OWN = np.array([1, 1.01, 1.02])
WORSE = {"errors": dict.fromkeys(ERRORS, (0.3, 0.4, 0.5, 0.6, 0.55))}
SHARPER = {"sharpness": (1, 2, 4, 8, 6)}
#: Over both fractions of wrong labels: of 45 pairs 5 are tied in sharpness and 3 of these in accuracy; the decayed one
#: among wrong labels tests better than the largest rate among right ones, and all others are in reverse order.
AT_END = -38 / (40 * 42) ** 0.5
KNOWN = {
    "large-steps-test-better": known(0.5 * OWN, 2 * OWN, **WORSE),
    "large-steps-resist-noise": known(0.25 * OWN, 2 * OWN, **WORSE),
    "gain-outlives-large-steps": known((0.35 / 0.6 * 0.2 / 0.6) ** 0.5 * OWN, 0.55 / 0.3 * OWN, **WORSE),
    "large-steps-raise-coherence": known(8 * OWN, OWN, coherence=(1, 1, 1, 1, 1)),
    # the constant rate of 1 is the one with which the decayed network began
    "coherence-goes-with-them": known(0.125 / OWN, 1 / OWN, coherence=(1, 1, 1, 1, 1)),
    "large-steps-flatter": known(OWN / 8, 8 * OWN, **SHARPER),
    "flat-end-tests-better": known([AT_END] * 3, [-AT_END] * 3, **SHARPER),
    "flat-at-equal-loss": known([-1] * 3, [1] * 3, **SHARPER),
}


def test_noise_is_judged_at_its_own_levels():
    spec = LargeStepsSpec.build(learning_rates=[0.1, 1.0], noise_levels=[0.0, 0.2], loss_level=0.5)
    noisy = synthetic(errors=(0.6, 0.15), decayed=(0.15, 0.5), coherence=(1.0, 1.0)).assign(noise=0.2)
    both = pd.concat([synthetic(errors=(0.6, 0.3)), noisy])
    found = {name: judge(claim, both, spec).estimate for name, claim in BY_ID.items()}
    assert found["large-steps-test-better"] == pytest.approx(0.5)
    assert found["large-steps-resist-noise"] == pytest.approx(0.25)
    assert found["gain-outlives-large-steps"] == pytest.approx(0.5)  # of ratios 1 and 1/4
    assert found["large-steps-raise-coherence"] == pytest.approx(8)


def test_no_effect_fails():
    alike = {"errors": dict.fromkeys(ERRORS, (0.5,) * 5), "sharpness": (2.0,) * 5, "coherence": (1.0,) * 5}
    made = networks(**alike)
    asked = [name for name in BY_ID if not name.startswith("flat-")]  # these ask for an order, and find the seeds' own
    assert {name: judge(BY_ID[name], made, FOUR).verdict for name in asked} == dict.fromkeys(asked, "fails")


def test_small_rates_that_do_not_reach_the_level_leave_the_claim_undecided():
    made = synthetic(errors=(0.6, 0.3), reached=(0.7, 0.1))
    judged = judge(BY_ID["large-steps-test-better"], made, SPEC)
    assert (judged.verdict, judged.censored) == ("undecided", 3)
    assert claims.effect(made, SPEC, 0.0) == "unknown"


def test_the_largest_rate_is_chosen_by_what_trains():
    made = synthetic(errors=(0.6, 0.3), reached=(0.1, 0.7))
    assert claims.largest_that_trains(made, SPEC, 0.0) == 0.1
    made = synthetic(errors=(0.6, 0.3))
    assert claims.largest_that_trains(made, SPEC, 0.0) == 1.0
    stuck = (made["seed"] == 1) & (made["run"] == "constant") & (made["learning rate"] == 1.0) & (made["step"] == 20)
    made.loc[stuck & (made["quantity"] == "train loss"), "value"] = 0.7
    assert claims.largest_that_trains(made, SPEC, 0.0) == 0.1


def test_the_effect_is_told_where_the_seeds_can_tell_it():
    assert claims.effect(networks(), FOUR, 0.0) == "helps"
    assert claims.effect(networks(**WORSE), FOUR, 0.0) == "harms"
    unclear = synthetic(errors=(0.5, 0.5))
    unclear.loc[unclear["quantity"] == "test accuracy", "value"] += 0.01 * unclear["seed"] * unclear["learning rate"]
    assert claims.effect(unclear, SPEC, 0.0) == "neither"
    assert claims.effect(unclear[unclear["seed"] == 0], SPEC, 0.0) == "unknown"
    assert claims.effect(unclear, SPEC, 0.4) == "unknown"


def test_errors_relative_to_the_smallest_rates_are_by_parts_of_the_largest_that_trains():
    made = synthetic(errors=(0.6, 0.3))
    found = claims.errors_by_rate(made, SPEC, 0.0)
    assert list(found.columns) == ["seed", "learning rate", "value"]
    assert found["learning rate"].to_list() == pytest.approx([1] * 3)  # the largest that trains is all of it
    assert found["value"].to_list() == pytest.approx([0.5] * 3)
    last = (made["step"] == 20) & (made["learning rate"] == 1.0) & (made["quantity"] == "test accuracy")
    made.loc[last & (made["run"] == "constant"), "value"] = 0.85
    assert claims.error_ratio_at_end(made, SPEC, 0.0).to_list() == pytest.approx([0.25] * 3)
    for nothing in (claims.errors_by_rate, claims.error_ratio, claims.error_ratio_at_end):
        assert len(nothing(made, SPEC, 0.4)) == 0


def test_within_a_rate_two_seeds_tell_nothing():
    made = synthetic(errors=(0.6, 0.3))
    seed, rate = made["seed"], made["learning rate"]
    made.loc[made["quantity"] == "sharpness", "value"] = np.exp(seed)
    made.loc[made["quantity"] == "test accuracy", "value"] = 0.5 - 0.1 * seed + 0.2 * rate
    assert claims.within_rate(made, SPEC) == pytest.approx(-1)
    assert np.isnan(claims.within_rate(made[seed < 2], SPEC))
