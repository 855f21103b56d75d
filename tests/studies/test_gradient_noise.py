"""Noise on gradients: statistics on known tables, the conditions, and the walk that noise makes of the weights."""

import math

import numpy as np
import pandas as pd
import pytest

from genbook import studies
from genbook.base.recipes import GradientNoise
from genbook.studies.batches.gradient_noise.claims import lowest
from genbook.studies.batches.gradient_noise.design import GradientNoiseSpec, design
from genbook.studies.batches.gradient_noise.figure import kept, lowest_so_far, walked
from genbook.studies.batches.gradient_noise.theory import awakening, weight_variance
from tests.known import Answer, Known

STUDY = studies.get("gradient_noise")
SPEC = GradientNoiseSpec()
LOSSES = {
    ("poor", "none"): 2.3,
    ("poor", "annealed"): 2.0,
    ("poor", "constant"): 2.2,
    ("good", "none"): 0.5,
    ("good", "annealed"): 0.55,
}
EQUAL = dict.fromkeys(LOSSES, 2.3)
SLOPE = 0.002  # what the loss with annealed noise changes from a seed to the next


#: Test accuracies where the loss is lowest: three quarters of the way from no noise to a good start.
LEARNED = {("poor", "none"): 0.1, ("poor", "annealed"): 0.7, ("poor", "constant"): 0.2, ("good", "none"): 0.9}


def known_table(losses=LOSSES, learned=LEARNED):
    """Three measurements, of which the middle one is the lowest; constant noise has no row after it."""
    rows = []
    for seed in range(3):
        for (start, noise), loss in losses.items():
            low = loss - SLOPE * seed * (noise == "annealed")
            rows += [(seed, start, noise, step, "train loss", low + rise) for step, rise in ((0, 1), (10, 0))]
            if noise != "constant":
                rows.append((seed, start, noise, 20, "train loss", low + 3))
            at_lowest = learned.get((start, noise), 0.5) + SLOPE * seed * (noise == "annealed")
            places = (0, 10) if noise == "constant" else (0, 10, 20)
            rows += [(seed, start, noise, at, "test accuracy", at_lowest if at == 10 else 0.95) for at in places]
    return pd.DataFrame(rows, columns=["seed", "start", "noise", "step", "quantity", "value"])


def known(holds, fails, of_seed, losses=EQUAL, learned=LEARNED):
    """Answers by seed, of a table that says yes and of one that says no."""
    return Known(
        holds=Answer(known_table(), [holds + of_seed * seed for seed in range(3)], SPEC),
        fails=Answer(known_table(losses, learned), [fails + of_seed * seed for seed in range(3)], SPEC),
    )


KNOWN = {
    "noise-trains-poor-start": known(0.3, 0.0, SLOPE),
    "noise-teaches-poor-start": known(0.75, 0.25, SLOPE / 0.8, learned={**LEARNED, ("poor", "annealed"): 0.3}),
    "annealed-beats-constant": known(0.2, 0.0, SLOPE),
    "noise-spares-good-start": known(0.05, 1.8, -SLOPE, {**EQUAL, ("good", "none"): 0.5}),
}


def test_what_diverges_keeps_the_lowest_loss_on_its_way():
    table = known_table()
    nan = pd.DataFrame([(1, "poor", "constant", 20, "train loss", np.nan)], columns=table.columns)
    for found in (lowest(table), lowest(pd.concat([table, nan], ignore_index=True))):
        assert found["poor", "constant"].tolist() == pytest.approx([2.2, 2.2, 2.2])
        assert found["good", "none"].tolist() == pytest.approx([0.5, 0.5, 0.5])


def test_five_runs_with_their_starts_and_noises():
    conditions = {tuple(c.columns.values()): c for c in design(SPEC).conditions}
    assert set(conditions) == set(LOSSES)
    for (start, noise), condition in conditions.items():
        assert condition.network.hidden == (SPEC.width,) * SPEC.depth
        assert condition.recipe.init_scale == {"poor": SPEC.poor, "good": SPEC.good}[start]
        expected = {"none": None, "annealed": GradientNoise(SPEC.eta, 0.55), "constant": GradientNoise(SPEC.eta, 0)}
        assert condition.recipe.gradient_noise == expected[noise]


