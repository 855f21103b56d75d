"""The stability bound: the sum that the theorem says, and statistics on tables with known answers."""

import numpy as np
import pandas as pd
import pytest

from genbook.experiments.run import Drawn
from genbook.studies import get
from genbook.studies.coherence.stability_bound import claims, theory
from genbook.studies.coherence.stability_bound.design import design
from tests.known import Answer, Known

STUDY = get("stability_bound")


def test_bound_is_the_sum_that_the_theorem_says():
    alphas, lipschitz, beta, eta, m = [0.1, 0.6, 0.0], 2.0, 3.0, 0.1, 10
    terms = [(1 + eta * beta) ** (2 - t) * np.sqrt(2 * (1 - a)) for t, a in enumerate(alphas)]
    expected = lipschitz**2 * eta / m * sum(terms)
    assert np.exp(theory.log_bound(alphas, lipschitz, beta, eta, m)) == pytest.approx(expected)


def test_decaying_steps_are_bounded_by_the_corollary():
    alphas, lipschitz, beta, eta, m = np.linspace(0.6, 0.0, 50), 2.0, 3.0, 0.4, 10
    steps = np.arange(1, 51)
    # the theorem for any learning rates: Σ_t η_t Π_{k>t} (1 + η_k β) d_t
    carried = [np.prod(1 + eta / steps[t:] * beta) for t in steps]
    theorem = lipschitz**2 / m * sum(eta / steps * carried * np.sqrt(2 * (1 - alphas)))
    corollary = np.exp(theory.log_bound_decaying(alphas, lipschitz, beta, eta, m))
    assert corollary == pytest.approx(4.0 * eta / m * 50 ** (eta * beta) * np.sqrt(2 * (1 - alphas)).sum())
    assert theorem < corollary
    # at one step with learning rate η there is nothing to carry: both are the theorem
    one = theory.log_bound_decaying([0.5], lipschitz, beta, eta, m)
    assert one == pytest.approx(theory.log_bound([0.5], lipschitz, beta, eta, m))


@pytest.mark.parametrize("labels", ["real", "shuffled"])
def test_fresh_examples_have_labels_of_the_same_noise_by_draws_of_their_own(labels):
    designed = design(STUDY.build("quick", {"labels": labels}))
    assert all(one.images.labels == one.images.test_labels for one in designed.conditions)
    real, *_, random = (Drawn().replica(condition, 0).data for condition in designed.conditions)
    changed = {name: (random[name].labels != real[name].labels).double().mean().item() for name in ("train", "test")}
    assert changed == pytest.approx({"train": 0.9, "test": 0.9}, abs=0.06)
    m = len(real["train"].labels)
    assert (random["train"].labels == random["test"].labels[:m]).double().mean() < 0.2


NOISES = (0.0, 0.25, 0.5, 0.75, 1.0)


def _followed(gaps, alphas, seed=0):
    rows = [
        {"seed": seed, "noise": noise, "step": step, "quantity": quantity, "value": value}
        for noise, gap, a in zip((0.0, 0.5, 1.0) if len(gaps) == 3 else NOISES, gaps, alphas, strict=True)
        for step in (0, 200)
        for quantity, value in (
            ("off-diagonal coherence", a),
            ("largest gradient", 1.0),
            ("sharpness", 0.0),
            ("train loss", 0.0),
            ("test loss", gap),
        )
    ]
    return pd.DataFrame(rows)


def _answer(values, gaps, *alphas):
    table = pd.concat([_followed(gaps, mine, seed) for seed, mine in enumerate(alphas)])
    return Answer(table, values, STUDY.build("quick", {"noise_levels": NOISES, "n_train": 100}))


_GAPS, _FALLING = (0.1, 0.2, 0.3, 0.4, 0.5), (0.5, 0.4, 0.3, 0.2, 0.0)
_LITTLE = (0.02, 0.01, 0.006, 0.004, 0.0)
KNOWN = {
    # β = 0: the bound is a multiple of √(1 - α), which is 1 at α = 0
    "bound-orders": Known(
        _answer([1.0, 1.0], _GAPS, _FALLING, _FALLING), _answer([-1.0, -1.0], _GAPS[::-1], _FALLING, _FALLING)
    ),
    "bound-separates": Known(
        _answer([2**0.5, 0.48**-0.5], _GAPS, _FALLING, (0.52, *_FALLING[1:])),
        _answer([0.98**-0.5, 0.97**-0.5], _GAPS, _LITTLE, (0.03, *_LITTLE[1:])),
    ),
}


def test_what_is_told_relative_to_real_labels_is_missing_without_a_gap():
    spec = STUDY.build("quick", {"noise_levels": [0.0, 0.5, 1.0], "n_train": 100})
    rows = claims.over_real(_followed((0.1, 1.0, -0.5), (0.5, 0.25, 0.0)), spec)
    assert rows["noise"].tolist() == [0.0, 0.5, 1.0]
    assert rows["gap over real"].tolist() == pytest.approx([1, 10, np.nan], nan_ok=True)
    assert rows["bound over real"].tolist() == pytest.approx([1, np.sqrt(1.5), np.sqrt(2)])
    assert rows["per cent"].tolist() == pytest.approx([0, 100 * (np.sqrt(1.5) - 1), 100 * (np.sqrt(2) - 1)])


def test_constants_are_the_largest_of_a_seed_over_all_its_runs():
    table = _followed((0.1, 1.0, 0.5), (0.5, 0.25, 0.0))
    for quantity, noise, step, value in (("largest gradient", 0.5, 0, 7.0), ("sharpness", 1.0, 200, 3.0)):
        place = (table["quantity"] == quantity) & (table["noise"] == noise) & (table["step"] == step)
        table.loc[place, "value"] = value
    other = table.assign(seed=1, value=table["value"] / 2)
    found = claims.constants(pd.concat([table, other]))
    assert found.loc[0].to_dict() == {"L": 7.0, "beta": 3.0}
    assert found.loc[1].to_dict() == {"L": 3.5, "beta": 1.5}


def test_coherence_is_interpolated_between_measurements():
    spec = STUDY.build("quick", {"noise_levels": [0.0, 0.5, 1.0], "steps": 200, "n_train": 100})
    table = _followed((0.1, 1.0, 0.5), (0.5, 0.25, 0.0))
    late = (table["quantity"] == "off-diagonal coherence") & (table["step"] == 200)
    table.loc[late, "value"] += 0.2
    alpha = claims.evaluated(table, spec)["alpha"]
    # the weights before each of 200 steps: on average 99.5 of 200 steps on the way
    assert alpha.tolist() == pytest.approx([a + 0.2 * 99.5 / 200 for a in (0.5, 0.25, 0.0)])
