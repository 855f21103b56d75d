"""Rules that remember, the plain loop, and what the winsorising kernel must survive."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from genbook.gradients import Clipped, Mean, MedianOfMeans, RunningMean, RunningMedian, Winsorized
from genbook.gradients.robust import LengthOnly
from genbook.gradients.winsorize import BLOCK, kernel

EXACT = {"rtol": 1e-10, "atol": 1e-12}


def problem(seed=0, m=10):
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3)).double()
    return model, nn.CrossEntropyLoss(), torch.randn(m, 4).double(), torch.randint(0, 3, (m,))


def mean_gradient(model, loss, x, y):
    return torch.autograd.grad(loss(model(x), y), list(model.parameters()))


def winsorized(values, c):
    ordered = np.sort(values, 0)
    return np.clip(values, ordered[c], ordered[-1 - c]).mean(0)


@settings(max_examples=60, deadline=None)
@given(
    c=st.sampled_from([1, 2, 5]),
    extra=st.integers(0, 11),
    zeros=st.floats(0, 1),
    ties=st.booleans(),
    seed=st.integers(0, 10**6),
)
def test_winsorised_mean(c, extra, zeros, ties, seed):
    """Every number of zeros, of ties and of examples, against sorting."""
    generator = np.random.default_rng(seed)
    m = 2 * c + 2 + extra
    u, v = generator.standard_normal((m, 3)), generator.standard_normal((m, BLOCK))
    if ties:
        u, v = np.sign(u), np.round(v)
    u[generator.random(u.shape) < zeros] = 0
    out = np.empty((3, BLOCK))
    kernel(c)(u, v, out)
    np.testing.assert_allclose(out, winsorized(u[:, :, None] * v[:, None, :], c), rtol=1e-12, atol=1e-13)


def test_an_outlier_takes_no_digits_from_the_others():
    values = np.ones((12, BLOCK), np.float32)
    values[3] = 3e38
    values[5] = -3e38
    out = np.empty((1, BLOCK), np.float32)
    kernel(1)(np.ones((12, 1), np.float32), values, out)
    np.testing.assert_array_equal(out, 1)


def test_level_zero_is_the_mean():
    model, loss, x, y = problem()
    for rule in (Mean(), Winsorized(0), Clipped(1e9)):
        losses = rule.backward(model, loss, x, y)
        for parameter, gradient in zip(model.parameters(), mean_gradient(model, loss, x, y), strict=True):
            torch.testing.assert_close(parameter.grad, gradient, **EXACT)
        torch.testing.assert_close(losses.mean(), loss(model(x), y).detach(), **EXACT)


@pytest.mark.parametrize("rule", [Winsorized(2), Clipped(0.1), MedianOfMeans()], ids=lambda rule: type(rule).__name__)
def test_a_length_without_its_direction(rule):
    """The mean's direction, the rule's length over all parameters."""
    model, loss, x, y = problem()
    mean, lengths = torch.cat([g.flatten() for g in mean_gradient(model, loss, x, y)]), []
    for one in (rule, LengthOnly(rule)):
        one.backward(model, loss, x, y)
        gradient = torch.cat([p.grad.flatten() for p in model.parameters()])
        lengths.append(gradient.norm())
    torch.testing.assert_close(gradient, mean * lengths[0] / mean.norm(), **EXACT)
    assert abs(lengths[1] / mean.norm() - 1) > 0.02


def test_the_largest_level_is_nearly_the_median():
    model, loss, x, y = problem(m=10)
    Winsorized(4).backward(model, loss, x, y)
    rows = torch.stack([mean_gradient(model, loss, x[i : i + 1], y[i : i + 1])[3] for i in range(10)])
    ordered = rows.sort(0).values
    torch.testing.assert_close(model[2].bias.grad, (ordered[4] + ordered[5]) / 2, **EXACT)


@pytest.mark.parametrize(("rule", "combine"), [(RunningMean, "mean"), (RunningMedian, "median")])
def test_the_last_three_gradients(rule, combine):
    model, loss, *_ = problem()
    rule = rule()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    rule.check_optimizer(optimizer)
    past = []
    for step in range(5):
        *_, x, y = problem(step)
        before = [p.detach().clone() for p in model.parameters()]
        past.append(mean_gradient(model, loss, x, y))
        optimizer.zero_grad()
        rule.backward(model, loss, x, y)
        optimizer.step()
        for k, (parameter, old) in enumerate(zip(model.parameters(), before, strict=True)):
            if step < 2:
                assert parameter.equal(old)
                continue
            last = torch.stack([gradients[k] for gradients in past[-3:]])
            expected = last.mean(0) if combine == "mean" else last.median(0).values
            torch.testing.assert_close(parameter.detach(), old - 0.5 * expected, **EXACT)


def test_a_rule_goes_on_from_its_saved_state():
    model, loss, *_ = problem()
    rule, resumed = RunningMedian(), RunningMedian()
    for step in range(4):
        *_, x, y = problem(step)
        resumed.restore({name: tensor.clone() for name, tensor in rule.state().items()})
        _, expected = rule.gradients(model, loss, x, y)
        _, got = resumed.gradients(model, loss, x, y)
        assert got.keys() == expected.keys()
        assert all(got[name].equal(expected[name]) for name in expected)
    assert expected


def test_gradients_are_written_in_place():
    """An engine that keeps all gradients in one tensor finds them there."""
    model, loss, x, y = problem()
    flat = torch.full((sum(p.numel() for p in model.parameters()),), 7.0).double()
    for parameter, part in zip(model.parameters(), flat.split([p.numel() for p in model.parameters()]), strict=True):
        parameter.grad = part.view_as(parameter)
    MedianOfMeans().backward(model, loss, x, y)
    assert not flat.eq(7).any()
    RunningMean().backward(model, loss, x, y)
    assert flat.eq(0).all()


def test_running_median_refuses_momentum():
    model, *_ = problem()
    for optimizer in (torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9), torch.optim.Adam(model.parameters())):
        with pytest.raises(ValueError, match="unstable with momentum"):
            RunningMedian().check_optimizer(optimizer)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Winsorized(-1), "c is -1; it must be a whole number"),
        (lambda: Winsorized(1.5), "c is 1.5; it must be a whole number"),
        (lambda: LengthOnly(RunningMedian()), "RunningMedian averages over steps; want a rule that takes one batch"),
        (lambda: Clipped(0), "max_norm is 0; it must be positive"),
        (lambda: Clipped(float("nan")), "max_norm is nan; it must be positive"),
    ],
)
def test_rules_refuse_their_settings(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("rule", "m", "message"),
    [
        (Winsorized(5), 10, "a batch of 10 examples cannot lose 5 values a side; it needs 12"),
        (MedianOfMeans(), 2, "M3 needs at least 3 examples"),
        (Mean(), 0, "inputs are empty"),
    ],
)
def test_rules_refuse_small_batches(rule, m, message):
    with pytest.raises(ValueError, match=message):
        rule.backward(*problem(m=m))
