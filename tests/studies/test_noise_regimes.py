"""Noise regimes: gradients against autograd, the perceptron's laws, stopping, the statistics on known tables."""

import numpy as np
import pandas as pd
import pytest
import torch

from genbook.base.claims import judge
from genbook.base.spec import ParameterError
from genbook.studies import get
from genbook.studies.batches.noise_regimes import claims, networks, perceptrons, run, theory
from genbook.studies.batches.noise_regimes.figure import against_size, diagram, in_words
from genbook.studies.batches.noise_regimes.spec import NoiseRegimesSpec
from tests.known import Answer, Known

STUDY = get("noise_regimes")
SMOKE = STUDY.build("smoke", {})


def test_a_step_goes_down_the_gradient_of_the_scaled_and_centred_loss():
    """w ← w − η h ∇ mean max(0, 1 − s y (f − f₀)) / s, for every run with its own scale and temperature."""
    torch.manual_seed(0)
    batch, width, d = 6, 5, 4
    scales, temperatures = torch.tensor([0.5, 3.0]).double(), torch.tensor([0.1, 0.02]).double()
    inputs, labels = torch.randn(batch, d).double(), torch.tensor([1.0, -1, 1, 1, -1, -1]).double()[:, None]
    nets = networks.Networks(torch.randn(2, width, d).double(), torch.randn(2, width).double())
    start = torch.randn(batch, 2).double()
    hidden, top = nets.hidden.clone().requires_grad_(), nets.top.clone().requires_grad_()
    f = torch.stack([(inputs @ hidden[r].T / d**0.5).relu() @ top[r] / width for r in range(2)], 1)
    assert torch.allclose(nets.outputs(inputs), f)
    losses = ((1 - scales * labels * (f - start)).relu() / scales).mean(0)
    gradients = torch.autograd.grad(losses.sum(), (hidden, top))
    rates = temperatures * batch * width
    expected = hidden - rates[:, None, None] * gradients[0], top - rates[:, None] * gradients[1]
    short = scales * labels * (f - start) < 1
    assert 0 < short.sum() < short.numel()
    nets.step(inputs, temperatures * labels * short)
    assert torch.allclose(nets.hidden, expected[0])
    assert torch.allclose(nets.top, expected[1])


def test_networks_stop_once_all_examples_are_beyond_the_margin():
    spec = STUDY.build("smoke", {"steps": 5000, "width": 16})
    (lazy,) = [one for one in networks.trained(spec, 0, 16) if one.scale == spec.lazy and one.temperature == 0.125]
    assert 0 < lazy.steps < 5000
    # given up earlier than that, it has no number; and it needs no more than that
    for steps, fits in ((int(lazy.steps) - 1, False), (int(lazy.steps), True)):
        shorter = STUDY.build("smoke", {"steps": steps, "width": 16})
        found = [one for one in networks.trained(shorter, 0, 16) if one[:2] == lazy[:2]]
        assert np.isfinite(found[0].steps) == fits


def test_runs_of_a_seed_do_not_depend_on_one_another():
    few = STUDY.build("smoke", {"diagram_scales": [16.0], "steps": 3000})
    many = STUDY.build("smoke", {"diagram_scales": [1.0, 16.0, 1024.0], "steps": 3000})
    of_few = {one[:2]: one for one in networks.trained(few, 3, 16)}
    of_many = {one[:2]: one for one in networks.trained(many, 3, 16)}
    for place, one in of_few.items():
        assert of_many[place].steps == one.steps
        assert of_many[place].change == pytest.approx(one.change, rel=1e-4)


def test_copies_fill_the_training_set_in_turn():
    spec = STUDY.build("smoke", {"distinct": 5})
    given = networks.images(spec, 1, 12)
    assert torch.equal(given.inputs[5:10], given.inputs[:5])
    assert torch.equal(given.labels[10:], given.labels[:2])
    assert len(given.inputs.unique(dim=0)) == 5


