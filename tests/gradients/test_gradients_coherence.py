"""Properties and closed forms of coherence, on gradients that are chosen: the loss of example i is w·x_i."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from per_example import Unscaled, flat, gradients, output
from torch import nn

from genbook.gradients import coherence, forms, gram, signal_to_noise
from genbook.models import stack

EXACT = {"rtol": 1e-10, "atol": 1e-12}
entries = st.floats(-100, 100, allow_subnormal=False).map(lambda v: 0.0 if abs(v) < 1e-6 else v)
matrices = arrays.arrays("float64", st.tuples(st.integers(2, 9), st.integers(1, 6)), elements=entries).map(
    torch.from_numpy
)
quick = settings(max_examples=40, deadline=None)


def of(g, **kwargs):
    """Coherence of the rows of g."""
    return coherence(Unscaled(g.shape[1]), output, g, torch.zeros(len(g)), **kwargs)


@quick
@given(matrices)
def test_against_the_definitions(g):
    c, s, q = of(g), g.sum(0), g.square().sum()
    torch.testing.assert_close(c.m_coherence, s @ s / q, **EXACT, equal_nan=True)
    torch.testing.assert_close(c.norms, g.norm(dim=1), **EXACT)
    torch.testing.assert_close(c.alignments, g @ s / len(g), rtol=1e-10, atol=1e-9)
    pairs = (g @ g.T).fill_diagonal_(0).sum() / (len(g) * (len(g) - 1))
    torch.testing.assert_close(c.off_diagonal * q / len(g), pairs, rtol=1e-10, atol=1e-9) if q > 0 else None
    torch.testing.assert_close(c.alignments.mean(), c.gradient_norm**2, rtol=1e-10, atol=1e-9)


@quick
@given(matrices)
def test_alpha_lies_between_zero_and_one(g):
    alpha = of(g).alpha
    assert alpha.isnan() if g.eq(0).all() else 0 <= alpha <= 1 + 1e-12


@quick
@given(matrices, st.floats(1e-3, 1e3), st.sampled_from([-1, 1]))
def test_scale_does_not_matter(g, scale, sign):
    torch.testing.assert_close(of(sign * scale * g).alpha, of(g).alpha, rtol=1e-9, atol=1e-12, equal_nan=True)


@quick
@given(matrices, st.integers(1, 9))
def test_zero_gradients_dilute(g, zeros):
    padded = torch.cat([g, torch.zeros(zeros, g.shape[1], dtype=g.dtype)])
    share = len(g) / (len(g) + zeros)
    torch.testing.assert_close(of(padded).alpha, share * of(g).alpha, **EXACT, equal_nan=True)
    torch.testing.assert_close(of(padded).m_coherence, of(g).m_coherence, **EXACT, equal_nan=True)


@quick
@given(matrices, st.integers(2, 5))
def test_duplicated_examples_multiply(g, times):
    """Negative control: copies carry no new information, and m-coherence says so by growing in proportion."""
    torch.testing.assert_close(of(g.repeat(times, 1)).m_coherence, times * of(g).m_coherence, **EXACT, equal_nan=True)


@quick
@given(matrices, st.integers(1, 5))
def test_orthogonal_mixture(g, other):
    """Two groups of orthogonal gradients: α ≤ p·α_U + (1 − p)·α_V, and the groups' sums have no product."""
    first = torch.cat([g, torch.zeros_like(g)], 1)
    second = torch.cat([torch.zeros(other, g.shape[1]), torch.ones(other, g.shape[1])], 1).double()
    groups = torch.tensor([0] * len(g) + [1] * other)
    c = of(torch.cat([first, second]), groups=groups)
    p = len(g) / (len(g) + other)
    own = of(g).alpha.nan_to_num(0)
    assert c.alpha <= p * own + (1 - p) * 1 + 1e-12
    assert c.groups.products[0, 1] == 0
    if own > 0:
        torch.testing.assert_close(c.groups.alpha, torch.stack([own, torch.ones_like(own)]), **EXACT)


