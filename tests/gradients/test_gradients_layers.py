"""Every layer kind, against one backward pass per example in float64."""

import re
import warnings

import pytest
import torch
from per_example import flat, gradients
from torch import Tensor, nn

from genbook import gradients as lens
from genbook.gradients import rules

M, CLASSES = 7, 3
EXACT = {"rtol": 1e-10, "atol": 1e-12}


class OnTop(nn.Module):
    """`body`, then a dense layer on whatever is left."""

    def __init__(self, body: nn.Module, example: Tensor):
        super().__init__()
        self.body = body.to(torch.float64).eval()
        self.head = nn.Linear(self.body(example).flatten(1).shape[1], CLASSES).double()

    def forward(self, inputs: Tensor) -> Tensor:
        return self.head(self.body(inputs).flatten(1))


class Twice(nn.Module):
    """One layer used twice."""

    def __init__(self, layer: nn.Module):
        super().__init__()
        self.layer = layer

    def forward(self, inputs: Tensor) -> Tensor:
        return self.layer(self.layer(inputs).tanh())


class Tied(nn.Module):
    """The embedding's table is also the weight of the output layer; `functionally` hides that from the modules."""

    def __init__(self, functionally: bool):
        super().__init__()
        self.functionally = functionally
        self.embed = nn.Embedding(9, 5)
        self.out = nn.Linear(5, 9, bias=False)
        self.out.weight = self.embed.weight

    def forward(self, tokens: Tensor) -> Tensor:
        hidden = self.embed(tokens).tanh()
        return hidden @ self.embed.weight.T if self.functionally else self.out(hidden)


class Scaled(nn.Module):
    """A layer of a kind that no rule knows."""

    def __init__(self, n: int):
        super().__init__()
        self.scale = nn.Parameter(torch.rand(n))
        self.inner = nn.Linear(n, n)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.scale * torch.sigmoid(self.inner(inputs) * self.scale)


class Residual(nn.Module):
    """In-place sums and activations around a layer."""

    def __init__(self, n: int):
        super().__init__()
        self.first, self.second = nn.Linear(n, n), nn.Linear(n, n)

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = self.second(torch.relu_(self.first(inputs)))
        hidden += inputs
        return hidden.relu_()


class FoldedTime(nn.Module):
    """Hides the batch axis from a layer."""

    def __init__(self, n: int):
        super().__init__()
        self.dense = nn.Linear(n, n)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.dense(inputs.flatten(0, 1)).view_as(inputs)


def reals(*shape: int):
    return lambda: torch.randn(M, *shape, dtype=torch.float64)


def tokens(*shape: int):
    return lambda: torch.randint(0, 9, (M, *shape))