def test_points_have_the_density_that_is_asked_for():
    """P(first < x) of density ∝ x^χ exp(−x²/2) near 0 goes as x^(1+χ); the mean square is 1 + χ."""
    for density in (0.0, 1.0, 3.0):
        drawn = perceptrons.points(0, 200_000, 3, density, 0.0)
        assert (drawn[:, 0] ** 2).mean() == pytest.approx(1 + density, rel=0.02)
        below = [(drawn[:, 0] < x).mean() for x in (0.3, 0.6)]
        assert np.log(below[1] / below[0]) / np.log(2) == pytest.approx(1 + density, abs=0.35)
        assert np.abs(drawn[:, 1:].mean(0)).max() < 0.01
    assert perceptrons.points(0, 1000, 3, 0.0, 2.0)[:, 0].min() >= 2
    assert np.array_equal(perceptrons.points(4, 10, 3, 1.0, 0.0)[:, 0], perceptrons.points(4, 20, 3, 1.0, 0.0)[:10, 0])


def test_perceptrons_are_those_of_a_plain_loop():
    spec = STUDY.build("smoke", {"perceptron_sizes": [8, 16], "densities": [0.0, 1.0], "inputs": 4})
    found = {(one.seed, one.density, one.size): one for one in perceptrons.trained(spec, (2, 5))}
    for (seed, density, size), one in found.items():
        points, weights, last = perceptrons.points(seed, 16, 4, density, 0.0)[:size], np.zeros(4), 0
        draws = perceptrons.generator(seed, perceptrons.ORDER).random((int(one.steps) + 500, spec.perceptron_batch))
        for step, parts in enumerate(draws, 1):
            batch = points[(parts * size).astype(int)]
            short = batch @ weights < 1
            weights = weights + spec.perceptron_temperature * batch[short].sum(0)
            last = step if short.any() else last
        assert (points @ weights >= 1).all()
        assert last == one.steps
        assert one.weights == pytest.approx(weights)


def test_far_above_the_margin_a_perceptron_s_weights_are_in_proportion_to_the_temperature():
    """Without a margin the rule has no scale: the same points are short at every temperature."""
    ends = [
        list(perceptrons.trained(STUDY.build("smoke", {"perceptron_temperature": hot}), (0,))) for hot in (1e4, 1e5)
    ]
    for cold, hot in zip(*ends, strict=True):
        assert cold.steps == hot.steps
        assert hot.weights == pytest.approx(10 * cold.weights)


def test_powers_of_theory():
    """γ = 1/(1+χ); the time is the power 3 + χ of the weight; weights of one length at T ∝ P^(−γ)."""
    assert [theory.signal_power(chi) for chi in (0, 1, 3)] == [1, 1 / 2, 1 / 4]
    assert [theory.time_power(chi) for chi in (0, 1, 3)] == [3, 2, 1.5]


def test_noise_across_is_as_the_temperature_and_not_as_what_is_left():
    """dr = −n dt + √(T n) dW on a half-line has the mean T / 2 whatever n: the balance that the argument rests on."""
    draw = np.random.default_rng(0)
    for n in (0.05, 0.4):
        temperature, dt, place, sizes = 2.0, 0.02, np.full(2000, 1.0), []
        for step in range(int(120 / n)):
            place = np.abs(place - n * dt + np.sqrt(temperature * n * dt) * draw.standard_normal(2000))
            if step > 60 / n:
                sizes.append(place.mean())
        assert np.mean(sizes) == pytest.approx(temperature / 2, rel=0.15)


def test_impossible_diagrams_are_refused():
    with pytest.raises(ParameterError, match="lazy"):
        STUDY.build("quick", {"diagram_scales": [1.0, 32768.0]})
    with pytest.raises(ParameterError, match="two temperatures"):
        STUDY.build("quick", {"diagram_from": 0.2})


SPEC = NoiseRegimesSpec.build(
    train_sizes=[64, 128, 256],
    temperatures=[1 / 64, 1 / 32, 1 / 16, 1 / 8],
    diagram_scales=[1.0],
    diagram_from=1 / 64,
    diagram_size=128,
    densities=[1.0, 3.0],
    perceptron_sizes=[16, 64],
)
_SEEDS = np.arange(3)
_OWN = 1 + 0.01 * _SEEDS


