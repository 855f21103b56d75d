"""The check against backward passes of their own, what it costs, and what a refusal leaves behind."""

import gc
import weakref

import pytest
import torch
from per_example import flat, gradients
from torch import nn

from genbook.gradients import Refused, Winsorized, coherence, gradient_norms, gram, rules
from genbook.gradients.capture import Capture
from genbook.models import mlp, small_cnn
from genbook.probes import AtSteps, GradientCoherence, LargestGradient
from genbook.training import SGD, Average, Examples, Recipe, Replica, train

LOSS = nn.CrossEntropyLoss()


def problem(m=20):
    torch.manual_seed(0)
    return mlp((4, 6, 3)).double(), LOSS, torch.randn(m, 4, dtype=torch.float64), torch.randint(0, 3, (m,))


@pytest.fixture
def passes(monkeypatch):
    """The numbers of examples of all forward passes."""
    seen, forward = [], Capture.forward

    def counted(self, watcher, inputs, targets):
        seen.append(targets.shape[self.axis])
        return forward(self, watcher, inputs, targets)

    monkeypatch.setattr(Capture, "forward", counted)
    return seen


@pytest.fixture
def wrong_rule(monkeypatch):
    """A rule for dense layers that takes an example's gradient for another's."""
    dense = rules.RULES[nn.Linear]
    monkeypatch.setitem(rules.RULES, nn.Linear, rules.Rule(lambda layer, x, b: dense(layer, x.roll(1, 1), b)))


@pytest.mark.parametrize("measure", [coherence, gram, gradient_norms])
def test_a_wrong_rule_is_noticed_and_its_layer_named(measure, wrong_rule):
    message = r"the gradient of 2\.weight for example \d+ is not that of its own backward pass .*2 \(Linear\) is used"
    with pytest.raises(Refused, match=message):
        measure(*problem())
    measure(*problem(), check=0)


def test_averages_are_checked_too(wrong_rule):
    with pytest.raises(Refused, match=r"2 \(Linear\)"):
        Winsorized(1).gradients(*problem())


def test_one_example_among_many_is_found_by_asking_for_all(monkeypatch):
    dense = rules.RULES[nn.Linear]

    def last_is_wrong(layer, x, b):
        return dense(layer, torch.cat([x[:, :-1], 2 * x[:, -1:]], 1), b)

    monkeypatch.setitem(rules.RULES, nn.Linear, rules.Rule(last_is_wrong))
    model, *rest = problem(400)
    coherence(model, *rest)
    with pytest.raises(Refused, match="for example 399"):
        coherence(model, *rest, check="all")
    # Examples are named as they were given, not as their groups sort them.
    with pytest.raises(Refused, match="for example 0"):
        coherence(model, *rest, groups=(torch.arange(400) == 0).int(), check="all")


@pytest.mark.parametrize("check", [-1, 1.5, "some"])
def test_what_check_may_be(check):
    with pytest.raises(ValueError, match=r"check is .*; it must be a number of examples from 0 on, or \"all\""):
        coherence(*problem(), check=check)


def test_the_first_call_alone_pays(passes):
    model, loss, x, y = problem()
    coherence(model, loss, x, y)
    assert passes == [5, 7, 20, 1, 1, 1]  # two sizes that occur in no shape, all, three on their own
    passes.clear()
    coherence(model, loss, x, y)
    gradient_norms(model, nn.CrossEntropyLoss(), x[:9], y[:9])
    assert passes == [20, 9]
    passes.clear()
    coherence(model.requires_grad_(True).train(False), loss, x, y)
    model[0].weight.requires_grad_(False)
    coherence(model, loss, x, y)
    assert passes[-6:] == [5, 7, 20, 1, 1, 1]


def test_the_engine_pays_once_a_training(passes):
    """Its probes call the lens at every measurement, and its averages at every step, always on the same stack."""
    draw = torch.Generator().manual_seed(0)
    model = small_cnn(1, 2, 3, 8)
    data = {"train": Examples(torch.randn(18, 1, 8, 8, generator=draw), torch.arange(18) % 3)}
    recipe = Recipe(steps=4, batch_size=6, optimiser=SGD(0.1), average=Average("winsorised", 1))
    replicas = [Replica(seed, model, recipe, data) for seed in range(2)]
    train(replicas, [GradientCoherence(at=AtSteps((0, 1, 2, 3))), LargestGradient(at=AtSteps((0, 1, 2, 3)))])
    assert passes.count(18) == 8
    # Besides them and four steps, two plans: in training mode for the averages, in evaluation mode for the probes.
    assert len(passes) == 8 + 4 + 2 * (2 + 3)


