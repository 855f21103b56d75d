"""Benign oscillation: the recursion's thresholds, the orbit against autograd, the identities, a known table."""

import numpy as np
import pandas as pd
import pytest
import torch

from genbook.base.claims import judge
from genbook.base.seeding import INITIALISATION, generator
from genbook.models import initialise, patch_network
from genbook.studies import get
from genbook.studies.steps.benign_oscillation import claims, theory
from genbook.studies.steps.benign_oscillation.orbit import descend
from genbook.studies.steps.benign_oscillation.run import (
    Condition,
    first_weights,
    growth,
    run,
    training_set,
    visits,
    weak_test_set,
)
from genbook.studies.steps.benign_oscillation.spec import BenignOscillationSpec
from tests.known import Answer, Known

STUDY = get("benign_oscillation")
BY_ID = {claim.id: claim for claim in claims.CLAIMS}
COLUMNS = ["seed", "run", "strength", "scaled learning rate", "step", "quantity", "value"]
SMALL = BenignOscillationSpec.build(
    n_train=8,
    dimension=12,
    units=6,
    steps=400,
    full_batch_steps=100,
    scaled_learning_rates=[0.2, 0.3, 0.36],
    full_batch_learning_rates=[0.4, 0.7],
)


@pytest.fixture(scope="module")
def table():
    return run(SMALL, [0, 1], "cpu")


def orbits(c, steps, start):
    output = np.full_like(c, start)
    for _ in range(steps):
        output = theory.recursion(output, c)
    return output


@pytest.mark.parametrize("start", [1e-6, 0.3, 1.2])
def test_recursion_settles_below_its_threshold_and_not_above(start):
    c = np.array([0.5, 0.9, 0.99, 1.01, 1.1, 1.4])
    settled = orbits(c, 5000, start)
    off = np.max([np.abs(orbits(c, more, settled) - 1) for more in range(20)], axis=0)
    assert (off[:3] < 1e-6).all()
    assert (off[3:] > 0.05).all()


def test_orbits_of_the_recursion_escape_past_their_zero():
    zero = 1 + 1 / theory.ESCAPES
    outputs = np.linspace(0, zero, 200_001)
    assert theory.recursion(outputs, theory.ESCAPES).max() == pytest.approx(zero, rel=1e-9)
    below, above = (
        theory.recursion(outputs, theory.ESCAPES * k).max() - (1 + 1 / (theory.ESCAPES * k)) for k in (0.99, 1.01)
    )
    assert below < 0 < above
    assert theory.rate_of(theory.ESCAPES) == pytest.approx(0.3995, abs=1e-4)


@pytest.mark.parametrize("c", [1.05, 1.2, 1.5])
def test_bounded_orbits_have_a_positive_mean_residual(c):
    output, logs, residuals = 1e-3, [], []
    for step in range(60_000):
        if step >= 10_000:
            logs.append(np.log(abs(1 + c * (1 - output))))
            residuals.append(1 - output)
        output = theory.recursion(output, c)
    assert abs(np.mean(logs)) < 1e-3
    assert np.mean(residuals) > 0.01


@pytest.mark.parametrize("c", [1.2, 1.44, 1.56])
def test_two_features_settle_at_the_resting_fraction(c):
    """The recursion with a strong and a weak part: started unstable, it ends with the slope back at −1."""
    strong, weak, ratio = 0.99, 1e-4, 0.1
    for _ in range(200_000):
        residual = 1 - strong - weak
        strong *= (1 + c * residual) ** 2
        weak *= (1 + c * ratio**2 * residual) ** 2
    assert abs(1 - strong - weak) < 0.05
    assert weak == pytest.approx(float(theory.resting_fraction(c, ratio)), rel=0.06)


