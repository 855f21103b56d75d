"""Large batches: statistics on known tables, the conditions, what is refused."""

import numpy as np
import pandas as pd
import pytest

from genbook import studies
from genbook.experiments import MLP
from genbook.studies.batches.large_batches.claims import high_phase, left_by, noise_scale
from genbook.studies.batches.large_batches.design import LargeBatchesSpec, design
from tests.known import Answer, Known

STUDY = studies.get("large_batches")
SPEC = LargeBatchesSpec()
END = 800  # updates on small batches: 16 epochs of 50
STEPS = (10, 60, 90, 135, 200, 300, 450, 530, 700)
OF_PHASE = np.array(STEPS[1:8])
ERRORS = {"small": 0.03, "large": 0.5, "scaled": 0.1, "long": 0.04, "normalised": 0.06, "ghosts": 0.04}
NONE = dict.fromkeys(ERRORS, 0.2)


def known_table(errors=ERRORS, way=np.log, noise=40.0):
    """Distances that are a function of the step but for a zigzag; outside the phase all is wild."""
    rows = []
    for seed in range(3):
        rows += [(seed, run, END, "test accuracy", 1 - error) for run, error in errors.items()]
        for place, step in enumerate(STEPS):
            inside = step in OF_PHASE
            bend = (-1) ** place * 0.01 * (1 + seed)
            rows.append((seed, "small", step, "distance", way(step) + bend if inside else 1e3))
            rows.append((seed, "small", step, "off-diagonal coherence", 1 / (1 + noise + seed) if inside else 1.0))
    return pd.DataFrame(rows, columns=["seed", "run", "step", "quantity", "value"])


def better(way):
    """By hand: squares left by the better of √t and t over those left by log t, from correlations."""
    zigzag, ratios = (-1.0) ** np.arange(1, len(OF_PHASE) + 1) * 0.01, []
    for seed in range(3):
        distances = way(OF_PHASE) + zigzag * (1 + seed)
        left = [1 - np.corrcoef(scale(OF_PHASE), distances)[0, 1] ** 2 for scale in (np.sqrt, np.positive, np.log)]
        ratios.append(min(left[:2]) / left[2])
    return ratios


HOLDS, FAILS = known_table(), known_table(NONE)


def known(holds, fails, table=FAILS):
    return Known(holds=Answer(HOLDS, [holds] * 3, SPEC), fails=Answer(table, [fails] * 3, SPEC))


KNOWN = {
    "gap-at-equal-epochs": known(0.07, 0.0),
    "updates-close-gap": known(0.01, 0.2, known_table({**ERRORS, "long": 0.23})),
    "root-scaling-helps": known(0.4, 0.0),
    "ghosts-lower-error": known(0.02, 0.0),
    "distance-grows-like-log": Known(
        holds=Answer(HOLDS, better(np.log), SPEC),
        fails=Answer(known_table(way=lambda t: t / 100), better(lambda t: t / 100), SPEC),
    ),
    "noise-dominates-small-batch": Known(
        holds=Answer(HOLDS, [4.0, 4.1, 4.2], SPEC),
        fails=Answer(known_table(noise=5.0), [0.5, 0.6, 0.7], SPEC),
    ),
}


@pytest.mark.parametrize("scale", [np.log, np.sqrt, np.positive])
def test_a_line_leaves_nothing_of_what_is_straight_in_its_own_scale(scale):
    steps = pd.Index(OF_PHASE, name="step")
    distances = pd.DataFrame([3 + 2 * scale(OF_PHASE), 1 - scale(OF_PHASE)], columns=steps)
    for other in (np.log, np.sqrt, np.positive):
        left = left_by(distances, other)
        assert (left < 1e-12).all() if other is scale else (left > 1e-3).all()


def test_the_phase_is_that_of_the_high_learning_rate_without_its_beginning():
    assert high_phase(known_table(), SPEC, "distance").columns.tolist() == OF_PHASE.tolist()


def test_the_noise_scale_is_that_of_batches():
    """E‖g_B‖² = ‖g‖² (1 + scale / B): of gradients drawn with replacement, over all batches of two."""
    gradients = np.random.default_rng(0).standard_normal((5, 3)) + 1
    mean = gradients.mean(0)
    alpha = (mean @ mean) / (gradients**2).sum(1).mean()
    pairs = (gradients[:, None] + gradients[None]) / 2
    expected = (pairs**2).sum(-1).mean() / (mean @ mean)
    scale = noise_scale(pd.DataFrame([[alpha]])).iloc[0, 0]
    assert 1 + scale / 2 == pytest.approx(expected, rel=1e-12)
    assert np.isinf(noise_scale(pd.DataFrame([[-0.1]])).iloc[0, 0])


def test_six_runs_with_their_batches_rates_updates_and_norms():
    conditions = {c.columns["run"]: c for c in design(SPEC).conditions}
    few, many, rate = 32, 800, 0.02 * 25**0.5
    expected = {
        "small": (10, many, 0.02),
        "large": (250, few, 0.02),
        "scaled": (250, few, rate),
        "long": (250, many, rate),
        "normalised": (250, few, rate),
        "ghosts": (250, few, rate),
    }
    for run, (batch, steps, lr) in expected.items():
        recipe = conditions[run].recipe
        assert (recipe.batch_size, recipe.steps) == (batch, steps)
        assert (recipe.optimiser.lr, recipe.optimiser.momentum) == (pytest.approx(lr), 0.9)
        assert recipe.schedule.factor(round(0.6 * steps), steps) == 1
        assert recipe.schedule.factor(round(0.7 * steps), steps) == pytest.approx(0.1)
    assert conditions["long"].network == MLP((32, 32))
    assert conditions["ghosts"].network == MLP((32, 32), norm="batch", ghost=10)
    assert conditions["normalised"].network == MLP((32, 32), norm="batch")


def test_batches_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="want at most the training set's size, 100"):
        LargeBatchesSpec.build(n_train=100)
    with pytest.raises(ValueError, match="want a divisor of large_batch = 250"):
        LargeBatchesSpec.build(ghost_batch=20)
    assert LargeBatchesSpec.build(small_batch=10**6).small == 250