def test_a_pass_lets_go_of_its_graph():
    """An engine puts other memory behind the parameters, of another shape; a graph that is left over would disagree."""
    model, loss, x, y = problem()
    gc.disable()
    try:
        coherence(model, loss, x, y)
        model[2].weight.data = torch.randn(2, 6, dtype=torch.float64)
        model[2].bias.data = torch.randn(2, dtype=torch.float64)
        g = flat(gradients(model, loss, x, y % 2))
        torch.testing.assert_close(coherence(model, loss, x, y % 2).norms, g.norm(dim=1))
    finally:
        gc.enable()


def test_plans_do_not_keep_a_model():
    def measured():
        model, _, x, y = problem()
        loss = lambda o, t: nn.functional.cross_entropy(o, t, reduction="none") * len(model)  # noqa: E731
        coherence(model, loss, x, y)
        return weakref.ref(model)

    left = measured()
    gc.collect()
    assert left() is None


def test_a_refusal_leaves_nothing_behind():
    class Counting(nn.Module):
        def __init__(self):
            super().__init__()
            self.dense = nn.Linear(4, 3)
            self.register_buffer("seen", torch.zeros(()))

        def forward(self, x):
            self.seen += len(x)
            return self.dense(x)

    _, loss, x, y = problem()
    model = Counting().double()
    with pytest.raises(Refused, match="model changes its buffer seen"):
        coherence(model, loss, x, y)
    assert model.seen == 0
    noisy = nn.Sequential(nn.Linear(4, 5), nn.RReLU(), nn.Linear(5, 3)).double()
    state = torch.get_rng_state()
    with pytest.raises(Refused, match="draws random numbers"):
        coherence(noisy, loss, x, y)
    assert torch.get_rng_state().equal(state)
    for layer in (*model.modules(), *noisy.modules()):
        assert not layer._forward_hooks
        assert not layer._forward_pre_hooks


# -- precision ---------------------------------------------------------------------------------------------------------


class Autocast(nn.Module):
    """Casts inside."""

    def __init__(self, body: nn.Module):
        super().__init__()
        self.body = body

    def forward(self, x):
        with torch.autocast("cpu", torch.bfloat16):
            return self.body(x)


def networks():
    torch.manual_seed(0)
    dense = nn.Sequential(nn.Linear(6, 32), nn.LayerNorm(32), nn.ReLU(), nn.Linear(32, 3))
    picture = nn.Sequential(nn.Unflatten(1, (1, 2, 3)), nn.Conv2d(1, 8, 2), nn.ReLU(), nn.Flatten(), nn.Linear(16, 3))
    return {"dense": dense, "convolution": picture}


@pytest.mark.parametrize("name", networks())
@pytest.mark.parametrize("where", ["inside", "around"])
def test_autocast(name, where):
    model, x, y = networks()[name], torch.randn(12, 6), torch.randint(0, 3, (12,))
    exact = coherence(model, LOSS, x, y)
    with torch.autocast("cpu", torch.bfloat16, enabled=where == "around"):
        c = coherence(Autocast(model) if where == "inside" else model, LOSS, x, y, check="all")
        matrix = gram(Autocast(model) if where == "inside" else model, LOSS, x, y).matrix
    assert c.norms.dtype == matrix.dtype == torch.float32
    assert not c.norms.equal(exact.norms)  # the casts are in it
    torch.testing.assert_close(c.norms, exact.norms, rtol=0.05, atol=0.02)
    torch.testing.assert_close(matrix.diagonal().sqrt(), c.norms, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 20.0])
def test_half_precision_squares_in_single(scale):
    """Norms below 2e-4 and above 256 have no square in half precision."""
    model = nn.Linear(4, 1, bias=False).half()
    x = (scale * torch.randn(7, 4)).half()
    y = torch.zeros(7)
    each = lambda outputs, targets: outputs[:, 0] * scale  # noqa: E731
    c = coherence(model, each, x, y)
    g = scale * x.float()
    torch.testing.assert_close(c.norms, g.norm(dim=1), rtol=2e-3, atol=0)
    torch.testing.assert_close(c.alignments, g @ g.mean(0), rtol=1e-2, atol=1e-2 * scale**2)
    torch.testing.assert_close(gram(model, each, x, y).matrix, g @ g.T, rtol=1e-2, atol=1e-2 * scale**2)


def test_averages_of_half_precision_are_its_gradients():
    model, x, y = nn.Linear(4, 3).bfloat16(), torch.randn(8, 4).bfloat16(), torch.randint(0, 3, (8,))
    Winsorized(1).backward(model, LOSS, x, y)
    assert model.weight.grad.dtype == torch.bfloat16
