"""Late coherence: closed forms against brute force and simulation, statistics on tables with known answers."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from genbook import studies
from genbook.gradients import coherence
from genbook.models import mlp
from genbook.studies.memorisation.late_coherence import claims
from genbook.studies.memorisation.late_coherence.run import (
    noise_coherence,
    per_example_gradients,
    run,
    without_directions,
)
from genbook.tables.readings import curve

STUDY = studies.get("late_coherence")


def test_per_example_gradients_have_the_coherence_of_the_library():
    torch.manual_seed(0)
    model, inputs, labels = mlp((5, 7, 3)).double(), torch.randn(20, 5).double(), torch.randint(3, (20,))
    gradients = per_example_gradients(model, inputs, labels)
    expected = coherence(model, nn.CrossEntropyLoss(), inputs, labels).m_coherence
    found = without_directions(gradients, gradients[:, :0])
    assert found.shape == (1,)
    assert float(found[0]) == pytest.approx(float(expected), rel=1e-10)


def test_removing_directions_is_projecting_them_out():
    torch.manual_seed(1)
    gradients = torch.randn(12, 9).double()
    directions = torch.linalg.qr(torch.randn(9, 4).double()).Q.T
    found = without_directions(gradients, gradients @ directions.T)
    for k in range(5):
        rest = gradients - gradients @ directions[:k].T @ directions[:k]
        expected = rest.sum(0).square().sum() / rest.square().sum()
        assert float(found[k]) == pytest.approx(float(expected), rel=1e-10)


def test_where_directions_leave_only_their_rounding_there_is_no_coherence():
    torch.manual_seed(2)
    directions = torch.linalg.qr(torch.randn(9, 4).double()).Q.T
    gradients = torch.randn(12, 4).double() @ directions
    found = without_directions(gradients, (gradients @ directions.T).float())
    assert found.isnan().tolist() == [False, False, False, False, True]


@pytest.mark.parametrize(("step", "curvature"), [(0.3, 0.5), (0.5, 3.0)])
def test_noise_coherence_is_that_of_sgd_on_a_valley(step, curvature):
    """SGD on ½λw² with examples' gradients λw + ε_i, Σ ε = 0, each batch drawn anew without replacement."""
    rng = np.random.default_rng(2)
    m, batch, walkers = 20, 5, 4000
    noise = rng.standard_normal(m)
    noise -= noise.mean()
    w, squares = np.zeros(walkers), []
    for moment in range(300):
        chosen = rng.permuted(np.tile(noise, (walkers, 1)), axis=1)[:, :batch]
        w -= step * (curvature * w + chosen.mean(1))
        if moment >= 100:
            squares.append(np.mean((curvature * w) ** 2))
    spread = noise.var() * m / (m - 1)  # the variance of a mean without replacement is spread (m - b) / (m b)
    measured = m * np.mean(squares) / spread
    predicted = float(noise_coherence(torch.ones(1), torch.tensor([curvature]), step, batch, m))
    assert measured == pytest.approx(predicted, rel=0.06)


def test_noise_coherence_vanishes_with_whole_batches_and_ignores_negative_curvature():
    assert float(noise_coherence(torch.ones(1), torch.tensor([5.0]), 0.1, 30, 30)) == 0
    assert float(noise_coherence(torch.ones(1), torch.tensor([-5.0]), 0.1, 10, 30)) == 0
    assert math.isfinite(float(noise_coherence(torch.ones(1), torch.tensor([50.0]), 0.1, 10, 30)))


def _table(power: float = 2.0, calm: float = 0.1) -> pd.DataFrame:
    """Late coherence 3 · factor^power; small steps multiply it by ``calm``; sharp directions halve or double it."""
    rows = []
    for seed in range(3):
        for given, scale in (("real", 6.0), ("random", 3.0)):
            for factor in (0.5, 1.0, 3.0):
                late = scale * factor**power
                rows += [(seed, given, factor, "as before", step, "m-coherence", 0, late) for step in (0, 30, 60)]
                left = scale * (2.0 if given == "real" else 0.5)
                rows.append((seed, given, factor, "training", 900, "m-coherence", 0, scale))
                rows.append((seed, given, factor, "training", 900, "m-coherence", 9, left))
                rows.append((seed, given, factor, "training", 900, "predicted m-coherence", 0, 2 * scale))
            for step in (0, 10, 100, 200):
                kept = 1.0 if given == "real" or step == 0 else calm
                loss = (1.0 if given == "real" else 0.9) - 0.002 * step
                rows.append((seed, given, 1.0, "small steps", step, "m-coherence", 0, scale * kept))
                rows.append((seed, given, 1.0, "small steps", step, "train loss", 0, loss))
    columns = ["seed", "given", "factor", "phase", "step", "quantity", "removed", "value"]
    return pd.DataFrame(rows, columns=columns).assign(group="all", layer="all")


@pytest.mark.parametrize(
    ("claim", "value"),
    [
        ("late-rise-needs-large-steps", 2.0),
        ("small-steps-anneal-random", 0.1),
        ("sharp-directions-carry-random", 0.5),
        ("real-pattern-lies-elsewhere", 2.0),
        ("noise-explains-late-rise", 2.0),
        ("annealed-real-above-random", 20.0),
    ],
)
def test_statistics_on_a_table_with_known_answers(claim, value):
    statistic = next(one.statistic for one in STUDY.claims if one.id == claim)
    found = statistic(_table(), STUDY.build("quick", {}))
    assert list(found.index) == [0, 1, 2]
    assert found.to_numpy() == pytest.approx(value)


def test_one_learning_rate_leaves_its_power_unknown():
    table = _table()
    statistic = next(one.statistic for one in STUDY.claims if one.id == "late-rise-needs-large-steps")
    assert statistic(table[table["factor"] == 1], STUDY.build("quick", {})).isna().all()


def test_pairs_add_up():
    changes = {"n_train": 60, "hidden": [12], "steps": 200, "time": 0.1, "factors": [1.0], "directions": 3}
    table = run(STUDY.build("quick", changes), [0, 1], "cpu")
    for given in ("real", "random"):
        whole = claims.stopped(table, "m-coherence", given)[1.0].to_numpy()
        pairs = table[(table["quantity"] == "pairs") & (table["phase"] == "training") & (table["given"] == given)]
        assert (1 + pairs.groupby("seed")["value"].sum()).to_numpy() == pytest.approx(whole, rel=1e-3)
        first = curve(table, "m-coherence", phase="small steps", given=given).xs(0, level="step")
        assert first.to_numpy() == pytest.approx(whole, rel=1e-3)