@pytest.mark.parametrize("k", [2, 4, 16])
def test_mini_batch_law(k):
    """Means of k independent gradients: α_k = kα / (1 + (k − 1)α), over all m^k batches in expectation."""
    torch.manual_seed(k)
    g = torch.randn(50, 4, dtype=torch.float64) + 0.5
    alpha = of(g).alpha
    law = k * alpha / (1 + (k - 1) * alpha)
    # E‖mean‖² of k draws with replacement, from the two moments of one draw.
    mean_square, square_mean = g.square().sum(1).mean(), g.mean(0).square().sum()
    torch.testing.assert_close(square_mean / (mean_square / k + (1 - 1 / k) * square_mean), law, **EXACT)
    batches = g[torch.randint(50, (40_000, k))].mean(1)
    torch.testing.assert_close(of(batches).alpha, law, rtol=0.02, atol=0)


def test_equal_gradients_and_orthogonal_ones():
    assert of(torch.ones(6, 3).double()).alpha == pytest.approx(1)
    c = of(5 * torch.eye(6).double())
    assert c.m_coherence == pytest.approx(1)
    assert c.off_diagonal == pytest.approx(0, abs=1e-12)
    opposed = of(torch.tensor([[1.0], [-1.0]]).double())
    assert opposed.m_coherence == 0
    assert opposed.off_diagonal == -1


@pytest.mark.parametrize(("last", "expected"), [(1.0, 2.5), (0.0, 1.0)], ids="LM")
def test_the_papers_examples_l_and_m(last, expected):
    """Chatterjee and Zielinski (2022), section 3: a shared sixth input (L) or none (M), squared loss, four examples."""
    x = torch.zeros(4, 6, dtype=torch.float64)
    x[range(4), range(4)] = torch.tensor([1.0, -1.0, -1.0, 1.0], dtype=torch.float64)
    y = x.sum(1, keepdim=True)
    x[:, 5] = last * y[:, 0]
    model = nn.Linear(6, 1, bias=False).double()
    nn.init.zeros_(model.weight)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(30):  # constant during training
        assert coherence(model, nn.MSELoss(), x, y).m_coherence.item() == pytest.approx(expected, abs=1e-12)
        optimizer.zero_grad()
        (0.5 * (model(x) - y).square().mean()).backward()
        optimizer.step()


def problem(m=12, seed=0):
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 7), nn.Tanh(), nn.Linear(7, 3)).double()
    return model, nn.CrossEntropyLoss(), torch.randn(m, 6, dtype=torch.float64), torch.randint(0, 3, (m,))


def test_layers_combine_by_their_shares():
    c = coherence(*problem())
    torch.testing.assert_close(sum(layer.fraction * layer.alpha for layer in c.layers.values()), c.alpha, **EXACT)
    torch.testing.assert_close(sum(layer.fraction for layer in c.layers.values()), torch.ones(()).double(), **EXACT)
    for layer in c.layers.values():
        parameters = [c.parameters[name] for name in layer.names]
        torch.testing.assert_close(sum(p.alpha * p.fraction for p in parameters) / layer.fraction, layer.alpha, **EXACT)
    assert list(c.layers) == ["0", "2", "4"]


def test_derived_quantities():
    model, loss, x, y = problem()
    g = flat(gradients(model, loss, x, y))
    c = coherence(model, loss, x, y)
    trace = g.var(0, correction=0).sum()
    square = g.mean(0).square().sum()
    torch.testing.assert_close(c.gradient_diversity, g.square().sum() / g.sum(0).square().sum(), **EXACT)
    torch.testing.assert_close(c.noise_scale, trace / square, **EXACT)
    torch.testing.assert_close(c.signal_to_noise, square / trace, **EXACT)
    unbiased_square = ((g @ g.T).sum() - g.square().sum()) / (12 * 11)
    torch.testing.assert_close(c.unbiased_noise_scale, g.var(0).sum() / unbiased_square, **EXACT)
    for name, ratios in signal_to_noise(model, loss, x, y).items():
        mine = gradients(model, loss, x, y)[name]
        torch.testing.assert_close(c.parameters[name].gradient_norm ** 2, mine.mean(0).square().sum(), **EXACT)
        assert ratios.shape == mine.shape[1:]


def test_m_coherence_at_a_size_is_the_expectation_over_subsets():
    g = torch.randn(6, 3, dtype=torch.float64) + 0.4
    c = of(g)
    subsets = torch.combinations(torch.arange(6), 4)
    above = torch.stack([g[s].sum(0).square().sum() for s in subsets]).mean()
    below = torch.stack([g[s].square().sum() for s in subsets]).mean()
    torch.testing.assert_close(c.m_coherence_at(4), above / below, **EXACT)
    torch.testing.assert_close(c.m_coherence_at(6), c.m_coherence, **EXACT)


