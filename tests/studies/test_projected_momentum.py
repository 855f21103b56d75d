"""Projected momentum: statistics on known tables, the conditions, and the theory of the page in float64."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from genbook import studies
from genbook.experiments import MLP
from genbook.studies.batches.projected_momentum.claims import squares, theory
from genbook.studies.batches.projected_momentum.design import ProjectedMomentumSpec, design
from genbook.studies.batches.projected_momentum.figure import courses, named
from tests.known import Answer, Known

STUDY = studies.get("projected_momentum")
SPEC = ProjectedMomentumSpec()
START, END = 4.0, SPEC.steps
GROWN = {"plain": 2.0, "momentum": 12.0, "projected": 1.0}
ALIKE = dict.fromkeys(GROWN, 2.0)


def known_table(grown=GROWN, losses=(0.03, 0.01), errors=(0.10, 0.06)):
    """Two hidden layers, a last one and all; with each seed momentum and its loss grow by a hundredth more."""
    rows = []
    for seed in range(3):
        for run, more in grown.items():
            more *= 1 + seed / 100 if run == "momentum" else 1
            for step, square in ((0, START), (10, 99.0), (END, START + more)):
                for layer, part in (("0.weight", 0.25), ("3.weight", 0.75), ("6.weight", 7.0), ("all", 8.0)):
                    rows.append((seed, run, step, "weight norm", layer, (part * square) ** 0.5))
        for run, loss, error in zip(("momentum", "projected"), losses, errors, strict=True):
            more = 1 + seed / 100 if run == "momentum" else 1
            rows.append((seed, run, END, "train loss", "all", loss * more))
            rows.append((seed, run, END, "test accuracy", "all", 1 - error))
    return pd.DataFrame(rows, columns=["seed", "run", "step", "quantity", "layer", "value"])


HOLDS, FAILS = known_table(), known_table(ALIKE, (0.01, 0.01), (0.06, 0.06))


def known(holds, fails=1.0):
    """Ratios to which momentum's jitter carries over."""
    times = [1, 1.01, 1.02]
    return Known(
        holds=Answer(HOLDS, [holds * t for t in times], SPEC), fails=Answer(FAILS, [fails * t for t in times], SPEC)
    )


KNOWN = {
    "momentum-inflates-weights": known(6),
    "projection-stops-growth": known(12),
    "projection-keeps-rate": Known(
        holds=Answer(HOLDS, [16 / 5, 16.12 / 5, 16.24 / 5], SPEC),
        fails=Answer(FAILS, [1, 6.02 / 6, 6.04 / 6], SPEC),
    ),
    "projection-lowers-loss": known(3),
    "projection-lowers-error": Known(holds=Answer(HOLDS, [0.04] * 3, SPEC), fails=Answer(FAILS, [0.0] * 3, SPEC)),
}


def normalised():
    """First weights, and the loss of a network that normalises them by batch, with no ε to spoil the invariance."""
    torch.manual_seed(0)
    inputs, labels, weight, last = torch.randn(20, 5), torch.randint(3, (20,)), torch.randn(4, 5), torch.randn(3, 4)
    inputs, last, weight = inputs.double(), last.double(), weight.double().requires_grad_()

    def loss():
        hidden = inputs @ weight.T
        hidden = (hidden - hidden.mean(0)) / hidden.std(0)
        return nn.functional.cross_entropy(hidden.relu() @ last.T, labels)

    return weight, loss


def updates(momentum, rate, steps=12):
    """‖w‖² before and after each step of heavy-ball momentum on the first weights, and the ‖p‖² of its updates."""
    weight, loss = normalised()
    lengths, moved = [weight.square().sum().item()], []
    buffer = torch.zeros_like(weight)
    for _ in range(steps):
        (gradient,) = torch.autograd.grad(loss(), weight)
        assert (weight * gradient).sum(1).abs().max() < 1e-12  # of each unit
        buffer = momentum * buffer + gradient
        with torch.no_grad():
            weight -= rate * buffer
        lengths.append(weight.square().sum().item())
        moved.append(buffer.square().sum().item())
    return lengths, moved


