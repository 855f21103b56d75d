"""Learning rates by batch size: matrices against brute force, the spiked law on random matrices, the statistics."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from genbook.base.seeding import generator
from genbook.models import mlp
from genbook.studies import get
from genbook.studies.batches.batch_learning_rates import claims
from genbook.studies.batches.batch_learning_rates.figure import stable_at
from genbook.studies.batches.batch_learning_rates.run import Curved, curvature
from genbook.studies.batches.batch_learning_rates.spec import BatchLearningRatesSpec
from tests.known import Answer, Known

STUDY = get("batch_learning_rates")
N = 24


@pytest.fixture(scope="module")
def curved():
    """A small network in float64 on random points, and the Hessian of its loss by brute force."""
    torch.manual_seed(0)
    model = mlp((5, 4, 3), "tanh").double()
    inputs, labels = torch.randn(N, 5, dtype=torch.float64), torch.arange(N) % 3
    return Curved(model, inputs, labels)


def flat_loss(curved, places):
    shapes = [(name, p.shape) for name, p in curved.model.named_parameters()]

    def outputs(flat):
        parts = flat.split([shape.numel() for _, shape in shapes])
        values = {name: part.reshape(shape) for (name, shape), part in zip(shapes, parts, strict=True)}
        return torch.func.functional_call(curved.model, values, (curved.inputs[places],))

    point = torch.cat([p.detach().flatten() for p in curved.model.parameters()])
    return outputs, (lambda flat: nn.functional.cross_entropy(outputs(flat), curved.labels[places])), point


def test_eigenvalues_of_batches_are_those_of_the_dense_matrices(curved):
    batches = torch.tensor([[0, 1, 2], [5, 9, 20]])
    largest, smallest = curved.largest(batches), curved.smallest(batches)
    for place, batch in enumerate(batches):
        outputs, loss, point = flat_loss(curved, batch)
        values = torch.linalg.eigvalsh(torch.func.hessian(loss)(point))
        assert float(largest[place]) == pytest.approx(float(values[-1]), rel=1e-2)
        assert float(smallest[place]) == pytest.approx(float(values[0]), rel=2e-2)
        jacobian, p = torch.func.jacrev(outputs)(point), outputs(point).softmax(1)
        inner = torch.diag_embed(p) - p[:, :, None] * p[:, None]
        matrix = torch.einsum("ncp,ncd,ndq->pq", jacobian, inner, jacobian) / len(batch)
        assert curved.gauss_newton(batch) == pytest.approx(float(torch.linalg.eigvalsh(matrix)[-1]), rel=1e-9)


def test_noise_scale_tells_the_mean_square_of_a_batch_s_gradient(curved):
    """Over batches of two, drawn with replacement, E‖g_B‖² = ‖g‖² (1 + scale / 2)."""
    gradients = []
    for i in range(N):
        _, loss, point = flat_loss(curved, torch.tensor([i]))
        gradients.append(torch.func.grad(loss)(point))
    gradients = torch.stack(gradients)
    assert curved.gradients.numpy() == pytest.approx(gradients.numpy(), abs=1e-12)
    pairs = (gradients[:, None] + gradients[None]) / 2
    expected = pairs.square().sum(2).mean() / gradients.mean(0).square().sum()
    assert 1 + curved.noise_scale() / 2 == pytest.approx(float(expected), rel=1e-9)


def test_noise_is_that_of_the_dense_matrices(curved):
    spec = STUDY.build("smoke", {"n_train": N, "batch_sizes": [1, 6], "draws": 40})
    found = curvature(curved, spec, 3)
    _, loss, point = flat_loss(curved, torch.arange(N))
    whole = torch.func.hessian(loss)(point)
    values, vectors = torch.linalg.eigh(whole)
    assert found[N]["largest eigenvalue"] == pytest.approx(float(values[-1]), rel=1e-4)
    draw = generator(3, "batches whose curvature is measured")
    picked = np.stack([draw.permutation(N)[:1] for _ in range(40)])
    rows, squares = [], []
    for batch in torch.from_numpy(picked):
        noise = torch.func.hessian(flat_loss(curved, batch)[1])(point) - whole
        along = noise @ vectors[:, -1]
        rows.append(float(along.square().sum() - (along @ vectors[:, -1]).square()))
        squares.append(float(noise.square().sum()))
    assert found[1]["noise along"] == pytest.approx(np.mean(rows), rel=1e-3)
    # random signs tell the sum of squares without bias
    assert found[1]["noise on average"] == pytest.approx(np.mean(squares) / len(point), rel=0.25)


def test_a_spike_in_a_random_matrix_moves_as_the_theory_says():
    """λ₁ + σ²/λ₁ for a spike beyond the edge, 2σ below it; the row along the spike has σ² as every other."""
    size, sigma = 900, 1.0
    draws = np.random.default_rng(0).standard_normal((size, size)) * sigma / np.sqrt(2 * size)
    noise = draws + draws.T
    for spike, expected in ((3.0, 3 + 1 / 3), (1.5, 1.5 + 1 / 1.5), (0.5, 2.0)):
        matrix = noise.copy()
        matrix[0, 0] += spike
        assert np.linalg.eigvalsh(matrix)[-1] == pytest.approx(expected, rel=0.03)
    assert np.square(noise[0, 1:]).sum() == pytest.approx(sigma**2, rel=0.1)


def test_copies_of_one_example_average_nothing(curved):
    spec = STUDY.build("smoke", {"n_train": N, "batch_sizes": [1, 6, 20], "draws": 30, "averages": False})
    found = curvature(curved, spec, 0)
    tops = [found[size]["largest eigenvalue"] for size in (1, 6, 20)]
    assert max(tops) < 1.5 * min(tops)
    assert min(tops) > 2 * found[N]["largest eigenvalue"]
    sizes = {c.columns["batch size"]: c.recipe.batch_size for c in spec.rates().conditions}
    assert sizes == {1: 1, 6: 1, 20: 1, N: N}


SPEC = BatchLearningRatesSpec.build(batch_sizes=[1, 4, 16, 100], n_train=200, n_tried=60)


def known(top=1.0, spread=1.0, sgd=1.0, adam=0.5, last=0.0, noise=1.0, power=1.0):
    """Three seeds: an excess of ``top`` (1/B - 1/N) ^ power, rates that grow by powers up to 100 and then by ``last``.

    ``noise``: predicted over real excess; ``spread``: noise along over that on average, at all sizes.
    """
    rows = []
    for seed in (0, 1, 2):
        own = 1 + 0.01 * seed
        rows += [(seed, "curvature", 200, 0.0, name, 2.0) for name in _EIGENVALUES]
        rows.append((seed, "curvature", 200, 0.0, "train loss", 1.0))
        for size in (1, 4, 16, 100):
            excess = own * top * 2 * (1 / size - 1 / 200) ** power
            rows += [(seed, "curvature", size, 0.0, name, 2 + excess) for name in _EIGENVALUES]
            rows.append((seed, "curvature", size, 0.0, "noise along", noise * excess * 2))
            rows.append((seed, "curvature", size, 0.0, "noise on average", noise * excess * 2 / (own * spread)))
        for name, first, slope in (("SGD", 0.02, sgd), ("Adam", 0.01, adam)):
            for size in (1, 4, 16, 100, 200):
                edge = own * first * min(size, 100) ** slope * (2**last if size == 200 else 1)
                for rate in SPEC.tried(name):
                    if rate < 3 * edge:  # beyond, they diverge
                        loss = 2.0 if rate > edge else 0.9 - 0.1 * rate / edge
                        rows.append((seed, name, size, rate, "train loss", loss))
    return pd.DataFrame(rows, columns=["seed", "run", "batch size", "learning rate", "quantity", "value"])


_EIGENVALUES = ("largest eigenvalue", "smallest eigenvalue", "largest Gauss-Newton eigenvalue")
AS_SAID, CONTRARY = known(top=8.0, spread=30.0), known(top=0.1, spread=1.0, sgd=0.5, adam=0.5, noise=0.2, power=0.0)


def answers(claim_id, table):
    return claims_by_id[claim_id].statistic(table, SPEC).tolist()


claims_by_id = {claim.id: claim for claim in claims.CLAIMS}
_OWN = np.array([1, 1.01, 1.02])
_AT_FOUR = 1 / 4 - 1 / 200


def rung(name, edge):
    """The largest rate tried that is at most ``edge``."""
    return max(rate for rate in SPEC.tried(name) if rate <= edge)


def powers(name, first, slope):
    edges = [[rung(name, own * first * size**slope) for size in (1, 4, 16)] for own in _OWN]
    return np.array([np.polyfit(np.log([1, 4, 16]), np.log(mine), 1)[0] for mine in edges])


def last_powers(table_last, slope):
    found = []
    for own in _OWN:
        low, high = (rung("Adam", own * 0.01 * 100**slope * factor) for factor in (1, 2**table_last))
        found.append(np.log(high / low) / np.log(2))
    return found


def products(top, sgd, power):
    """Rate times eigenvalue of batches of 100 over that of single examples."""
    found = []
    for own in _OWN:
        large, small = (
            rung("SGD", own * 0.02 * size**sgd) * (2 + own * top * 2 * (1 / size - 1 / 200) ** power)
            for size in (100, 1)
        )
        found.append(large / small)
    return found


RISING = known(top=8.0, adam=1.0, last=0.9)
FLAT = known(top=8.0, sgd=0.0)
KNOWN = {
    **{
        name: Known(
            Answer(AS_SAID, 1 + 8 * _OWN * _AT_FOUR, SPEC), Answer(known(top=0.1), 1 + 0.1 * _OWN * _AT_FOUR, SPEC)
        )
        for name in ("batch-raises-top", "batch-lowers-bottom", "batch-raises-gauss-newton")
    },
    "excess-with-variance": Known(Answer(known(power=0.9), [0.9] * 3, SPEC), Answer(CONTRARY, [0] * 3, SPEC)),
    "excess-from-noise-along": Known(
        Answer(known(noise=0.8), [0.8] * 3, SPEC), Answer(known(noise=0.2), [0.2] * 3, SPEC)
    ),
    "noise-is-no-random-matrix": Known(Answer(AS_SAID, 30 * _OWN, SPEC), Answer(CONTRARY, _OWN, SPEC)),
    "adam-as-the-root": Known(
        Answer(AS_SAID, powers("Adam", 0.01, 0.5), SPEC), Answer(RISING, powers("Adam", 0.01, 1.0), SPEC)
    ),
    "adam-grows-less-than-sgd": Known(
        Answer(AS_SAID, powers("SGD", 0.02, 1) - powers("Adam", 0.01, 0.5), SPEC),
        Answer(CONTRARY, powers("SGD", 0.02, 0.5) - powers("Adam", 0.01, 0.5), SPEC),
    ),
    "adam-levels-off": Known(Answer(AS_SAID, last_powers(0, 0.5), SPEC), Answer(RISING, last_powers(0.9, 1.0), SPEC)),
    "more-than-curvature": Known(Answer(AS_SAID, products(8, 1, 1), SPEC), Answer(FLAT, products(8, 0, 1), SPEC)),
}


def test_the_largest_stable_rate_comes_before_the_first_that_is_not():
    table = AS_SAID.copy()
    mine = (table["run"] == "SGD") & (table["batch size"] == 4) & (table["seed"] == 0)
    rates = SPEC.tried("SGD")
    table.loc[mine & (table["learning rate"] == rates[0]), "value"] = 1.2  # too small a rate may not lower it either
    assert claims.largest_stable(table, SPEC, "SGD").loc[0, 4] == rung("SGD", 0.08)
    table.loc[mine & (table["learning rate"] > 0), "value"] = 0.5
    everything = table[~mine]
    rows = pd.DataFrame(
        {"seed": 0, "run": "SGD", "batch size": 4, "learning rate": rates, "quantity": "train loss", "value": 0.5}
    )
    all_stable = claims.largest_stable(pd.concat([everything, rows]), SPEC, "SGD")
    assert np.isnan(all_stable.loc[0, 4])
    assert claims.growth(all_stable).isna().tolist() == [True, False, False]


@pytest.mark.parametrize("towards", [0, np.inf])
def test_rates_that_another_processor_spaced_are_the_same_rates(towards):
    """The rates of a published table are those of the machine that made it, and may differ in their last bit here."""
    table = AS_SAID.copy()
    table["learning rate"] = np.nextafter(table["learning rate"], towards)
    for optimiser in ("SGD", "Adam"):
        pd.testing.assert_frame_equal(
            claims.largest_stable(table, SPEC, optimiser), claims.largest_stable(AS_SAID, SPEC, optimiser)
        )


def test_what_is_tolerated_decides_what_is_stable():
    """Losses of 2 are stable where three times the loss before is: up to where runs diverge."""
    found = stable_at(AS_SAID, SPEC, (1.0, 3.0))["rates"].set_index(["tolerated", "optimiser", "size"])["estimate"]
    assert found[3.0, "SGD", 4] / found[1.0, "SGD", 4] == pytest.approx(3, rel=0.15)