@pytest.mark.parametrize("batch", ["single", "full"])
def test_orbit_is_that_of_autograd_on_the_patch_network(batch):
    condition = Condition(batch, 1.0, 0.3, 25)
    patches, labels = training_set(SMALL, 1.0, 0)
    order, weights = visits(SMALL, condition, 0), first_weights(SMALL, 0)
    model = initialise(patch_network(SMALL.dimension, SMALL.units).double(), generator(0, INITIALISATION))
    rate = 0.3 * SMALL.units
    optimiser = torch.optim.SGD(model.parameters(), lr=rate)
    expected = []
    for chosen in order:
        outputs, targets = model(torch.from_numpy(patches[chosen])).squeeze(-1), torch.from_numpy(labels[chosen])
        expected.append((targets * outputs).detach().numpy())
        optimiser.zero_grad()
        (outputs - targets).square().mean().backward()
        optimiser.step()
    snapshots = np.zeros((25, *weights.shape))
    margins, taken = descend(weights, patches, labels, order, np.full(25, rate), snapshots, 1)
    assert taken == 25
    assert margins == pytest.approx(np.array(expected), abs=1e-10)
    assert snapshots[-1] == pytest.approx(model[0].weight.detach().numpy(), abs=1e-10)


def test_growth_is_that_of_the_projections_that_help_and_missing_where_there_is_none():
    """Two units for +, two for −; a weak projection of 1 on the side of its label, grown by e, the other one by e³."""
    first = np.zeros((4, 3))
    first[[0, 1, 2, 3], 1] = 1, -5, -1, 5
    last = np.zeros((4, 3))
    last[[0, 1, 2, 3], 1] = np.e, -5, -(np.e**3), 5
    assert growth(np.stack([first, last]), 1) == pytest.approx([0, 2])
    assert np.isnan(growth(np.stack([0 * first, last]), 1)).all()


def test_an_escape_ends_the_run():
    patches, labels = training_set(SMALL, 1.0, 0)
    weights, order = first_weights(SMALL, 0), visits(SMALL, Condition("single", 1.0, 2.0, 500), 0)
    rates, snapshots = np.full(500, 2.0 * SMALL.units), np.zeros((5, *weights.shape))
    margins, taken = descend(weights, patches, labels, order, rates, snapshots, 100)
    assert taken < 500
    assert np.isfinite(margins[:taken]).all()
    assert np.isnan(margins[taken + 1 :]).all()


def test_noise_is_orthogonal_to_both_features_and_weak_examples_lack_the_strong_one():
    spec = BenignOscillationSpec.build(n_train=8, weak_only=3)
    patches, labels = training_set(spec, 2.0, 5)
    assert (patches[:, 2, :2] == 0).all()
    assert ((patches[:, 1] == 0).all(1)).sum() == 3
    assert set(labels[(patches[:, 1] == 0).all(1)]) == {1.0, -1.0}
    tests, _ = weak_test_set(spec, 5)
    assert (tests[:, :, 0] == 0).all()
    assert len(tests) >= 200


def test_table_keeps_the_identity(table):
    assert judge(BY_ID["growth-identity"], table, SMALL).verdict == "holds"
    weak, strong = (claims.course(table, q) for q in ("weak fraction", "strong fraction"))
    assert ((weak + strong).dropna() < 3).all(axis=None)
    # Where nothing oscillates the strong feature has grown to carry the output, and the weak one has not.
    ends = {
        quantity: claims.final(table, quantity)[0.2] for quantity in ("strong fraction", "strong growth", "weak growth")
    }
    assert (ends["strong fraction"] > 0.8).all()
    assert (ends["strong growth"] > 5 * ends["weak growth"].abs()).all()


def test_critical_rate_is_interpolated():
    found = [(0, "single", 1.0, rate, 10, "weak growth", value) for rate, value in ((0.2, 0.0), (0.3, 2 * np.log(2)))]
    found += [(0, "single", 1.0, rate, 10, "escaped", 0.0) for rate in (0.2, 0.3)]
    assert claims.critical_rate(pd.DataFrame(found, columns=COLUMNS)).tolist() == [pytest.approx(0.25)]


