"""Every case of `cases.py`: exact against one backward pass per example in float64, or refused in the words told."""

import warnings

import pytest
import torch
from per_example import flat, gradients

from genbook import gradients as lens
from tests.cases import CASES, CHUNK, SLOW, M, some

EXACT = {"rtol": 1e-10, "atol": 1e-12}
exact = [
    pytest.param(c, id=c.name, marks=pytest.mark.xfail(reason=c.limit, strict=True) if c.limit else ())
    for c in CASES
    if not c.refused
]
refused = [pytest.param(c, id=c.name) for c in CASES if c.refused]


@pytest.fixture(autouse=True)
def without_warnings():
    """That a slow way is taken is told elsewhere."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.mark.parametrize("case", exact)
def test_exact(case):
    model, loss, x, y = case.drawn()
    expected = gradients(model, case.alone or loss, x, y)
    g = flat(expected)
    for chunk_size in (None, CHUNK, 1):
        c = lens.coherence(model, loss, x, y, chunk_size=chunk_size)
        torch.testing.assert_close(c.norms, g.norm(dim=1), **EXACT)
        torch.testing.assert_close(c.alignments, g @ g.mean(0), **EXACT)
        torch.testing.assert_close(c.m_coherence, g.sum(0).square().sum() / g.square().sum(), **EXACT)
        for name, part in c.parameters.items():
            torch.testing.assert_close(part.squared_norms, expected[name].reshape(M, -1).square().sum(1), **EXACT)
    loader = [(some(x, rows), y[rows]) for rows in ([0, 1, 2, 3], [4, 5])]
    c = lens.coherence(model, loss, loader)
    torch.testing.assert_close(c.alignments, g @ g.mean(0), **EXACT)
    torch.testing.assert_close(c.m_coherence, g.sum(0).square().sum() / g.square().sum(), **EXACT)
    torch.testing.assert_close(lens.gram(model, loss, loader).matrix, g @ g.T, **EXACT)
    torch.testing.assert_close(lens.gradient_norms(model, loss, x, y, chunk_size=4), g.norm(dim=1), **EXACT)
    torch.testing.assert_close(lens.gram(model, loss, x, y).matrix, g @ g.T, **EXACT)
    for rule, average in (
        (lens.Mean(), mean),
        (lens.MedianOfMeans(), median_of_means),
        (lens.Winsorized(1), winsorised),
    ):
        _, averages = rule.gradients(model, loss, x, y)
        for name, each in expected.items():
            torch.testing.assert_close(averages[name], average(each), **EXACT)


def mean(g):
    return g.mean(0)


def median_of_means(g):
    return torch.stack([part.mean(0) for part in g.split(M // 3)]).median(0).values


def winsorised(g):
    ordered = g.sort(0).values
    return g.clamp(ordered[1], ordered[-2]).mean(0)


@pytest.mark.parametrize("case", refused)
def test_refused(case):
    for measure in (lens.coherence, lens.gram, lens.gradient_norms):
        model, loss, x, y = case.drawn()
        with pytest.raises(lens.Refused, match=case.refused):
            measure(model, loss, x, y, check="all")
    model, loss, x, y = case.drawn()
    with pytest.raises(lens.Refused, match=case.refused):
        lens.coherence(model, loss, x, y, chunk_size=4, check="all")


@pytest.mark.parametrize("case", exact)
def test_a_slow_way_is_told_and_no_other_taken(case):
    model, loss, x, y = case.drawn()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        lens.gradient_norms(model, loss, x, y)
    told = [str(warning.message) for warning in told if "coherence has no rule" in str(warning.message)]
    assert [SLOW[case.name] in message for message in told] == [True] * (case.name in SLOW)