@pytest.mark.parametrize(("scale", "kept"), [(math.sqrt(6), 1.0), (1.0, 1 / 6)])
def test_a_rectified_layer_keeps_the_square_of_a_signal_from_the_good_start_only(scale, kept):
    """E‖relu(Wx)‖² = width · σ² ‖x‖² / 2 with σ² = scale² / (3 width), over many draws in float64."""
    drawn, width = np.random.default_rng(0), 16
    x = drawn.standard_normal(width)
    weights = drawn.uniform(-1, 1, (20_000, width, width)) * scale / math.sqrt(width)
    squares = (np.maximum(weights @ x, 0) ** 2).sum(1).mean() / (x @ x)
    assert squares == pytest.approx(kept, rel=0.02)


def test_the_walk_has_the_variance_of_gradient_descent_on_noise_alone():
    drawn, steps, lr = np.random.default_rng(1), 6, 0.3
    noise = GradientNoise(0.5, 0.55)
    weights = drawn.uniform(-1, 1, 400_000) * 0.7 / math.sqrt(8)
    for step in range(steps):
        weights -= lr * math.sqrt(0.5 / (1 + step) ** 0.55) * drawn.standard_normal(len(weights))
    assert weight_variance(0.7, 8, lr, noise, steps)[-1] == pytest.approx(weights.var(), rel=0.01)


def test_constant_noise_awakes_after_what_is_missing_over_what_a_step_adds():
    missing = 2 / 16 - 1 / 48
    assert awakening(1.0, 16, 0.1, GradientNoise(0.3, 0), 500) == math.ceil(missing / 0.003)
    assert awakening(1.0, 16, 0.1, GradientNoise(1e-12), 500) is None
    assert awakening(math.sqrt(6.001), 16, 0.1, GradientNoise(1e-12), 500) == 0


def test_the_figure_shows_the_lowest_loss_so_far_also_of_what_has_diverged():
    shown = lowest_so_far(known_table()).query("seed == 0").set_index(["run", "step"])["loss"]
    assert shown["poor, constant noise"].tolist() == pytest.approx([3.2, 2.2, 2.2])
    assert shown["good start"].tolist() == pytest.approx([1.5, 0.5, 0.5])


def test_what_is_kept_of_a_signal_is_the_product_of_what_layers_keep():
    """Weights of a good start keep all of it; half as long, a quarter in every layer; what has diverged has no row."""
    spec = GradientNoiseSpec.build(depth=4, width=8)
    rows = []
    for start, noise, square in (
        ("good", "none", 2 * 8.0),
        ("poor", "none", 2 * 8.0 / 4),
        ("poor", "constant", np.inf),
    ):
        for layer, norm in (("0.weight", 123.0), ("8.weight", 45.0), ("2.bias", 6.0), ("all", 7.0)):
            rows.append((0, start, noise, 10, "weight norm", layer, norm))
        rows += [(0, start, noise, 10, "weight norm", f"{2 * layer}.weight", square**0.5) for layer in (1, 2, 3)]
    table = pd.DataFrame(rows, columns=["seed", "start", "noise", "step", "quantity", "layer", "value"])
    found = kept(table, spec).set_index(["run", "layer"])["kept"]
    assert found["good start"].tolist() == pytest.approx([1, 1, 1, 1])
    assert found["poor start"].tolist() == pytest.approx([1, 1 / 4, 1 / 16, 1 / 64])
    assert found["poor, constant noise"].tolist() == [1]


def test_the_walk_takes_the_poor_start_to_where_a_signal_is_kept():
    spec = GradientNoiseSpec.build(depth=6)
    awake = awakening(spec.poor, spec.width, spec.learning_rate, GradientNoise(spec.eta, 0), spec.steps)
    found = walked(spec, [0, awake]).set_index(["run", "step", "layer"])["kept"]
    assert found["poor, constant noise", 0, 6] == pytest.approx(6.0**-5)
    assert 1 <= found["poor, constant noise", awake, 6] < 1.2
    assert found["poor, annealed noise", awake, 6] < 1


def test_a_far_poorer_start_awakes_later_by_less_than_half():
    """What the solution of the exercise says."""
    spec = STUDY.build("quick", {})
    walk = spec.width, spec.learning_rate, GradientNoise(spec.eta), spec.steps
    steps = [awakening(poor, *walk) for poor in (spec.poor, 0.1)]
    assert steps[0] < steps[1] < 1.5 * steps[0]