LABELS = {
    "integers": torch.tensor([0, 2, 1, 0, 2, 2, 0, 1, 2, 0, 0, 2]),
    "sorted": torch.tensor([0] * 5 + [1] * 2 + [2] * 5),
    "strings": list("zxyzxxzyxzzx"),
    "booleans": torch.arange(12) % 3 == 0,
}


@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize("chunk_size", [None, 1, 5])
def test_groups_against_the_gradients(labels, chunk_size):
    model, loss, x, y = problem()
    g = flat(gradients(model, loss, x, y))
    c = coherence(model, loss, x, y, groups=LABELS[labels], chunk_size=chunk_size)
    names = sorted(set(LABELS[labels])) if labels == "strings" else sorted(set(LABELS[labels].tolist()))
    assert c.groups.names == tuple(str(name) for name in names)
    member = [[label == name for label in list(LABELS[labels])] for name in names]
    parts = [g[torch.tensor(rows)] for rows in member]
    for k, mine in enumerate(parts):
        assert c.groups.counts[k] == len(mine)
        torch.testing.assert_close(c.groups.m_coherence[k], mine.sum(0).square().sum() / mine.square().sum(), **EXACT)
        torch.testing.assert_close(
            c.groups.descent_fraction[k], mine.sum(0) @ g.sum(0) / g.sum(0).square().sum(), **EXACT
        )
        torch.testing.assert_close(c.groups.squared_norm_share[k], mine.square().sum() / g.square().sum(), **EXACT)
        torch.testing.assert_close(
            c.groups.m_coherence_at()[k], 1 + (min(map(len, parts)) - 1) * off_diagonal(mine), **EXACT
        )
        for h, theirs in enumerate(parts):
            if h == k:
                expected = off_diagonal(mine)
            else:
                scale = (mine.square().sum(1).mean() * theirs.square().sum(1).mean()).sqrt()
                expected = (mine @ theirs.T).mean() / scale
            torch.testing.assert_close(c.groups.between[k, h], expected, **EXACT)
            cosine = torch.cosine_similarity(mine.sum(0), theirs.sum(0), dim=0)
            torch.testing.assert_close(c.groups.cosines[k, h], cosine, **EXACT)
    # The groups leave the whole and the order of the examples as they are.
    without = coherence(model, loss, x, y)
    torch.testing.assert_close(c.m_coherence, without.m_coherence, **EXACT)
    torch.testing.assert_close(c.norms, without.norms, **EXACT)
    torch.testing.assert_close(c.alignments, without.alignments, **EXACT)
    layers = torch.stack([layer.groups.products for layer in c.layers.values()])
    torch.testing.assert_close(layers.sum(0), c.groups.products, **EXACT)


def off_diagonal(g):
    pairs = (g @ g.T).fill_diagonal_(0).sum() / (len(g) * (len(g) - 1))
    return pairs / g.square().sum(1).mean()


def test_shuffled_group_labels_drive_equal_shares():
    """Negative control: with labels at random the share of the descent is the share of the examples."""
    torch.manual_seed(0)
    g = torch.randn(4000, 10, dtype=torch.float64) + torch.tensor([1.0] * 10)
    mixed = of(g, groups=torch.rand(4000) < 0.25).groups.descent_fraction[1].item()
    assert mixed == pytest.approx(0.25, abs=0.03)
    aligned = of(g, groups=g.sum(1).argsort().argsort() < 1000).groups.descent_fraction[1].item()
    assert aligned < 0.2


def test_permuted_gradients_are_orthogonal():
    """Negative control: coordinates permuted within each example keep the norms and lose the coherence."""
    g = torch.randn(1, 4000, dtype=torch.float64).expand(30, -1) + 0.1 * torch.randn(30, 4000, dtype=torch.float64)
    assert of(g).m_coherence > 25
    permuted = torch.stack([row[torch.randperm(4000)] for row in g])
    c = of(permuted)
    torch.testing.assert_close(c.norms, of(g).norms, **EXACT)
    assert c.m_coherence.item() == pytest.approx(1, abs=0.5)
    assert abs(c.off_diagonal) < 0.02


