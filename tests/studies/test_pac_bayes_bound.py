"""The PAC-Bayes bound: its terms against quadrature and scipy, its draws against written-out weights, its claims."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.stats import norm

from genbook import data
from genbook.studies import get
from genbook.studies.coherence.pac_bayes_bound import bound, claims
from genbook.studies.coherence.pac_bayes_bound.run import binary, outputs
from tests.known import Answer, Known

STUDY = get("pac_bayes_bound")
SPEC = STUDY.build("quick", {"n_train": 100})


def test_divergence_of_gaussians_is_the_integral():
    draw = np.random.default_rng(0)
    w, s, w0 = draw.normal(size=6), np.exp(draw.normal(size=6) / 2), draw.normal(size=6)
    prior = 0.7
    expected = sum(
        quad(lambda x, m=m, d=d, c=c: norm.pdf(x, m, d) * (norm.logpdf(x, m, d) - norm.logpdf(x, c, prior)),
             m - 12 * d, m + 12 * d, epsabs=1e-12)[0]
        for m, d, c in zip(w, s, w0, strict=True)
    )  # fmt: skip
    layers = [[torch.tensor(part[a:b]).reshape(1, -1, 1) for a, b in ((0, 4), (4, 6))] for part in (w, np.log(s), w0)]
    found = bound.divergence(*layers, torch.tensor([2 * math.log(prior)], dtype=torch.float64))
    assert found.tolist() == pytest.approx([expected], rel=1e-9)


def test_divergence_vanishes_where_posterior_and_prior_are_one():
    means = [torch.randn(3, 5, 2, dtype=torch.float64)]
    found = bound.divergence(means, [torch.full_like(means[0], -0.4)], means, torch.full((3,), -0.8).double())
    assert found.tolist() == pytest.approx([0, 0, 0], abs=1e-12)


@pytest.mark.parametrize("observed", [0.0, 0.01, 0.3, 0.97])
@pytest.mark.parametrize("budget", [1e-4, 0.05, 0.7])
def test_inversion_is_the_root_and_lies_above(observed, budget):
    def excess(p):
        return (observed and observed * math.log(observed / p)) + (1 - observed) * math.log((1 - observed) / (1 - p))

    root = brentq(lambda p: excess(p) - budget, max(observed, 1e-15), 1 - 1e-15, xtol=1e-15)
    found = float(bound.largest_error(observed, budget))
    assert found == pytest.approx(root, abs=1e-12)
    assert found >= observed


def test_inversion_at_the_ends():
    # kl(0 ‖ p) = -ln(1 - p); where all is wrong nothing is above
    assert bound.largest_error(0.0, 0.5) == pytest.approx(1 - math.exp(-0.5), abs=1e-12)
    assert bound.largest_error([1.0, 0.2], [0.3, 0.0]).tolist() == pytest.approx([1.0, 0.2], abs=1e-8)


def test_probabilities_of_the_union_bound_sum_to_delta():
    n, delta = 500, 0.03
    index = torch.arange(1, 200_000, dtype=torch.float64)
    # without a divergence a prior spends ln(n / δ_j) / (n - 1)
    spent = n * torch.exp(-(n - 1) * bound.budget(torch.zeros_like(index), index, n, delta))
    assert float(spent.sum()) == pytest.approx(delta, rel=1e-5)
    with_seven, without = (bound.budget(torch.tensor(kl).double(), index[0], n, delta) for kl in (7.0, 0.0))
    assert float(with_seven - without) == pytest.approx(7 / (n - 1), rel=1e-9)


def test_priors_are_on_the_grid_that_the_union_goes_over():
    index = bound.prior_index(torch.tensor([-2.0, -0.3, 1.0], dtype=torch.float64))
    assert index.tolist() == pytest.approx([200, 30, 1])
    assert bound.prior_log_variance(index)[:2].tolist() == pytest.approx([-2.0, -0.3])


def test_the_bound_covers_the_error_of_coins_as_often_as_it_says():
    # one hypothesis and no KL: the bound on a coin's probability from n throws of it
    draw, p, n, delta = np.random.default_rng(1), 0.2, 200, 0.1
    seen = draw.binomial(n, p, 4000) / n
    missed = bound.largest_error(seen, math.log(2 / delta) / n) < p
    assert missed.mean() < delta


def test_draws_are_paid_for_before_the_training_set_is():
    # nothing wrong in k draws: kl(0 ‖ p) = ln(2/δ')/k there, and no more than that where the training set says nothing
    drawn = 1 - (0.01 / 2) ** (1 / 1000)
    assert bound.error_bound(0.0, 1000, 0.0, 0.01) == pytest.approx(drawn, abs=1e-8)
    assert bound.error_bound(0.0, 1000, 0.2, 0.01) == pytest.approx(float(bound.largest_error(drawn, 0.2)), abs=1e-8)


def test_a_runs_bound_is_made_of_its_divergence_prior_and_training_error():
    spec = STUDY.build("smoke", {})
    table = STUDY.run(spec, [0], "cpu")
    runs = table[~table["quantity"].str.startswith("trained")].pivot(
        index=["labels", "step"], columns="quantity", values="value"
    )
    n, index = spec.n_train, -bound.PRECISION * np.log(runs["prior variance"])
    spent = runs["KL"] + 2 * np.log(index.round()) + math.log(math.pi**2 * n / (6 * spec.delta))
    assert index.to_numpy() == pytest.approx(index.round().to_numpy(), abs=1e-3)
    assert runs["budget"].to_numpy() == pytest.approx((spent / (n - 1)).to_numpy(), rel=1e-5)
    limits = bound.error_bound(runs["train error"], spec.draws * n, runs["budget"], spec.delta_draws)
    assert runs["bound"].to_numpy() == pytest.approx(limits, abs=1e-6)
    assert (runs["bound"] > runs["train error"]).all()


def test_drawn_units_have_the_moments_of_drawn_weights():
    torch.manual_seed(0)
    sizes = [(4, 3), (4, 1)]
    means = [torch.randn(1, *size, dtype=torch.float64) for size in sizes]
    stds = [0.5 * torch.rand(1, *size, dtype=torch.float64) for size in sizes]
    x, draws = torch.tensor([0.3, -1.2, 0.8, 1.0], dtype=torch.float64), 200_000
    many = x.expand(1, draws, 4)
    found = outputs(means, many, stds, [torch.randn(1, draws, out, dtype=torch.float64) for _, out in sizes])
    written = [m + s * torch.randn(draws, *m.shape[1:], dtype=torch.float64) for m, s in zip(means, stds, strict=True)]
    expected = outputs(written, x.expand(draws, 1, 4))
    found, expected = found.flatten(), expected.flatten()
    assert float(found.mean() - expected.mean()) == pytest.approx(0, abs=5 * float(expected.std()) * (2 / draws) ** 0.5)
    assert float(found.std() / expected.std()) == pytest.approx(1, abs=0.02)
    assert float((found > 0).double().mean() - (expected > 0).double().mean()) == pytest.approx(0, abs=0.01)


def test_labels_are_what_their_condition_says():
    split = data.split(data.load("digits"), 3, 1000, standardise="none", flat=True)
    true = {on: np.where(getattr(split, on).labels.numpy() < 5, -1, 1) for on in ("train", "test")}

    def agreement(condition, **changes):
        found = binary(STUDY.build("quick", changes), split, 3, condition)
        return {on: (found[on] == true[on]).mean() for on in found}

    assert agreement("real") == {"train": 1.0, "test": 1.0}
    assert agreement("random") == pytest.approx({"train": 0.5, "test": 0.5}, abs=0.08)
    assert agreement("random", noise=0.0) == {"train": 1.0, "test": 1.0}
    assert agreement("real", labels="shuffled") == pytest.approx({"train": 0.5, "test": 0.5}, abs=0.08)
    assert agreement("real", fresh="at random") == pytest.approx({"train": 1.0, "test": 0.5}, abs=0.08)


_LARGER = {"real": 0.01, "random": 0.03}  # how much larger the second seed's values are


def _table(**quantities):
    """Two seeds with (real, random) values of each quantity, the second's a little larger, others before the end."""
    rows = [
        {"seed": seed, "labels": labels, "step": step, "quantity": quantity.replace("_", " "), "value": value * factor}
        for seed in (0, 1)
        for quantity, pair in quantities.items()
        for labels, value in zip(("real", "random"), pair, strict=True)
        for step, factor in ((0, 0.1), (500, 1 + _LARGER[labels] * seed))
    ]
    return pd.DataFrame(rows)