def test_plain_steps_lengthen_a_weight_as_pythagoras_says():
    lengths, moved = updates(0.0, 0.5)
    for before, after, square in zip(lengths, lengths[1:], moved, strict=False):
        assert after - before == pytest.approx(0.25 * square, rel=1e-10)


def test_steps_with_momentum_lengthen_it_by_all_earlier_ones_too():
    beta, rate = 0.8, 0.3
    lengths, moved = updates(beta, rate)
    for t in range(len(moved)):
        earlier = sum(beta ** (t - k) * moved[k] for k in range(t))
        assert lengths[t + 1] - lengths[t] == pytest.approx(rate**2 * (moved[t] + 2 * earlier), rel=1e-10)


@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9])
def test_the_factor_is_the_sum_over_equal_updates(beta):
    assert theory(beta) == pytest.approx(1 + 2 * sum(beta**k for k in range(1, 2000)))
    assert theory(beta) == pytest.approx((1 + beta) / (1 - beta))


def test_the_step_that_the_network_feels_goes_with_the_inverse_square_of_the_norm():
    """w and c·w with learning rates η and c²η turn alike."""
    ends = []
    for scale in (1.0, 3.0):
        weight, loss = normalised()
        with torch.no_grad():
            weight *= scale
        (gradient,) = torch.autograd.grad(loss(), weight)
        ends.append(nn.functional.normalize(weight - 0.2 * scale**2 * gradient, dim=1))
    torch.testing.assert_close(*ends, rtol=1e-10, atol=1e-12)


def test_squares_are_those_of_hidden_weights_alone():
    found = squares(HOLDS, SPEC)
    assert found[0].tolist() == pytest.approx([START] * 9)
    assert found.loc[(2, "momentum"), END] == pytest.approx(START + 12.24)


@pytest.mark.parametrize("normalised", [True, False])
def test_hidden_weights_are_the_matrices_before_the_last(normalised):
    from genbook.models import mlp

    spec = ProjectedMomentumSpec(hidden=(5, 4), normalised=normalised)
    network = mlp([7, 5, 4, 3], norm="batch" if normalised else None)
    matrices = [name for name, p in network.named_parameters() if p.dim() == 2]
    assert spec.hidden_weights == tuple(matrices[:-1])


def test_three_runs_that_a_constant_gradient_moves_equally_fast():
    recipes = {c.columns["run"]: c.recipe.optimiser for c in design(SPEC).conditions}
    assert {run: o.lr / (1 - o.momentum) for run, o in recipes.items()} == pytest.approx(dict.fromkeys(GROWN, 1.0))
    assert [recipes[run].momentum for run in GROWN] == [0, 0.9, 0.9]
    assert [recipes[run].projected for run in GROWN] == [None, None, 0.1]
    assert {c.network for c in design(SPEC).conditions} == {MLP((16, 16), norm="batch")}
    plain = ProjectedMomentumSpec(normalised=False)
    assert {c.network for c in design(plain).conditions} == {MLP((16, 16))}


def test_a_batch_larger_than_the_training_set_is_refused():
    with pytest.raises(ValueError, match="want at most the training set's size, 50"):
        ProjectedMomentumSpec.build(n_train=50)


def test_the_figure_shows_effective_rates_and_losses_of_each_setting():
    table = SimpleNamespace(frame=known_table(), spec=SPEC)
    found = courses({"usual": table, "again": table}).set_index(["setting", "run", "what", "step"])["estimate"]
    grown = START + 12 * np.array([1, 1.01, 1.02])
    assert found["again", "momentum", "rate", END] == pytest.approx(np.exp(-np.log(grown).mean()))
    assert found["usual", "projected", "loss", END] == pytest.approx(0.01)
    assert not (found.index.get_level_values("step") == 0).any()


def test_settings_are_called_by_their_batches_and_by_images_where_these_are_others():
    assert named(SPEC, SPEC) == "batches of 100"
    assert named(ProjectedMomentumSpec(dataset="fashion-small", batch_size=10), SPEC) == "fashion-small, batches of 10"
