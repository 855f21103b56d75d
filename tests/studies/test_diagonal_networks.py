"""Diagonal linear networks: steps against autograd, the end of gradient flow against small steps, the statistics."""

import numpy as np
import pandas as pd
import pytest
import torch

from genbook.base.claims import judge
from genbook.studies import get
from genbook.studies.steps.diagonal_networks import claims
from genbook.studies.steps.diagonal_networks.descent import descend
from genbook.studies.steps.diagonal_networks.run import COLUMNS, problem, risk, run, trainers
from genbook.studies.steps.diagonal_networks.spec import DiagonalNetworksSpec
from genbook.studies.steps.diagonal_networks.theory import end_of_flow
from tests.known import Answer, Known

STUDY = get("diagonal_networks")
SMALL = STUDY.build("smoke", {})


def started(spec):
    return np.full(spec.inputs, np.sqrt(2) * spec.start), np.zeros(spec.inputs)


@pytest.mark.parametrize("size", [1, 3, 10])
def test_steps_are_those_of_autograd(size):
    made = problem(SMALL, 3, 0.1)
    picks = np.random.default_rng(0).integers(0, SMALL.n_train, (7, size))
    u, v = started(SMALL)
    assert descend(made.inputs, made.targets, u, v, 0.2, picks, 7, 4, 5.0)
    inputs, targets = torch.from_numpy(made.inputs), torch.from_numpy(made.targets)
    ours = [torch.from_numpy(part).requires_grad_() for part in started(SMALL)]
    for step, pick in enumerate(picks):
        residuals = inputs[pick] @ (ours[0] * ours[1]) - targets[pick]
        moves = torch.autograd.grad((residuals**2).mean() / 2, ours)
        rate = 0.2 if step < 4 else 0.2 / 5
        ours = [(part - rate * move).detach().requires_grad_() for part, move in zip(ours, moves, strict=True)]
    assert u == pytest.approx(ours[0].detach().numpy(), rel=1e-12)
    assert v == pytest.approx(ours[1].detach().numpy(), rel=1e-12)


def test_a_step_shrinks_each_imbalance_by_the_square_of_its_move():
    made = problem(SMALL, 1, 0.1)
    rng = np.random.default_rng(1)
    u, v = rng.standard_normal(SMALL.inputs), rng.standard_normal(SMALL.inputs)
    before = u**2 - v**2
    gradient = made.inputs.T @ (made.inputs @ (u * v) - made.targets) / SMALL.n_train
    assert descend(made.inputs, made.targets, u, v, 0.3, np.arange(SMALL.n_train)[None], 1, 5, 1.0)
    assert u**2 - v**2 == pytest.approx(before * (1 - (0.3 * gradient) ** 2), rel=1e-10)


def test_the_end_of_flow_is_where_small_steps_end():
    made = problem(SMALL, 0, 0.1)
    u, v = started(SMALL)
    assert descend(made.inputs, made.targets, u, v, 2e-3, np.arange(SMALL.n_train)[None], 300_000, 10**9, 1.0)
    end = end_of_flow(made.inputs, made.targets, np.full(SMALL.inputs, 2 * SMALL.start**2))
    assert made.inputs @ end == pytest.approx(made.targets, abs=1e-8)
    assert u * v == pytest.approx(end, abs=3e-3)


def test_flow_ends_near_least_squares_from_a_large_start_and_near_the_least_sum_from_a_small_one():
    made = problem(SMALL, 2, 0.1)
    least_squares = np.linalg.pinv(made.inputs) @ made.targets
    assert end_of_flow(made.inputs, made.targets, np.full(20, 1e4)) == pytest.approx(least_squares, abs=1e-4)
    sums = [np.abs(end_of_flow(made.inputs, made.targets, np.full(20, c))).sum() for c in (1e-6, 1e-2, 1, 1e4)]
    assert sums == sorted(sums)


def test_what_diverges_is_told():
    made = problem(SMALL, 0, 0.1)
    assert not descend(made.inputs, made.targets, *started(SMALL), 50.0, np.arange(10)[None], 500, 400, 1.0)


def test_the_largest_rate_trains_and_much_larger_ones_do_not():
    made = problem(SMALL, 0, 0.1)
    for trainer in trainers(SMALL, 0, made).values():
        largest = trainer.largest()
        assert trainer.fits(largest)
        assert not trainer.fits(4 * largest)


def test_risk_is_that_of_fresh_inputs():
    made = problem(SMALL, 4, 1.0)
    weights = np.linspace(-1, 1, 20)
    fresh = np.random.default_rng(0).standard_normal((200_000, 20))
    assert risk(made, weights) == pytest.approx(np.square(fresh @ (weights - made.teacher)).mean(), rel=0.02)
    assert np.linalg.norm(made.teacher) == pytest.approx(SMALL.length)