CASES = {
    "dense": (lambda: nn.Sequential(nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 4)), reals(5)),
    "dense without bias": (lambda: nn.Sequential(nn.Linear(5, 6, bias=False), nn.Tanh()), reals(5)),
    "dense on a sequence": (lambda: nn.Sequential(nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 2)), reals(3, 5)),
    "dense on a long sequence": (lambda: nn.Linear(2, 3), reals(20, 2)),
    "dense on a grid": (lambda: nn.Linear(5, 6), reals(2, 3, 5)),
    "conv1d": (lambda: nn.Conv1d(3, 4, 3), reals(3, 9)),
    "conv1d with everything": (lambda: nn.Conv1d(4, 6, 3, stride=2, padding=3, dilation=2, groups=2), reals(4, 11)),
    "conv2d": (lambda: nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Conv2d(3, 4, 2)), reals(2, 6, 5)),
    "conv2d without bias": (lambda: nn.Conv2d(2, 3, 3, bias=False), reals(2, 6, 5)),
    "conv2d with everything": (
        lambda: nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(1, 2), dilation=(1, 2), groups=2),
        reals(4, 8, 7),
    ),
    "conv2d by rows of the kernel": (
        lambda: nn.Conv2d(12, 8, 3, stride=(1, 2), padding=(2, 1), dilation=(2, 1), groups=2),
        reals(12, 7, 9),
    ),
    "conv2d by channel": (lambda: nn.Conv2d(4, 4, 3, padding=1, groups=4), reals(4, 6, 6)),
    "conv2d few positions": (lambda: nn.Sequential(nn.Conv2d(6, 9, 3), nn.ReLU(), nn.Conv2d(9, 9, 1)), reals(6, 3, 4)),
    "conv2d padded to the same size": (
        lambda: nn.Conv2d(2, 3, (4, 3), padding="same", dilation=(1, 2)),
        reals(2, 7, 6),
    ),
    "conv2d padded in a circle": (lambda: nn.Conv2d(2, 3, 3, padding=(1, 2), padding_mode="circular"), reals(2, 5, 6)),
    "conv2d padded by reflection": (lambda: nn.Conv2d(2, 3, 3, padding="same", padding_mode="reflect"), reals(2, 5, 6)),
    "embedding": (lambda: nn.Embedding(9, 4), tokens(6)),
    "embedding with a padding row": (lambda: nn.Embedding(9, 4, padding_idx=2), tokens(6)),
    "embedding of one token": (lambda: nn.Embedding(9, 4), tokens()),
    "embedding of a grid": (lambda: nn.Embedding(9, 4), tokens(2, 3)),
    "layer norm": (lambda: nn.Sequential(nn.LayerNorm(5), nn.Tanh()), reals(5)),
    "layer norm on a sequence": (lambda: nn.LayerNorm(5), reals(3, 5)),
    "layer norm over two axes": (lambda: nn.LayerNorm((3, 5)), reals(2, 3, 5)),
    "group norm": (lambda: nn.Sequential(nn.GroupNorm(2, 4), nn.Tanh()), reals(4, 3, 2)),
    "batch norm, one axis": (lambda: warmed(nn.BatchNorm1d(5), 5), reals(5)),
    "batch norm, pictures": (lambda: warmed(nn.BatchNorm2d(3), 3, 4, 4), reals(3, 4, 4)),
    "weight used twice": (lambda: Twice(nn.Linear(5, 5)), reals(5)),
    "convolution used twice": (lambda: Twice(nn.Conv2d(2, 2, 3, padding=1)), reals(2, 4, 5)),
    "embedding used on two inputs": (lambda: nn.Sequential(nn.Embedding(9, 4), nn.LayerNorm(4)), tokens(4)),
    "tied to the output": (lambda: Tied(False), tokens()),
    "tied to the output of a sequence": (lambda: Tied(False), tokens(3)),
    "residual, in place": (lambda: Residual(5), reals(5)),
    "sequence of dense layers, in place": (lambda: nn.Sequential(nn.Linear(5, 6), nn.ReLU(True)), reals(3, 5)),
    "a layer with parameters of its own": (lambda: Scaled(5), reals(5)),
    "weight used outside of its layer": (lambda: Tied(True), tokens()),
    "batch axis hidden": (lambda: FoldedTime(5), reals(3, 5)),
    "attention": (lambda: nn.TransformerEncoderLayer(4, 2, 6, dropout=0.0, batch_first=True), reals(3, 4)),
    "weight normalised": (lambda: nn.utils.parametrizations.weight_norm(nn.Linear(5, 4)), reals(5)),
    "rms norm": (lambda: nn.RMSNorm(5), reals(3, 5)),
    "instance norm": (lambda: nn.InstanceNorm2d(3, affine=True), reals(3, 4, 5)),
    "instance norm by running statistics": (
        lambda: warmed(nn.InstanceNorm1d(3, 1e-5, 0.1, True, True), 3, 4),
        reals(3, 4),
    ),
    "prelu": (lambda: nn.PReLU(3), reals(3, 4, 2)),
    "prelu with one slope": (lambda: nn.PReLU(), reals(3, 4)),
    "prelu on rows": (lambda: nn.PReLU(3), reals(3)),
    "conv3d": (lambda: nn.Conv3d(2, 4, (2, 3, 2), (1, 2, 1), (1, 0, 1), groups=2), reals(2, 3, 5, 4)),
    "transposed convolution": (
        lambda: nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2, dilation=(1, 2)),
        reals(4, 3, 4),
    ),
    "transposed convolution, one axis": (lambda: nn.ConvTranspose1d(3, 4, 2, stride=3), reals(3, 5)),
    "transposed convolution of a patch": (lambda: nn.ConvTranspose3d(2, 3, 2, bias=False), reals(2, 1, 2, 3)),
}
SLOW_CASES = {
    "a function without a rule": (lambda: Halves(4), reals(4), "bilinear.*torch.func"),
    "recurrent": (lambda: Last(nn.GRU(4, 3, batch_first=True)), reals(3, 4), "one backward pass"),
    "recurrent, with a memory": (lambda: Last(nn.LSTM(4, 3, 2, batch_first=True)), reals(3, 4), "one backward pass"),
}