def test_threshold_in_the_network_and_in_its_control():
    spec = STUDY.build(
        "quick",
        {"scaled_learning_rates": [0.2, 0.24, 0.28, 0.36], "full_batch_steps": 100, "strengths": [], "steps": 4000},
    )
    threshold = BY_ID["threshold"]
    assert judge(threshold, run(spec, range(3), "cpu"), spec).verdict == "holds"
    control = STUDY.changed(
        spec,
        {**STUDY.controls["half the loss"], "full_batch_steps": 100, "scaled_learning_rates": [0.4, 0.48, 0.56, 0.7]},
    )
    assert judge(threshold, run(control, range(3), "cpu"), control).verdict == "fails"


SPEC = BenignOscillationSpec.build(
    scaled_learning_rates=[0.2, 0.24, 0.26, 0.3, 0.36, 0.39, 0.41],
    full_batch_learning_rates=[0.4, 0.48, 0.52, 0.6, 0.7],
    steps=8000,
)
TWICE = 2 * np.log(2)  # what is said to be learned is passed half-way from nothing to this


def synthetic(
    learned_from=0.26,
    full_from=0.52,
    escapes_from=0.41,
    accuracy=0.9,
    early=0.05,
    residual=0.1,
    unsettled=1.0,
    weak=1.05,
    strong=1.05,
    jumped=0.1,
    unjumped=3.0,
    missed=0.0,
    seeds=(0, 1, 2),
):
    """Runs that learn from one rate on and escape from another; all seeds a little apart.

    ``accuracy``: of those that learn. ``early``: part of the growth in the first twentieth. ``unsettled``: at the end,
    at the rate .36. ``weak`` and ``strong``: fractions at the end over those predicted for .36. ``jumped`` and
    ``unjumped``: log growth of the two runs that tell jump and oscillation apart. ``missed``: by the sum.
    """
    rest = claims.resting_fraction(SPEC, 0.36)
    rows = []
    for seed in seeds:
        k = 1 + 0.01 * seed
        for rate in SPEC.scaled_learning_rates:
            learns = rate >= learned_from
            rows.append((seed, "single", 1.0, rate, 100, "escaped", float(rate >= escapes_from)))
            for step, part in ((0, 0.0), (5, early), (50, 0.5), (60, 0.6), (100, k)):
                measured = {
                    "weak growth": TWICE * learns * part,
                    "weak growth by the sum": TWICE * learns * part - missed,
                    "weak accuracy": accuracy if learns and step else 0.5,
                    "residual": residual * k if step > 50 else 0.9,
                    "unsettled": unsettled if rate == 0.36 else 1.0,
                    "weak fraction": weak * k * rest,
                    "strong fraction": strong * k * (1 - rest),
                }
                rows += [(seed, "single", 1.0, rate, step, name, value) for name, value in measured.items()]
        ends = [("full", rate, TWICE * (rate >= full_from)) for rate in SPEC.full_batch_learning_rates]
        ends += [("jump only", 0.36, jumped * k), ("no jump", 0.36, unjumped * k)]
        for name, rate, whole in ends:
            rows.append((seed, name, 1.0, rate, 100, "escaped", 0.0))
            rows += [(seed, name, 1.0, rate, step, "weak growth", value) for step, value in ((50, 0.0), (100, whole))]
    return pd.DataFrame(rows, columns=COLUMNS)


def known(holding, changed, failing):
    return Known(Answer(synthetic(), holding, SPEC), Answer(synthetic(**changed), failing, SPEC))