def known(delta=1.0, gamma=0.4, time=1.0, b=1.5, falls=0.3, lazy=0.7, other=1.3, powers=(0.5, 0.25), beyond=0.0):
    """Three seeds, whose powers lie 0.01 apart: change ∝ T^delta P^gamma, time ∝ T^time P^b, leaving at T ∝ P^-falls.

    Noise multiplies errors by ``lazy`` and ``other``. Perceptrons' signals grow with ``powers`` of P, their time with
    3 + χ times those and ``beyond``.
    """
    rows = []
    for seed, own in enumerate(_OWN):
        more = 0.01 * seed
        for size in SPEC.sizes:
            for scale, temperature in SPEC.runs(size):
                hot = np.log(temperature * 64) / np.log(8)  # 0 at the lowest temperature, 1 at the highest
                left = 0.1 * (size / 64) ** -(falls + more)
                values = {
                    "weight change": temperature ** (delta + more) * size ** (gamma + more),
                    "training time": temperature ** (time + more) * size ** (b + more),
                    "flipped units": claims.LEFT + 0.05 * np.log(temperature / left),
                    "test error": 0.1 * (own * (lazy if scale == SPEC.lazy else other)) ** hot,
                }
                rows += [(seed, "network", 0.0, scale, size, temperature, *one) for one in values.items()]
        for k, (chi, power) in enumerate(zip(SPEC.densities, powers, strict=True)):
            for size in SPEC.perceptron_sizes:
                signal = size ** (power + (1 + k) * more)
                values = {"signal": signal, "training time": signal ** (3 + chi) * size ** (beyond + more)}
                rows += [(seed, "perceptron", chi, 1.0, size, 16.0, *one) for one in values.items()]
    return pd.DataFrame(rows, columns=run.COLUMNS)


def answer(values, **changed):
    return Answer(known(**changed), values, SPEC)


AS_SAID = known()
_MORE = 0.01 * _SEEDS
KNOWN = {
    "weights-follow-temperature": Known(answer(1 + _MORE), answer(0.2 + _MORE, delta=0.2)),
    "time-follows-temperature": Known(answer(1 + _MORE), answer(0.5 + _MORE, time=0.5)),
    "weights-grow-with-data": Known(answer(0.4 + _MORE), answer(_MORE, gamma=0.0)),
    "time-grows-with-data": Known(answer(1.5 + _MORE), answer(0.5 + _MORE, b=0.5)),
    "temperature-falls-with-data": Known(answer(-0.3 - _MORE), answer(-_MORE, falls=0.0)),
    "noise-helps-lazy": Known(answer(0.7 * _OWN), answer(_OWN, lazy=1.0)),
    "noise-harms-somewhere": Known(answer(1.3 * _OWN), answer(0.9 * _OWN, other=0.9)),
    "density-sets-power": Known(answer(0.4 - _MORE, powers=(0.6, 0.2)), answer(-_MORE, powers=(0.4, 0.4))),
    "signal-as-predicted": Known(answer(1.5 * _MORE), answer(1.5 * _MORE - 0.375, powers=(0.0, 0.0))),
    "time-as-predicted": Known(answer(_MORE), answer(0.8 + _MORE, beyond=0.8)),
}


def test_what_never_fitted_is_censored():
    table = AS_SAID.copy()
    one = (table["seed"] == 1) & (table["size"] == 64) & (table["temperature"] == 1 / 64)
    table.loc[one & (table["model"] == "network"), "value"] = np.nan
    for claim in claims.CLAIMS[:4]:
        assert claim.statistic(table, SPEC).isna().tolist() == [False, True, False]


def test_what_the_figures_are_drawn_from():
    found = against_size(AS_SAID, SPEC)
    assert found["weight change"][256] == pytest.approx(4**0.41)
    assert found["temperature"][256] == pytest.approx(4**-0.31)
    rows = diagram({"digits": (AS_SAID, SPEC)}).set_index(["scale", "temperature"])
    assert rows.loc[(1.0, 1 / 8), "estimate"] == pytest.approx(0.1 * 1.3 * 1.01)
    assert rows.loc[(1.0, 1 / 64), "low"] == pytest.approx(0.1)
    assert len(rows) == 2 * 4
    assert rows["called"].unique().tolist() == ["1", "32,768"]
    assert [in_words(one) for one in (1 / 64, 0.25, 0.3, 2.0)] == ["1/64", "1/4", "0.3", "2"]


@pytest.mark.parametrize(("name", "seeds"), [("a gap", 20), ("copies", 8)])
def test_claims_fail_in_the_controls_that_take_seconds(name, seeds):
    control = STUDY.build("full", STUDY.controls[name])
    table = STUDY.run(control, range(seeds), "cpu")
    for claim in claims.CLAIMS:
        if claim.control == name:
            assert judge(claim, table, control).verdict == "fails", claim.id