class Halves(nn.Module):
    """A bilinear form of the halves of its inputs."""

    def __init__(self, n: int):
        super().__init__()
        self.form = nn.Bilinear(n // 2, n // 2, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.form(*inputs.chunk(2, 1))


class Last(nn.Module):
    """The outputs of a recurrent layer."""

    def __init__(self, layer: nn.Module):
        super().__init__()
        self.layer = layer

    def forward(self, inputs: Tensor) -> Tensor:
        return self.layer(inputs)[0]


def warmed(norm: nn.Module, *shape: int) -> nn.Module:
    """A BatchNorm with running statistics and scales of its own."""
    norm(1 + 2 * torch.randn(20, *shape))
    nn.init.normal_(norm.weight)
    return norm


def problem(body, inputs):
    torch.manual_seed(0)
    x = inputs()
    return OnTop(body(), x), nn.CrossEntropyLoss(), x, torch.randint(0, CLASSES, (M,))


def check_everything(model, loss, x, y):
    """All quantities of all functions against the gradients themselves."""
    expected = gradients(model, loss, x, y)
    g, mean = flat(expected), flat(expected).mean(0)
    for chunk_size in (None, 3):
        c = lens.coherence(model, loss, x, y, chunk_size=chunk_size)
        torch.testing.assert_close(c.norms, g.norm(dim=1), **EXACT)
        torch.testing.assert_close(c.alignments, g @ mean, **EXACT)
        torch.testing.assert_close(c.cosines, g @ mean / g.norm(dim=1) / mean.norm(), **EXACT)
        torch.testing.assert_close(c.m_coherence, g.sum(0).square().sum() / g.square().sum(), **EXACT)
        for name, part in c.parameters.items():
            torch.testing.assert_close(part.squared_norms, expected[name].flatten(1).square().sum(1), **EXACT)
            torch.testing.assert_close(
                part.alignments, expected[name].flatten(1) @ expected[name].mean(0).flatten(), **EXACT
            )
            torch.testing.assert_close(part.gradient_norm, expected[name].mean(0).norm(), **EXACT)
        ratios = lens.signal_to_noise(model, loss, x, y, chunk_size=chunk_size)
        for name, ratio in ratios.items():
            variance = expected[name].var(0, correction=0)
            square = expected[name].square().mean(0)
            # What is zero but for rounding, as the gradient of a key's bias in attention, has no ratio to compare.
            noisy = (variance > 1e-12 * square) & (square > 1e-24 * square.max())
            reference = expected[name].mean(0).square() / variance
            torch.testing.assert_close(ratio[noisy], reference[noisy], rtol=1e-8, atol=1e-12)
    gram = lens.gram(model, loss, x, y, layers=True)
    torch.testing.assert_close(gram.matrix, g @ g.T, **EXACT)
    torch.testing.assert_close(sum(gram.by_layer.values()), g @ g.T, **EXACT)
    check_averages(model, loss, x, y, expected)


def check_averages(model, loss, x, y, expected):
    g = flat(expected)
    weights = (0.5 * g.norm(dim=1).median() / g.norm(dim=1)).clamp(max=1)
    rules = {
        lens.Mean(): lambda g: g.mean(0),
        lens.MedianOfMeans(): lambda g: torch.stack([part.mean(0) for part in g.tensor_split(3)]).median(0).values,
        lens.Winsorized(1): lambda g: winsorized(g, 1),
        lens.Winsorized(2): lambda g: winsorized(g, 2),
        lens.Clipped(0.5 * g.norm(dim=1).median().item()): lambda g: torch.einsum("i,i...->...", weights, g) / M,
    }
    for rule, reference in rules.items():
        _, averages = rule.gradients(model, loss, x, y)
        for name in expected:
            torch.testing.assert_close(averages[name], reference(expected[name]), **EXACT, msg=f"{rule} {name}")


def winsorized(g: Tensor, c: int) -> Tensor:
    ordered = g.sort(0).values
    return g.clamp(ordered[c], ordered[-1 - c]).mean(0)


# PyTorch says that an even kernel with an odd dilation costs it a padded copy: one case is such a layer on purpose.
@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths:UserWarning")
@pytest.mark.parametrize("case", CASES)
def test_layer_kind(case):
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="coherence has no rule")  # known layers take no slow way
        check_everything(*problem(*CASES[case]))


@pytest.mark.parametrize("case", SLOW_CASES)
def test_layer_without_a_rule_is_exact_and_says_so(case):
    body, inputs, message = SLOW_CASES[case]
    model, loss, x, y = problem(body, inputs)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        lens.coherence(model, loss, x, y)
    assert any(re.search(message, str(warning.message)) for warning in told)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check_everything(model, loss, x, y)


def test_frozen_parameters_do_not_count():
    model, loss, x, y = problem(lambda: nn.Sequential(nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 4)), reals(5))
    model.body[0].weight.requires_grad_(False)
    model.body[2].bias.requires_grad_(False)
    check_everything(model, loss, x, y)
    assert "body.0.weight" not in lens.coherence(model, loss, x, y).parameters