K = np.array([1, 1.01, 1.02])
KNOWN = {
    "weak-learned": known([1.8] * 3, {"accuracy": 0.5}, [1] * 3),
    "threshold": known((0.24 + 0.01 / K) / 0.25, {"learned_from": 0.36}, (0.3 + 0.03 / K) / 0.25),
    "full-batch-threshold": known([1] * 3, {"full_from": 0.7}, [1.3] * 3),
    "window-ends": known(
        [(0.39 * 0.41) ** 0.5 / claims.ESCAPE_RATE] * 3,
        {"escapes_from": 0.3},
        [(0.26 * 0.3) ** 0.5 / claims.ESCAPE_RATE] * 3,
    ),
    # every measured step of the six rates that do not escape
    "growth-identity": known([0] * 90, {"missed": 0.1}, [0.1] * 90),
    "residual-positive": known(0.1 * K, {"residual": 0.01}, 0.01 * K),
    "lasting-not-jump": known(0.05 / K, {"early": 0.5}, 0.5 / K),
    "jump-teaches-nothing": known(np.exp(0.1 * K), {"jumped": 1.0}, np.exp(K)),
    "oscillation-teaches-without-jump": known(np.exp(3 * K), {"unjumped": 0.1}, np.exp(0.1 * K)),
    "oscillation-lasts": known([1] * 3, {"unsettled": 0.2}, [0.2] * 3),
    "oscillation-ends-itself": known(1.05 * K - 1, {"strong": 1.3}, 1.3 * K - 1),
    "weak-takes-over": known(1.05 * K - 1, {"weak": 0.5}, 0.5 * K - 1),
}


def test_a_rate_is_known_to_half_a_rung_where_it_was_found():
    """Between .24 and .26, whatever the rungs elsewhere."""
    found = judge(BY_ID["threshold"], synthetic(), SPEC)
    assert np.log(found.high / found.estimate) == pytest.approx(np.log(0.26 / 0.24) / 2, rel=1e-3)
    farther = judge(BY_ID["threshold"], synthetic(learned_from=0.36), SPEC)
    assert np.log(farther.high / farther.estimate) == pytest.approx(np.log(0.36 / 0.3) / 2, rel=1e-3)


def test_of_a_run_that_escapes_counts_what_it_had_learned_before():
    made = synthetic()
    made.loc[(made["run"] == "no jump") & (made["quantity"] == "escaped") & (made["seed"] == 1), "value"] = 1.0
    assert claims.weak_grown(made, "no jump").tolist() == pytest.approx([np.exp(3), 1, np.exp(3.06)])


def test_an_orbit_that_escapes_swings_no_more():
    made = synthetic(escapes_from=0.39)
    assert BY_ID["oscillation-lasts"].statistic(made, SPEC).tolist() == [0, 0, 0]


def test_one_seed_that_settles_at_one_rate_is_seen():
    made = synthetic()
    settled = (made["run"] == "single") & (made["quantity"] == "unsettled") & (made["seed"] == 2)
    made.loc[settled & (made["scaled learning rate"] == 0.3) & (made["step"] == 100), "value"] = 0.0
    assert BY_ID["oscillation-lasts"].statistic(made, SPEC).tolist() == [1, 1, 0]


def test_readings_for_figures_leave_out_what_escaped():
    made = synthetic()
    assert set(claims.bounded(made, "weak fraction", [0.36, 0.41])["scaled learning rate"]) == {0.36}
    grown = claims.apart(made, SPEC, "weak growth")
    assert set(zip(grown["run"], grown["scaled learning rate"], strict=True)) == {
        ("single", 0.36),
        ("jump only", 0.36),
        ("no jump", 0.36),
    }
    visits = [(1, "single", 1.0, 0.2, step, "output", value) for step, value in ((9, 2.0), (4, 1.0))]
    assert claims.orbit(pd.DataFrame(visits, columns=COLUMNS), 0.2).to_list() == [1.0, 2.0]
    assert claims.diagram(made).empty


def test_the_diagram_tells_learning_rates_and_averages_over_what_stayed():
    rows = []
    for seed, gone in ((0, 0.0), (1, 1.0)):
        rows.append((seed, "diagram", 2.0, 0.4, 100, "escaped", gone))
        rows.append((seed, "diagram", 2.0, 0.4, 100, "weak accuracy", np.nan if gone else 0.8))
    (cell,) = claims.diagram(pd.DataFrame(rows, columns=COLUMNS)).to_dict("records")
    assert (cell["learning rate"], cell["escaped"], cell["weak accuracy"]) == pytest.approx((0.1, 0.5, 0.8))