def test_float32_keeps_its_digits():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(784, 800), nn.ReLU(), nn.Linear(800, 800), nn.ReLU(), nn.Linear(800, 10))
    x, y = torch.randn(64, 784), torch.randint(0, 10, (64,))
    single = coherence(model, nn.CrossEntropyLoss(), x, y, groups=y % 2)
    double = coherence(model.double(), nn.CrossEntropyLoss(), x.double(), y, groups=y % 2)
    for name in ("m_coherence", "alpha", "off_diagonal", "gradient_norm"):
        torch.testing.assert_close(getattr(single, name), getattr(double, name), rtol=2e-6, atol=0)
    torch.testing.assert_close(single.norms.double(), double.norms, rtol=2e-6, atol=0)
    torch.testing.assert_close(single.groups.products, double.groups.products, rtol=5e-6, atol=0)


def test_sums_of_squares_over_millions_of_entries():
    from genbook.gradients.forms import squared

    row = torch.randn(2, 2_400_001)
    torch.testing.assert_close(squared(row).double(), row.double().square().sum(1), rtol=5e-7, atol=0)


def test_one_example():
    c = of(torch.tensor([[3.0, 4.0]]).double())
    assert c.m_coherence == pytest.approx(1)
    assert c.norms.item() == pytest.approx(5)
    assert c.cosines.item() == pytest.approx(1)
    assert c.off_diagonal.isnan()


def test_all_gradients_zero():
    c = of(torch.zeros(4, 3).double(), groups=[0, 0, 1, 1])
    assert c.m_coherence.isnan()
    assert c.off_diagonal.isnan()
    assert c.cosines.isnan().all()
    assert c.groups.descent_fraction.isnan().all()
    assert c.gradient_norm == 0
    assert c.norms.eq(0).all()


def test_an_empty_group():
    c = of(torch.randn(4, 3).double(), groups=[0, 0, 2, 2], group_names=("a", "b", "c"))
    assert c.groups.m_coherence[1].isnan()
    assert c.groups.descent_fraction[1] == 0
    assert c.groups.m_coherence_at()[[0, 2]].isfinite().all()
    torch.testing.assert_close(c.groups.descent_fraction.sum(), torch.ones(()).double(), **EXACT)


def test_gram():
    model, loss, x, y = problem(m=300)
    result = gram(model, loss, x, y, layers=True)
    g = flat(gradients(model, loss, x, y))
    torch.testing.assert_close(result.matrix, g @ g.T, **EXACT)
    assert set(result.by_layer) == {"0", "2", "4"}
    torch.testing.assert_close(result.m_coherence, coherence(model, loss, x, y).m_coherence, **EXACT)
    largest = torch.linalg.eigvalsh(g.T @ g)[-20:]
    torch.testing.assert_close(result.eigenvalues[-20:], largest, rtol=1e-8, atol=1e-10)
    torch.testing.assert_close(result.cosines, torch.corrcoef(torch.cat([g, -g], 1)), **EXACT)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("m", [100, 300])  # one block, and blocks on and off the diagonal
@pytest.mark.parametrize("replicas", [None, 3])
def test_gram_is_symmetric_whatever_the_products_are(replicas, m, dtype, monkeypatch):
    # A library's product of a matrix and its own transpose need not be symmetric; here it never is.
    exact = forms.product
    monkeypatch.setattr(forms, "product", lambda a, b: exact(a, b) + torch.rand(a.shape[1], b.shape[2]).to(dtype) / 1e6)
    model, loss, x, y = problem(m=m)
    if replicas is not None:
        model, x, y = stack([model] * replicas), x.expand(replicas, *x.shape), y.expand(replicas, *y.shape)
    for layers in (False, True):
        result = gram(model.to(dtype), loss, x.to(dtype), y, layers=layers, check=0)  # products are wrong here
        for matrix in (result.matrix, *result.by_layer.values(), result.cosines):
            assert matrix.equal(matrix.mT)


def test_what_was_not_asked_for_is_named():
    c = coherence(*problem(), alignments=False)
    with pytest.raises(AttributeError, match="alignments=True"):
        _ = c.cosines
    with pytest.raises(AttributeError, match="groups=labels"):
        _ = c.groups
    torch.testing.assert_close(c.m_coherence, coherence(*problem()).m_coherence, **EXACT)