def test_whole_set_as_small_batches_is_the_whole_set():
    spec = STUDY.build("smoke", {"batch_size": 10**6})
    table = run(spec, [0], "cpu").set_index("batches")["value"].astype(float)
    assert table["small"].to_numpy() == pytest.approx(table["whole"].to_numpy(), nan_ok=True)


SPEC = DiagonalNetworksSpec.build(
    n_train=4, inputs=8, used=[0.25, 1.0], fractions=[0.1, 0.3, 0.5, 0.7], annealed_sooner=[0.01, 0.1]
)
FRACTIONS = SPEC.fractions


def synthetic(sparse, whole, dense, used, predicted, soon, left=1e-5):
    """Risks by learning rate of the three kinds of runs that claims are about, with what explains the first of them."""
    rows = []
    for seed in (0, 1, 2):
        own = 1 + 0.01 * seed

        def add(used_part, batches, after, fraction, seed=seed, **values):
            of = (seed, used_part, batches, fraction, after)
            rows.extend((*of, name.replace("_", " "), value) for name, value in values.items())

        for place, fraction in enumerate(FRACTIONS):
            grown = own if place == len(FRACTIONS) - 1 else 1
            add(0.25, "small", 0.6, fraction, risk=grown * sparse[place], loss_left=left)
            add(0.25, "small", 0.6, fraction, predicted_risk=grown * sparse[place] * predicted)
            add(0.25, "small", 0.6, fraction, **{"shrinkage, used": used * own, "shrinkage, unused": 2.0})
            add(0.25, "whole", 0.6, fraction, risk=grown * whole[place], loss_left=left)
            add(1.0, "small", 0.6, fraction, risk=grown * dense[place], loss_left=left)
        add(0.25, "small", 0.01, FRACTIONS[-1], risk=soon, loss_left=left)
        add(0.25, "small", 0.1, FRACTIONS[-1], risk=soon / 2, loss_left=left)
        add(0.25, "none", 0.0, 0.0, risk=1.0)
    return pd.DataFrame(rows, columns=COLUMNS)


AS_SAID = synthetic([1, 0.8, 0.5, 0.1], [1, 1, 2, 4], [3, 3.1, 3.2, 3.6], used=2.4, predicted=1.1, soon=0.2)
CONTRARY = synthetic([1, 1.1, 1.2, 1.5], [1, 0.9, 0.8, 0.7], [3, 2, 1, 0.6], used=20, predicted=1.8, soon=1.0)


def grown(value):
    return [value, 1.01 * value, 1.02 * value]


KNOWN = {
    "large-steps-help-sparse": Known(Answer(AS_SAID, grown(0.1), SPEC), Answer(CONTRARY, grown(1.5), SPEC)),
    "whole-set-loses-by-them": Known(Answer(AS_SAID, grown(4), SPEC), Answer(CONTRARY, grown(0.7), SPEC)),
    "dense-teacher-not-helped": Known(Answer(AS_SAID, grown(1.2), SPEC), Answer(CONTRARY, grown(0.2), SPEC)),
    "larger-is-better": Known(Answer(AS_SAID, [-1] * 3, SPEC), Answer(CONTRARY, [1] * 3, SPEC)),
    "longer-is-better": Known(Answer(AS_SAID, grown(0.5), SPEC), Answer(CONTRARY, grown(1.5), SPEC)),
    "noise-shrinks-evenly": Known(Answer(AS_SAID, grown(1.2), SPEC), Answer(CONTRARY, grown(10), SPEC)),
}


def explained_differently(table, factors):
    """The same table with predictions that differ by seed: seeds without spread are not judged."""
    own = table["seed"].map(dict(enumerate(factors)))
    return table.assign(value=table["value"].where(table["quantity"] != "predicted risk", table["value"] * own))


KNOWN["imbalance-explains-risk"] = Known(
    Answer(explained_differently(AS_SAID, [1, 0.99, 1.01]), [1.1, 1.089, 1.111], SPEC),
    Answer(explained_differently(CONTRARY, [1, 0.99, 1.01]), [1.8, 1.782, 1.818], SPEC),
)


def test_what_did_not_fit_is_censored():
    made = synthetic([1, 0.8, 0.5, 0.1], [1, 1, 2, 4], [3, 3.1, 3.2, 3.6], 2.4, 1.1, 0.2, left=0.01)
    for claim in claims.CLAIMS:
        assert judge(claim, made, SPEC).censored == 3, claim.id


def test_flow_is_what_figures_divide_by():
    rows = claims.over_flow(AS_SAID, SPEC, 0.25, "small")
    assert rows[rows["fraction"] == 0.5]["value"].tolist() == [0.5] * 3


def test_settings_come_out_as_they_must():
    for name, changes in STUDY.controls.items():
        control = STUDY.build("quick", changes)
        table = run(control, range(8), "cpu")
        for claim in STUDY.claims:
            if claim.control == name:
                assert judge(claim, table, control).verdict == "fails", claim.id