def test_parameters_that_do_not_reach_the_loss_have_zero_gradients():
    model, loss, x, y = problem(lambda: nn.Linear(5, 4), reals(5))
    model.unused = nn.Linear(3, 3).double()
    check_everything(model, loss, x, y)
    part = lens.coherence(model, loss, x, y).layers["unused"]
    assert part.squared_norms.eq(0).all()
    assert part.m_coherence.isnan()
    assert part.fraction == 0


def test_nothing_is_left_on_the_model():
    model, loss, x, y = problem(lambda: nn.Sequential(nn.Linear(5, 6), nn.ReLU()), reals(5))
    lens.coherence(model, loss, x, y)
    assert all(p.grad is None for p in model.parameters())
    assert not any(layer._forward_hooks or layer._forward_pre_hooks for layer in model.modules())


def test_works_where_gradients_are_switched_off():
    model, loss, x, y = problem(lambda: nn.Linear(5, 4), reals(5))
    expected = lens.coherence(model, loss, x, y).m_coherence
    with torch.no_grad():
        assert lens.coherence(model, loss, x, y).m_coherence == expected


def test_inputs_overwritten_after_their_layer_are_noticed():
    class Overwriting(nn.Module):
        def __init__(self):
            super().__init__()
            self.dense = nn.Linear(5, 5)

        def forward(self, inputs):
            hidden = inputs * 1
            outputs = self.dense(hidden)
            hidden.zero_()
            return outputs

    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        lens.coherence(Overwriting(), nn.CrossEntropyLoss(), torch.randn(4, 5), torch.zeros(4, dtype=torch.long))


class Bent(nn.Module):
    """A layer that a user has written a rule for."""

    def __init__(self, n: int):
        super().__init__()
        self.frequency = nn.Parameter(torch.rand(n))

    def forward(self, inputs: Tensor) -> Tensor:
        return torch.sin(self.frequency * inputs)


def bent(layer: Bent, x: Tensor, b: Tensor) -> dict[str, Tensor]:
    return {"frequency": (b * x * torch.cos(layer.frequency * x)).sum(1)}


@pytest.fixture
def own_rules():
    yield
    rules.RULES.pop(Bent, None)


def test_a_rule_of_ones_own_is_taken(own_rules):
    calls = []
    lens.rule(Bent, "frequency")(lambda layer, x, b: calls.append(x.shape) or bent(layer, x, b))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_everything(*problem(lambda: nn.Sequential(nn.Linear(5, 4), Bent(4)), reals(3, 5)))
    assert torch.Size((M, 3, 4)) in calls


def test_a_wrong_rule_of_ones_own_is_refused(own_rules):
    lens.rule(Bent, "frequency")(lambda layer, x, b: {"frequency": (b * x).sum(1)})
    with pytest.raises(lens.Refused, match=r"body.0.frequency.*Bent"):
        lens.coherence(*problem(lambda: nn.Sequential(Bent(4)), reals(3, 4)))


def test_a_rule_that_is_changed_is_checked_again(own_rules):
    lens.rule(Bent, "frequency")(bent)
    model, *rest = problem(lambda: nn.Sequential(nn.Linear(5, 4), Bent(4)), reals(3, 5))
    lens.coherence(model, *rest)
    lens.rule(Bent, "frequency")(lambda layer, x, b: {"frequency": 2 * bent(layer, x, b)["frequency"]})
    with pytest.raises(lens.Refused, match=r"body.1.frequency"):
        lens.coherence(model, *rest)


def test_attention_in_half_precision_by_autocast():
    torch.manual_seed(0)
    body = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
    model, x = nn.Sequential(body, nn.Flatten(), nn.Linear(24, 3)), torch.randn(M, 3, 8)
    y, loss = torch.arange(M) % 3, nn.CrossEntropyLoss()
    with torch.autocast("cpu", torch.bfloat16), warnings.catch_warnings():
        warnings.filterwarnings("error", message="coherence has no rule")
        norms, expected = lens.gradient_norms(model, loss, x, y), flat(gradients(model, loss, x, y)).norm(dim=1)
    torch.testing.assert_close(norms, expected, rtol=2e-2, atol=0)


def test_a_rule_is_of_a_class_and_names_parameters(own_rules):
    with pytest.raises(TypeError, match="must be a class of"):
        lens.rule(Bent(3), "frequency")
    with pytest.raises(ValueError, match="no parameters are named"):
        lens.rule(Bent)
