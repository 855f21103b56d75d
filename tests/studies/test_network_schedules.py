"""Schedules on a network: the norm of a batch's gradient by brute force, the two trainings, statistics on tables."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from genbook.studies import get
from genbook.studies.batches.network_schedules import claims
from genbook.studies.batches.network_schedules.run import BEFORE, batch_norms, run
from genbook.studies.batches.network_schedules.spec import GRADIENTS, NetworkSchedulesSpec
from genbook.studies.batches.shared import SCHEDULES, refined
from tests.known import Answer, Known

STUDY = get("network_schedules")
SMALL = STUDY.build("smoke", {})


@pytest.fixture(scope="module")
def table():
    return run(SMALL, [0, 1], "cpu")


def test_norms_are_those_of_batches_drawn_at_random():
    """‖g_B‖², its mean over many batches in float64, against what a norm and a coherence say of it."""
    torch.manual_seed(0)
    inputs, labels = torch.randn(30, 4).double(), torch.randint(3, (30,))
    model = nn.Linear(4, 3).double()
    each = []
    for x, label in zip(inputs, labels, strict=True):
        loss = nn.functional.cross_entropy(model(x), label)
        each.append(torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(model.parameters()))]).numpy())
    each = np.array(each)
    total = (each.sum(0) ** 2).sum()
    course = pd.DataFrame({"gradient norm": [np.sqrt(total) / 30], "m-coherence": [total / (each**2).sum()]}, [0])
    spec = NetworkSchedulesSpec.build(n_train=30, batch_size=5, window=0.0)
    drawn = each[np.random.default_rng(0).integers(0, 30, (40_000, 5))].mean(1)
    assert batch_norms(course, spec)[0] ** 2 == pytest.approx((drawn**2).sum(1).mean(), rel=0.02)


def test_every_schedule_is_tried_at_every_peak(table):
    ends = table[(table["schedule"] != BEFORE) & (table["quantity"] == "train loss")]
    assert set(ends["schedule"]) == {*SCHEDULES, "refined"}
    assert not ends.duplicated(["seed", "schedule", "peak"]).any()
    assert len(ends) == 2 * 6 * len(SMALL.peaks)
    assert set(ends["step"]) == {SMALL.steps}


def test_the_refined_schedule_is_made_of_a_run_on_other_draws(table):
    """The first run trained here by a design of its own; the factors are made of its norms, and differ by seed."""
    from genbook.experiments import Design
    from genbook.studies.batches.network_schedules.run import FIRST

    mine = table[(table["seed"] == 1) & (table["schedule"] == BEFORE)]
    (peak,) = mine["peak"].unique()
    linear = tuple(1 - np.arange(SMALL.steps) / SMALL.steps)
    first = Design([SMALL.condition("linear", linear, peak, GRADIENTS)]).run([1 + FIRST], "cpu")
    course = first[first["group"] == "all"].pivot(index="step", columns="quantity", values="value")
    norms = batch_norms(course, SMALL)
    found = claims.made(table, "batch gradient norm").loc[1]
    assert found.to_numpy() == pytest.approx(norms[found.index].to_numpy(), rel=1e-5)
    shape = refined(np.interp(np.arange(SMALL.steps), norms.index, norms))
    factors = claims.made(table)
    assert factors.loc[1].to_numpy() == pytest.approx(shape[factors.columns], rel=1e-4)
    assert not np.allclose(factors.loc[0], factors.loc[1])


def test_a_batch_larger_than_the_training_set_is_refused():
    with pytest.raises(ValueError, match="want at most the training set's size, 20"):
        NetworkSchedulesSpec.build(n_train=20, batch_size=21)


# --- statistics -----------------------------------------------------------------------------------------------------

SPEC = NetworkSchedulesSpec.build(peaks=[1.0, 2.0], steps=100)
GOOD = {"constant": 4.0, "inverse square root": 3.0, "step": 2.5, "cosine": 2.0, "linear": 1.0, "refined": 0.5}
BAD = {"constant": 1.0, "inverse square root": 1.0, "step": 1.5, "cosine": 2.0, "linear": 2.0, "refined": 2.2}
GROWN = np.array([1, 1.01, 1.02])


def known_table(losses, first, late):
    """Three seeds: losses by schedule, at peak 2 ten times those at peak 1; test losses the other way round."""
    rows = []
    for seed, grown in enumerate(GROWN):
        for schedule, loss in losses.items():
            loss *= grown ** {"linear": 1, "refined": 2}.get(schedule, 0)
            for peak, times in ((1.0, 1.0), (2.0, 10.0)):
                rows.append((seed, schedule, peak, 100, "train loss", loss * times))
                rows.append((seed, schedule, peak, 100, "test loss", 3 * loss / times))
        for step, factor in ((0, first * grown), (20, 1.0), (80, late * grown), (99, 0.01)):
            rows.append((seed, BEFORE, 1.0, step, "factor", factor))
    return pd.DataFrame(rows, columns=["seed", "schedule", "peak", "step", "quantity", "value"])


HOLDS, FAILS = known_table(GOOD, 0.25, 0.4), known_table(BAD, 1 / 1.1, 0.2)


def known(holds, fails):
    return Known(holds=Answer(HOLDS, list(holds), SPEC), fails=Answer(FAILS, list(fails), SPEC))


KNOWN = {
    "network-warms-up": known(4 / GROWN, 1.1 / GROWN),
    "network-anneals-late": known(2 * GROWN, GROWN),
    "network-refined-beats-linear": known(GROWN / 2, GROWN * 1.1),
    "network-linear-matches-best": known(GROWN / 2, GROWN * 2),
    "network-linear-beats-constant": known(GROWN / 4, GROWN * 2),
    "network-refined-generalizes": known(GROWN / 2, GROWN * 1.1),
}


def test_peaks_are_chosen_by_training_loss_also_where_test_loss_is_told():
    assert claims.losses(HOLDS, "test loss")["linear"].tolist() == pytest.approx(list(3 * GROWN))
