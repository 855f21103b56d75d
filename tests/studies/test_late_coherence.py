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
from tests.known import Answer, Known

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


SPREAD = (1.0, 1.02, 1.04)  # between seeds: those that agree exactly would not be judged


def _table(power=2.0, calm=0.1, left=0.2, kept=2.0, predicted=2.0, real=6.0, speed=2.0) -> pd.DataFrame:
    """Late coherence 3 · factor^power on random labels, ``real`` on real ones; small steps multiply it by ``calm``.

    Without sharp directions ``left`` of it is left, on real labels ``kept``; the prediction is ``predicted`` times as
    high. Powers and factors are the first seed's, those of the others larger by their spread. In small steps the loss
    falls by .002 a step on real labels, on random ones ``speed`` times slower.
    """
    rows = []
    for seed, spread in enumerate(SPREAD):
        for given, scale in (("real", real), ("random", 3.0)):
            for factor in (0.5, 1.0, 3.0):
                late = scale * factor ** (power * spread)
                rows += [(seed, given, factor, "as before", step, "m-coherence", 0, late) for step in (0, 30, 60)]
                rest = scale * spread * (kept if given == "real" else left)
                rows.append((seed, given, factor, "training", 900, "m-coherence", 0, scale))
                rows.append((seed, given, factor, "training", 900, "m-coherence", 9, rest))
                rows.append(
                    (seed, given, factor, "training", 900, "predicted m-coherence", 0, predicted * spread * late)
                )
            for step in (0, 10, 100, 200):
                now = scale * (1.0 if given == "real" or step == 0 else calm * spread)
                loss = 1.0 - 0.002 * step if given == "real" else 0.9 - 0.002 / speed * step
                rows.append((seed, given, 1.0, "small steps", step, "m-coherence", 0, now))
                rows.append((seed, given, 1.0, "small steps", step, "train loss", 0, loss))
    columns = ["seed", "given", "factor", "phase", "step", "quantity", "removed", "value"]
    return pd.DataFrame(rows, columns=columns).assign(group="all", layer="all")


def _answer(value, grows=1, **changes):
    """The first seed's value; the others' are larger by their spread, or smaller by it."""
    return Answer(_table(**changes), [value * spread**grows for spread in SPREAD], STUDY.build("quick", {}))


KNOWN = {
    "late-rise-needs-large-steps": Known(_answer(2.0), _answer(0.1, power=0.1)),
    "small-steps-anneal-random": Known(_answer(0.1), _answer(0.9, calm=0.9)),
    "sharp-directions-carry-random": Known(_answer(0.2), _answer(0.9, left=0.9)),
    "real-pattern-lies-elsewhere": Known(_answer(2.0), _answer(0.5, kept=0.5)),
    "noise-explains-late-rise": Known(_answer(0.5, -1), _answer(0.1, -1, predicted=10.0)),
    "annealed-real-above-random": Known(_answer(20.0, -1), _answer(2.0, -1, real=0.6)),
    "coherence-beyond-speed": Known(_answer(10.0, -1), _answer(1.0, -1, speed=20.0)),
}


def test_where_small_steps_end_at_once_their_speed_is_unknown():
    table = _table()
    small = table["phase"] == "small steps"
    assert claims.speed_ratio(table, STUDY.build("quick", {})).tolist() == pytest.approx([2.0] * 3)
    assert claims.speed_ratio(table[~small | (table["step"] == 10)], STUDY.build("quick", {})).isna().all()


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