def _answer(values, **quantities):
    return Answer(_table(**quantities), values, SPEC)


# of 100 labels 40 and 10 above a guess, in the second seed 39.9 and 8.8
_FITTED, _NATS = {"train_error": (0.1, 0.4)}, 1.03 / 8.8 / (40.4 / 39.9)
KNOWN = {
    "pac-bayes-nonvacuous": Known(_answer([0.3, 0.303], bound=(0.3, 0.9)), _answer([0.6, 0.606], bound=(0.6, 0.2))),
    "pac-bayes-covers": Known(
        _answer([0.2, 0.202], bound=(0.3, 0.9), test_error=(0.1, 0.5)),
        _answer([-0.1, -0.103], bound=(0.4, 0.4), test_error=(0.1, 0.5)),
    ),
    "pac-bayes-separates": Known(
        _answer([3, 3 * 1.03 / 1.01], bound=(0.3, 0.9)), _answer([1, 1.03 / 1.01], bound=(0.8, 0.8))
    ),
    "memory-costs-more": Known(
        _answer([5, 50 * _NATS], KL=(40, 50), **_FITTED), _answer([0.5, 5 * _NATS], KL=(40, 5), **_FITTED)
    ),
}


def test_a_network_that_only_guesses_has_no_price():
    prices = claims.price(_table(KL=(40, 50), train_error=(0.1, 0.497)), SPEC)
    assert prices["real"].tolist() == pytest.approx([1, 40.4 / 39.9])
    assert prices["random"].isna().all()
