"""Models, losses and data in the manner of others' test suites, and of what once came out wrong.

Opacus' grad_samples, BackPACK's first-order settings, TorchJD's architectures and curvlinops' cases, written anew. Each
case is exact or `refused`, and the words of the refusal are given; what is neither yet is a `limit`, with its reason.
"""

import functools
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import prune
from torch.utils import checkpoint

from genbook.gradients import Shared

M, CLASSES = 6, 3
"""Examples; several cases have another axis of this length, or of a chunk of them."""
CHUNK = 3

CROSS_ENTROPY = nn.CrossEntropyLoss()


@dataclass(frozen=True)
class Case:
    """A model and a loss on data; `data` and `model` are drawn anew from a fixed seed."""

    name: str
    model: Callable[[], nn.Module]
    loss: Callable[[Tensor, Tensor], Tensor]
    data: Callable[[], tuple]
    """Inputs (a tensor, a tuple or a mapping) and targets."""
    alone: Callable[[Tensor, Tensor], Tensor] | None = None
    """The loss of one example as it stands in the batch, where it is not `loss`."""
    refused: str | None = None
    limit: str | None = None
    curved: bool = True
    """Whether the Hessian is asked for, too."""

    def drawn(self) -> tuple:
        """Model, loss, inputs, targets."""
        torch.manual_seed(3)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            inputs, targets = self.data()
            model = self.model()
        return model, self.loss, inputs, targets


CASES: list[Case] = []


def some(inputs, rows: list[int]):
    """Some of the examples, whatever holds them."""
    if isinstance(inputs, dict):
        return {name: some(value, rows) for name, value in inputs.items()}
    if isinstance(inputs, tuple):
        return tuple(some(value, rows) for value in inputs)
    return inputs[rows] if isinstance(inputs, Tensor) and inputs.dim() else inputs


def called(model: nn.Module, inputs) -> Tensor:
    """What a model gives for them, without the library."""
    values = inputs.values() if isinstance(inputs, dict) else inputs if isinstance(inputs, tuple) else [inputs]
    values = [value.value if isinstance(value, Shared) else value for value in values]
    outputs = model(**dict(zip(inputs, values, strict=True))) if isinstance(inputs, dict) else model(*values)
    return outputs["logits"] if isinstance(outputs, dict) else outputs


def case(name, model, data, loss=CROSS_ENTROPY, **kwargs) -> None:
    CASES.append(Case(name, model, loss, data, **kwargs))


def classes(*shape: int) -> Tensor:
    return torch.randint(0, CLASSES, (M, *shape))


def reals(*shape: int, to=classes) -> Callable[[], tuple[Tensor, Tensor]]:
    return lambda: (torch.randn(M, *shape, dtype=torch.float64), to())


def tokens(*shape: int, to=classes) -> Callable[[], tuple[Tensor, Tensor]]:
    return lambda: (torch.randint(0, 9, (M, *shape)), to())


def real_targets(*shape: int) -> Callable[[], Tensor]:
    return lambda: torch.randn(M, *shape, dtype=torch.float64)


class Pooled(nn.Module):
    """`body`, its outputs averaged to a row for each example, and a dense layer."""

    def __init__(self, body: nn.Module, features: int, axes: tuple[int, ...] = (), training: bool = False):
        super().__init__()
        self.body, self.axes = body.double().train(training), axes
        self.head = nn.Linear(features, CLASSES).double()

    def forward(self, x: Tensor) -> Tensor:
        outputs = self.body(x)
        outputs = outputs[0] if isinstance(outputs, tuple) else outputs
        return self.head((outputs.mean(self.axes) if self.axes else outputs).tanh())


def over(body: Callable[[], nn.Module], features: int, *axes: int, training: bool = False) -> Callable[[], nn.Module]:
    return lambda: Pooled(body(), features, axes, training)


def net(function: Callable, **layers: Callable[[], nn.Module]) -> Callable[[], nn.Module]:
    """A model of some layers whose forward pass is `function(self, x)`."""

    def build() -> nn.Module:
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                for name, layer in layers.items():
                    setattr(self, name, layer())

            def forward(self, x: Tensor) -> Tensor:
                return function(self, x)

        return Net().double().eval()

    return build


def linear(p: int = 4, q: int = CLASSES, **kwargs) -> Callable[[], nn.Module]:
    return lambda: nn.Linear(p, q, **kwargs)


def parameter(*shape: int) -> Callable[[], nn.Parameter]:
    return lambda: nn.Parameter(torch.randn(shape))


def mlp(outputs: int = CLASSES) -> Callable[[], nn.Module]:
    return lambda: nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, outputs)).double()


def warmed(norm: nn.Module, *shape: int) -> nn.Module:
    """A BatchNorm with running statistics and scales of its own."""
    norm.train()(1 + 2 * torch.randn(20, *shape))
    nn.init.normal_(norm.weight)
    return norm.eval()


def first(outputs):
    return outputs[0] if isinstance(outputs, tuple) else outputs


def without_gradient(layer: nn.Module, x: Tensor) -> Tensor:
    with torch.no_grad():
        return layer(x)


def in_inference_mode(layer: nn.Module, x: Tensor) -> Tensor:
    with torch.inference_mode():
        outputs = layer(x)
    return outputs.clone()


def frozen(model: nn.Module, *names: str) -> nn.Module:
    for name in names:
        model.get_parameter(name).requires_grad_(False)
    return model


def pruned(model: nn.Module) -> nn.Module:
    prune.l1_unstructured(model[0], "weight", 0.5)
    return model


def hook_normed(layer: nn.Module) -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return nn.utils.weight_norm(layer)


def twice(layer: nn.Module) -> nn.Module:
    return nn.Sequential(layer, nn.Tanh(), layer, nn.Tanh(), nn.Linear(4, CLASSES))


def exchanged(x: Tensor) -> Tensor:
    return torch.cat([x[1:2], x[:1], x[2:]])


def random_number() -> float:
    return float(numpy.random.default_rng().random())


def energy(network: nn.Module, x: Tensor) -> Tensor:
    """The gradient of a network by its inputs."""
    with torch.enable_grad():
        x = x.clone().requires_grad_()
        values = network.b(network.a(x).tanh()).sum()
        return torch.autograd.grad(values, x, create_graph=True)[0][:, :CLASSES]


def hooked(model: nn.Module, place: str, hook: Callable) -> nn.Module:
    model.get_submodule(place).register_forward_hook(hook)
    return model


def prehooked(model: nn.Module, place: str, hook: Callable) -> nn.Module:
    model.get_submodule(place).register_forward_pre_hook(hook)
    return model


def compiled_in_place(model: nn.Module) -> nn.Module:
    model[0].compile()
    return model


def replaced(model: nn.Module, place: str) -> nn.Module:
    layer = model.get_submodule(place)
    plain = layer.forward
    layer.forward = lambda x: 2 * plain(x.sin())
    return model


# -- layers, after Opacus' grad_samples --------------------------------------------------------------------------------

for axes in range(4):
    case(f"linear, {axes + 2} axes", over(linear(4, 5), 5, *range(1, axes + 1)), reals(*[2] * axes, 4))
case("linear without bias", over(linear(4, 5, bias=False), 5), reals(4))
case(
    "linear with one output",
    net(lambda n, x: torch.cat([n.a(x), -n.a(x).square(), x[:, :1]], 1), a=linear(4, 1)),
    reals(4),
)
for name, padding, mode in (
    ("", 0, "zeros"),
    (", padded", 1, "zeros"),
    (", same", "same", "zeros"),
    (", circular", 1, "circular"),
    (", reflected", 1, "reflect"),
    (", replicated", 1, "replicate"),
):
    one = functools.partial(nn.Conv1d, 2, 4, 3, padding=padding, padding_mode=mode)
    two = functools.partial(nn.Conv2d, 2, 4, 3, padding=padding, padding_mode=mode)
    case(f"conv1d{name}", over(one, 4, 2), reals(2, 6))
    case(f"conv2d{name}", over(two, 4, 2, 3), reals(2, 5, 4))
for stride, dilation, groups in ((2, 1, 1), (1, 2, 2), (3, 2, 4)):
    setting = {"stride": stride, "dilation": dilation, "groups": groups}
    case(f"conv1d {setting}", over(functools.partial(nn.Conv1d, 4, 8, 2, **setting), 8, 2), reals(4, 9))
    case(f"conv2d {setting}", over(functools.partial(nn.Conv2d, 4, 8, 2, **setting), 8, 2, 3), reals(4, 7, 6))
case("conv3d", over(lambda: nn.Conv3d(2, 3, 2), 3, 2, 3, 4), reals(2, 3, 3, 3))
case("conv transpose 1d", over(lambda: nn.ConvTranspose1d(2, 3, 2, stride=2), 3, 2), reals(2, 4))
case("conv transpose 2d", over(lambda: nn.ConvTranspose2d(2, 3, 2), 3, 2, 3), reals(2, 3, 3))
case("conv transpose 3d", over(lambda: nn.ConvTranspose3d(2, 3, 2), 3, 2, 3, 4), reals(2, 2, 2, 2))
case("channels last", over(lambda: nn.Conv2d(2, 3, 2).to(memory_format=torch.channels_last), 3, 2, 3), reals(2, 4, 4))
case("embedding", over(lambda: nn.Embedding(9, 4), 4, 1), tokens(5))
case("embedding, a padding row", over(lambda: nn.Embedding(9, 4, padding_idx=-1), 4, 1), tokens(5))
case("embedding by frequency", over(lambda: nn.Embedding(9, 4, scale_grad_by_freq=True), 4, 1), tokens(5), curved=False)
case("embedding, bounded", over(lambda: nn.Embedding(9, 4, max_norm=1.0), 4, 1), tokens(5), refused="max_norm")
for mode in ("sum", "mean", "max"):
    bag = functools.partial(nn.EmbeddingBag, 9, 4, mode=mode)
    case(f"embedding bag, {mode}", over(bag, 4), tokens(5), curved=False)
case("layer norm", over(lambda: nn.LayerNorm(4), 4, 1), reals(3, 4))
case("layer norm over two axes", over(lambda: nn.LayerNorm((3, 4)), 4, 1), reals(3, 4))
case("layer norm, no shift", over(lambda: nn.LayerNorm(4, bias=False), 4), reals(4))
case("rms norm", over(lambda: nn.RMSNorm(4), 4, 1), reals(3, 4))
case("group norm", over(lambda: nn.GroupNorm(2, 4), 4, 2, 3), reals(4, 3, 2))
for name, norm, shape in (
    ("1d", nn.InstanceNorm1d, (5,)),
    ("2d", nn.InstanceNorm2d, (3, 2)),
    ("3d", nn.InstanceNorm3d, (2, 2, 2)),
):
    axes = range(2, 2 + len(shape))
    bent = functools.partial(net, scale=functools.partial(norm, 3, affine=True), head=linear(3))
    case(f"instance norm {name}", bent(lambda n, x: n.head(n.scale(x).tanh().flatten(2).mean(2))), reals(3, *shape))
for name, norm, shape in (
    ("1d", nn.BatchNorm1d, (3, 4)),
    ("2d", nn.BatchNorm2d, (3, 3, 2)),
    ("3d", nn.BatchNorm3d, (3, 2, 2, 2)),
):
    known = functools.partial(lambda norm, shape: warmed(norm(3), *shape), norm, shape)
    case(f"batch norm {name}", over(known, 3, *range(2, 1 + len(shape))), reals(*shape))
    case(
        f"batch norm {name}, training",
        over(functools.partial(norm, 3), 3, *range(2, 1 + len(shape)), training=True),
        reals(*shape),
        refused="in training mode",
    )
case(
    "batch norm, tokens after it",
    net(
        lambda n, x: n.head(n.norm(n.conv(x)).flatten(2).transpose(1, 2)).mean(1),
        conv=lambda: nn.Conv2d(2, 3, 2),
        norm=lambda: warmed(nn.BatchNorm2d(3), 3, 3, 3),
        head=linear(3),
    ),
    reals(2, 4, 4),
)
case("prelu", over(lambda: nn.Sequential(nn.Linear(4, 5), nn.PReLU(5)), 5), reals(4))
case("bilinear", net(lambda n, x: n.b(x[:, :2], x[:, 2:]), b=lambda: nn.Bilinear(2, 2, CLASSES)), reals(4))
for name, layer in (("rnn", nn.RNN), ("gru", nn.GRU), ("lstm", nn.LSTM)):
    both = functools.partial(layer, 4, 3, batch_first=True, bidirectional=True, num_layers=2)
    case(name, over(both, 6, 1), reals(3, 4), curved=False)
    case(
        f"{name} cell",
        net(
            lambda n, x: n.head(first(n.cell(x))),
            cell=functools.partial({"rnn": nn.RNNCell, "gru": nn.GRUCell, "lstm": nn.LSTMCell}[name], 4, 3),
            head=linear(3),
        ),
        reals(4),
    )
case("lstm, projected", over(lambda: nn.LSTM(4, 3, proj_size=2, batch_first=True), 2, 1), reals(3, 4), curved=False)
case(
    "lstm, time first",
    net(lambda n, x: n.head(n.body(x.transpose(0, 1))[0].mean(0)), body=lambda: nn.LSTM(4, 3), head=linear(3)),
    reals(M, 4),
    curved=False,
)
case(
    "attention",
    net(
        lambda n, x: n.head(n.a(x, x, x)[0].mean(1)),
        a=lambda: nn.MultiheadAttention(4, 2, batch_first=True),
        head=linear(4),
    ),
    reals(3, 4),
)
case(
    "attention, batch second",
    net(
        lambda n, x: n.head(n.a(*[x.transpose(0, 1)] * 3)[0].mean(0)),
        a=lambda: nn.MultiheadAttention(4, 2),
        head=linear(4),
    ),
    reals(M, 4),
)
case("encoder", over(lambda: nn.TransformerEncoderLayer(4, 2, 5, 0.0, batch_first=True), 4, 1), reals(3, 4))
case(
    "encoder, batch second",
    net(
        lambda n, x: n.head(n.e(x.transpose(0, 1)).mean(0)),
        e=lambda: nn.TransformerEncoderLayer(4, 2, 5, 0.0),
        head=linear(4),
    ),
    reals(M, 4),
)
case(
    "encoder and decoder",
    net(
        lambda n, x: n.head(n.t(x, x.flip(1)).mean(1)),
        t=lambda: nn.Transformer(4, 2, 1, 1, 5, 0.0, batch_first=True),
        head=linear(4),
    ),
    reals(3, 4),
    curved=False,
)


# -- networks and activations, after BackPACK's first-order settings ---------------------------------------------------

for activation in (nn.ReLU, nn.Sigmoid, nn.Tanh, nn.LeakyReLU, nn.LogSigmoid, nn.ELU, nn.SELU, nn.GELU, nn.SiLU):
    case(
        f"activation {activation.__name__}",
        net(lambda n, x: n.b(n.s(n.a(x))), a=linear(4, 5), s=activation, b=linear(5)),
        reals(4),
    )
for name, pool in {
    "max": lambda: nn.MaxPool2d(2),
    "average": lambda: nn.AvgPool2d(3, 2, 1),
    "adaptive": lambda: nn.AdaptiveAvgPool2d(2),
}.items():
    case(f"pooling, {name}", over(lambda pool=pool: nn.Sequential(nn.Conv2d(2, 3, 3), pool()), 3, 2, 3), reals(2, 6, 6))
case(
    "zero padding, unfold",
    net(lambda n, x: n.b(functional.unfold(functional.pad(x, (1, 1)), 2).mean(2)), b=linear(8)),
    reals(2, 3, 3),
)
case(
    "dropout, evaluation",
    lambda: nn.Sequential(nn.Linear(4, 5), nn.Dropout(0.5), nn.Linear(5, CLASSES)).double().eval(),
    reals(4),
)
case(
    "dropout, training",
    lambda: nn.Sequential(nn.Linear(4, 5), nn.Dropout(0.5), nn.Linear(5, CLASSES)).double(),
    reals(4),
    refused=r"1 \(Dropout\) in training",
)
case(
    "dropout of everything",
    lambda: nn.Sequential(nn.Linear(4, 5), nn.Dropout(1), nn.Linear(5, CLASSES)).double(),
    reals(4),
    refused=None,
    curved=False,
)
case("residual", net(lambda n, x: n.b(x + n.a(x).tanh()), a=linear(4, 4), b=linear()), reals(4))
case("densely joined", net(lambda n, x: n.b(torch.cat([x, n.a(x)], 1)), a=linear(4, 2), b=linear(6)), reals(4))

# -- architectures, after TorchJD's ------------------------------------------------------------------------------------

case("module used twice", net(lambda n, x: n.b(n.a(n.a(x).tanh())), a=linear(4, 4), b=linear()), reals(4))
case(
    "module on two resolutions",
    net(
        lambda n, x: n.b(n.a(x).mean((2, 3)) + n.a(x[..., ::2]).mean((2, 3))), a=lambda: nn.Conv2d(2, 3, 2), b=linear(3)
    ),
    reals(2, 4, 6),
)
case("module not used", net(lambda n, x: n.b(x), a=linear(), b=linear()), reals(4))
case("output not used", net(lambda n, x: (n.a(x), n.b(x))[1], a=linear(), b=linear()), reals(4))
case("used without a gradient", net(lambda n, x: n.b(x) + without_gradient(n.b, x), b=linear()), reals(4))
case("used in inference mode", net(lambda n, x: n.b(x) + in_inference_mode(n.b, x), b=linear()), reals(4))
case("parameter and module", net(lambda n, x: n.b(x) @ n.w, b=linear(4, 4), w=parameter(4, CLASSES)), reals(4))
case("parameter alone", net(lambda n, x: x @ n.w, w=parameter(4, CLASSES)), reals(4))
case("parameter of no axis", net(lambda n, x: n.b(x) * n.w, b=linear(), w=parameter()), reals(4))
case("weight of a module outside of it", net(lambda n, x: n.b(x) @ n.b.weight @ n.b.weight.T, b=linear()), reals(4))
case("frozen module", lambda: frozen(mlp()(), "0.weight", "2.bias"), reals(4))
case("tuple for outputs", net(lambda n, x: (n.b(x), x), b=linear()), reals(4), refused="its outputs must be a tensor")
case("scalar for outputs", net(lambda n, x: n.b(x).sum(), b=linear()), reals(4), refused="its outputs must be a tensor")
case("in place", net(lambda n, x: n.b(torch.relu_(n.a(x))).add_(x[:, :CLASSES]), a=linear(4, 4), b=linear()), reals(4))
case(
    "random",
    net(lambda n, x: n.b(x) * torch.rand(1, dtype=x.dtype), b=linear()),
    reals(4),
    refused=r"model itself \(Net\) that draws random",
)
case(
    "weight norm",
    lambda: nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(4, CLASSES))).double(),
    reals(4),
)
case(
    "orthogonal",
    lambda: nn.Sequential(nn.utils.parametrizations.orthogonal(nn.Linear(4, CLASSES))).double(),
    reals(4),
    curved=False,
)
case(
    "spectral norm, evaluation",
    lambda: nn.Sequential(nn.utils.parametrizations.spectral_norm(nn.Linear(4, CLASSES))).double().eval(),
    reals(4),
)
case(
    "spectral norm, training",
    lambda: nn.Sequential(nn.utils.parametrizations.spectral_norm(nn.Linear(4, CLASSES))).double(),
    reals(4),
    refused="model changes its buffer",
)
case("weight norm by hook", lambda: nn.Sequential(hook_normed(nn.Linear(4, CLASSES))).double(), reals(4))
case(
    "not called yet",
    lambda: nn.Sequential(nn.LazyLinear(CLASSES)).double(),
    reals(4),
    refused="has no shape yet",
    curved=False,
)
case("one module under two names", lambda: twice(nn.Linear(4, 4)).double(), reals(4))
case("detached", net(lambda n, x: n.b(n.a(x).detach()) + n.a(x)[:, :CLASSES], a=linear(4, 4), b=linear()), reals(4))
case("complex activations", net(lambda n, x: n.b(torch.fft.rfft(n.a(x)).abs()), a=linear(4, 4), b=linear(3)), reals(4))
case("pruned", lambda: pruned(mlp()()), reals(4))
case(
    "low rank",
    net(
        lambda n, x: n.w(x) + n.b(n.a(x)),
        w=lambda: frozen(nn.Linear(4, CLASSES), "weight", "bias"),
        a=linear(4, 2, bias=False),
        b=linear(2, CLASSES, bias=False),
    ),
    reals(4),
)
case("averaged model", lambda: torch.optim.swa_utils.AveragedModel(mlp()().requires_grad_()), reals(4))
case("traced by fx", lambda: torch.fx.symbolic_trace(mlp()()), reals(4))
case("traced by jit", lambda: torch.jit.trace(mlp()(), torch.randn(2, 4, dtype=torch.float64)), reals(4), curved=False)
case("scripted", lambda: torch.jit.script(mlp()()), reals(4), refused="compiled by torch.jit", curved=False)
case("data parallel", lambda: nn.DataParallel(mlp()()), reals(4), curved=False)
case("keywords to a layer", net(lambda n, x: n.b(input=x), b=linear()), reals(4))

# -- the batch axis and others of its length ---------------------------------------------------------------------------

for length in (2, CHUNK, M):
    case(
        f"linear on [{length}, m, d]",
        net(lambda n, x: n.b(n.a(x.transpose(0, 1)).tanh().mean(0)), a=linear(4, 4), b=linear()),
        reals(length, 4),
    )
    case(
        f"layer norm on [{length}, m, d]",
        net(lambda n, x: n.b(n.a(x.transpose(0, 1)).tanh().mean(0)), a=lambda: nn.LayerNorm(4), b=linear()),
        reals(length, 4),
    )
    case(
        f"embedding on [{length}, m]",
        net(lambda n, x: n.b(n.a(x.T).tanh().mean(0)), a=lambda: nn.Embedding(9, 4), b=linear()),
        tokens(length),
    )
    case(
        f"positions of {length}",
        net(
            lambda n, x: n.b((n.e(x) + n.p(torch.arange(x.shape[1]))).tanh().mean(1)),
            e=lambda: nn.Embedding(9, 4),
            p=lambda: nn.Embedding(9, 4),
            b=linear(),
        ),
        tokens(length),
    )
    case(
        f"tower of {length} classes",
        net(
            lambda n, x: x @ n.b(n.t).T @ torch.ones(n.t.shape[0], CLASSES).double().triu(),
            t=lambda length=length: nn.Parameter(torch.randn(length, 4), requires_grad=False),
            b=linear(4, 4),
        ),
        reals(4),
    )
    case(
        f"hypernetwork of {length} rows",
        net(
            lambda n, x: n.h((x[:, None] * n.b(n.t)).tanh().sum(1)),
            t=lambda length=length: nn.Parameter(torch.randn(length, 4)),
            b=linear(4, 4),
            h=linear(),
        ),
        reals(4),
    )
    case(
        f"parameter of {length} rows",
        net(lambda n, x: n.b((x[:, None] * n.t).tanh().mean(1)), t=parameter(length, 4), b=linear()),
        reals(4),
    )
case(
    "two views stacked",
    net(lambda n, x: (lambda v: n.b(v[0] * v[1]))(n.a(torch.stack([x, x.flip(1)])).tanh()), a=linear(4, 4), b=linear()),
    reals(4),
)
case(
    "two views in one batch",
    net(
        lambda n, x: (lambda v: n.b(v[: len(x)] * v[len(x) :]))(n.a(torch.cat([x, x.flip(1)])).tanh()),
        a=linear(4, 4),
        b=linear(),
    ),
    reals(4),
)
case(
    "batch hidden in another axis",
    net(lambda n, x: n.b(n.a(x.flatten(0, 1)).tanh().view(len(x), 3, 4).mean(1)), a=linear(4, 4), b=linear()),
    reals(3, 4),
)
case(
    "batch reversed inside", net(lambda n, x: n.b(n.a(x.flip(0)).tanh().flip(0)), a=linear(4, 4), b=linear()), reals(4)
)
case(
    "first two exchanged inside",
    net(lambda n, x: n.b(exchanged(n.a(exchanged(x)).tanh())), a=linear(4, 4), b=linear()),
    reals(4),
)
case(
    "sorted inside",
    net(lambda n, x: n.b(n.a(x[x[:, 0].argsort()]).tanh()[x[:, 0].argsort().argsort()]), a=linear(4, 4), b=linear()),
    reals(4),
)
case(
    "loss of another axis",
    mlp(M),
    reals(4, to=real_targets(M)),
    lambda o, t: (o - t).square().mean(0),
    refused="loss returned a tensor of shape",
)
case(
    "outputs of another axis",
    net(lambda n, x: n.b(x).T, b=linear(4, M)),
    reals(4, to=real_targets(M)),
    nn.MSELoss(),
    refused="its outputs must be a tensor",
)
case("fixed batch", net(lambda n, x: n.b(x.view(M, 4)), b=linear()), reals(4), refused="not on [45]")

# -- what one chunk uses and another does not --------------------------------------------------------------------------


class Experts(nn.Module):
    """Each example, or each token, goes to the expert that a router names."""

    def __init__(self, experts: int):
        super().__init__()
        self.router = nn.Linear(4, experts)
        self.experts = nn.ModuleList(nn.Linear(4, 4) for _ in range(experts))
        self.head = nn.Linear(4, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        flat = x.reshape(-1, 4)
        gates = self.router(flat).softmax(1)
        outputs = torch.zeros_like(flat)
        for k, expert in enumerate(self.experts):
            rows = (gates.argmax(1) == k).nonzero().flatten()
            if len(rows):
                outputs = outputs.index_add(0, rows, expert(flat[rows]) * gates[rows, k : k + 1])
        return self.head(outputs.view(x.shape).flatten(1, -2).mean(1) if x.dim() > 2 else outputs)


class Exits(nn.Module):
    """Rows of which the first layer is sure leave; the others go on."""

    def __init__(self):
        super().__init__()
        self.first, self.early, self.late = nn.Linear(4, 4), nn.Linear(4, CLASSES), nn.Linear(4, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.first(x).tanh()
        outputs = self.early(hidden)
        on = hidden[:, 0] > 0
        return outputs.index_put((on,), self.late(hidden[on])) if on.any() else outputs


class Boxes(nn.Module):
    """A head on a number of boxes that differs from example to example."""

    def __init__(self, counts: Callable[[Tensor], Tensor]):
        super().__init__()
        self.counts, self.box, self.head = counts, nn.Linear(4, 4), nn.Linear(4, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        of = torch.arange(len(x)).repeat_interleave(self.counts(x))
        return self.head(torch.zeros_like(x).index_add(0, of, self.box(x[of]).tanh()))


for experts in (2, 8):
    case(f"{experts} experts", lambda experts=experts: Experts(experts).double(), reals(4))
    case(f"{experts} experts on tokens", lambda experts=experts: Experts(experts).double(), reals(3, 4))
case("early exits", lambda: Exits().double(), reals(4))
case("boxes", lambda: Boxes(lambda x: (x[:, 0] > 0).long() + 1).double(), reals(4))
case(
    "boxes, as many as examples",
    lambda: Boxes(
        lambda x: torch.tensor([2, 0, *[1] * (len(x) - 2)] if len(x) in (CHUNK + 1, M) else [1] * len(x))
    ).double(),
    reals(4),
    refused="is not that of its own backward pass",
)
case(
    "parameter used by one example",
    net(lambda n, x: n.b(x) + (x @ n.w) * (x[:, 1:2] > 1.2), b=linear(), w=parameter(4, CLASSES)),
    reals(4),
)
case(
    "module used by few examples",
    net(lambda n, x: n.b(x) + (n.a(x) if (x[:, 0] > 1).any() else 0) * (x[:, :1] > 1), a=linear(), b=linear()),
    reals(4),
)
case(
    "module used by a whole batch or not",
    net(lambda n, x: n.b(x) + n.a(x) * (x[:, :1] > 0).any(), a=linear(), b=linear()),
    reals(4),
    refused="another output|is not that of its own",
)


class Counting(nn.Module):
    """Another network in every pass."""

    def __init__(self):
        super().__init__()
        self.dense, self.passes = nn.Linear(4, CLASSES), 0

    def forward(self, x: Tensor) -> Tensor:
        self.passes += 1
        return self.dense(x) * self.passes


class Buffered(nn.Module):
    """Counts the examples that it has seen in a buffer, and is the same network all the same."""

    def __init__(self):
        super().__init__()
        self.dense = nn.Linear(4, CLASSES)
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        self.seen += len(x)
        return self.dense(x)


# -- what examples or passes do to each other --------------------------------------------------------------------------

case(
    "batch mean taken off",
    net(lambda n, x: n.b((lambda h: h - h.mean(0))(n.a(x))), a=linear(4, 4), b=linear()),
    reals(4),
    refused=r"another output among other examples.*examples see each other",
)
case(
    "attention over the batch",
    net(
        lambda n, x: n.b(n.e(x[None])[0]),
        e=lambda: nn.TransformerEncoderLayer(4, 2, 5, 0.0, batch_first=True),
        b=linear(),
    ),
    reals(4),
    refused="examples see each other",
)
case(
    "neighbours in pairs",
    net(lambda n, x: n.b(x + x.roll(1, 0)), b=linear()),
    reals(4),
    refused="examples see each other",
)
case(
    "position in the batch",
    net(lambda n, x: n.b(x) * torch.arange(1, len(x) + 1)[:, None], b=linear()),
    reals(4),
    refused="examples see each other",
)
case(
    "a mean whose value is hidden",
    net(lambda n, x: n.b((lambda h: h + h.mean(0) - h.mean(0).detach())(n.a(x))), a=linear(4, 4), b=linear()),
    reals(4),
    refused="is not that of its own backward pass",
)
case(
    "contrastive, a loss each",
    mlp(),
    reals(4),
    lambda o, t: functional.cross_entropy(o @ o.T, torch.arange(len(o)), reduction="none"),
    refused="loss gives an example another value",
)
case(
    "contrastive, a scalar",
    mlp(),
    reals(4),
    lambda o, t: (o @ o.T).logsumexp(1).mean(),
    refused="neither a mean nor a sum",
)
case(
    "functional dropout",
    net(lambda n, x: n.b(functional.dropout(n.a(x))), a=linear(4, 4), b=linear()),
    reals(4),
    refused="draws random numbers",
)
case(
    "rrelu, training",
    lambda: nn.Sequential(nn.Linear(4, 5), nn.RReLU(), nn.Linear(5, CLASSES)).double(),
    reals(4),
    refused=r"1 \(RReLU\) that draws random numbers",
)
case(
    "drawing by another library",
    net(lambda n, x: n.b(x) * random_number(), b=linear()),
    reals(4),
    refused="another output among other examples or in another pass",
)
case(
    "random loss",
    mlp(),
    reals(4),
    lambda o, t: functional.cross_entropy(o * torch.rand(1), t, reduction="none"),
    refused="loss draws random numbers",
)
case("a state from pass to pass", lambda: Counting().double(), reals(4), refused="keeps a state")
case(
    "instance norm, running statistics",
    lambda: nn.Sequential(
        nn.InstanceNorm1d(2, affine=True, track_running_stats=True), nn.Flatten(), nn.Linear(8, CLASSES)
    ).double(),
    reals(2, 4),
    refused=r"InstanceNorm1d\) in training mode",
)

# -- what hooks do not see ---------------------------------------------------------------------------------------------
case("a buffer changed", lambda: Buffered().double(), reals(4), refused="model changes its buffer seen")


class Shifted(nn.Linear):
    """A subclass with a forward pass of its own."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.sin()) ** 2


class Standardised(nn.Conv2d):
    """A convolution with another inner pass."""

    def _conv_forward(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return super()._conv_forward(x, weight - weight.mean((1, 2, 3), keepdim=True), bias)


class Renamed(nn.Linear):
    """A subclass that is a dense layer, with a parameter that others use."""

    def __init__(self, p: int, q: int):
        super().__init__(p, q)
        self.scale = nn.Parameter(torch.randn(q))


class Scaled(nn.Module):
    """A layer of a kind that no rule knows."""

    def __init__(self, n: int):
        super().__init__()
        self.scale, self.inner = nn.Parameter(torch.rand(n)), nn.Linear(n, n)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        outputs = self.scale * torch.sigmoid(self.inner(x) * self.scale)
        return outputs if mask is None else outputs * mask


class Remembering(nn.Module):
    """A layer that finds its mask on itself."""

    def __init__(self, n: int):
        super().__init__()
        self.scale, self.mask = nn.Parameter(torch.rand(n)), None

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale.sin() * self.mask


def remembered(network: nn.Module, x: Tensor) -> Tensor:
    network.a.mask = (x[:, :1] > 0).double()
    return network.b(network.a(x))


case("forward hook", lambda: hooked(mlp()(), "0", lambda m, i, o: o.square()), reals(4))
case(
    "forward hook on an unknown layer",
    net(
        lambda n, x: n.b(n.a(x)),
        a=lambda: hooked(nn.Sequential(Scaled(4)), "0", lambda m, i, o: o.square()),
        b=linear(),
    ),
    reals(4),
)
case("forward pre-hook", lambda: prehooked(mlp()(), "0", lambda m, i: (i[0].sin(),)), reals(4))
case("forward replaced", lambda: replaced(mlp()(), "0"), reals(4))
case("subclass with another forward", net(lambda n, x: n.b(n.a(x)), a=lambda: Shifted(4, 4), b=linear()), reals(4))
case("subclass with another inner pass", over(lambda: Standardised(2, 3, 2), 3, 2, 3), reals(2, 4, 4))
case(
    "subclass with another parameter",
    net(lambda n, x: n.b(n.a(x) * n.a.scale), a=lambda: Renamed(4, 4), b=linear()),
    reals(4),
)
case("unknown layer", net(lambda n, x: n.b(n.a(x)), a=lambda: Scaled(4), b=linear()), reals(4))
case("unknown layer with a mask", net(lambda n, x: n.b(n.a(x, x > 0)), a=lambda: Scaled(4), b=linear()), reals(4))
case(
    "unknown layer with a mask by keyword",
    net(lambda n, x: n.b(n.a(x, mask=x[:, :1] < 1)), a=lambda: Scaled(4), b=linear()),
    reals(4),
)
case("unknown layer with a mask on itself", net(remembered, a=lambda: Remembering(4), b=linear()), reals(4))
case("compiled", lambda: torch.compile(mlp()()), reals(4), refused="that is compiled", curved=False)
case(
    "compiled in place",
    lambda: compiled_in_place(mlp()()),
    reals(4),
    refused=r"0 \(Linear\) that is compiled",
    curved=False,
)
case(
    "checkpoint",
    net(
        lambda n, x: n.b(checkpoint.checkpoint(n.a, x, use_reentrant=False)),
        a=lambda: nn.Sequential(nn.Linear(4, 5), nn.Tanh(), Scaled(5)),
        b=linear(5),
    ),
    reals(4),
    curved=False,
)
case(
    "checkpoint with re-entry",
    net(
        lambda n, x: n.b(checkpoint.checkpoint(n.a, n.c(x), use_reentrant=True)),
        c=linear(4, 4),
        a=linear(4, 4),
        b=linear(),
    ),
    reals(4),
    refused="checkpoint",
    curved=False,
)
case("gradients inside", net(energy, a=linear(4, 5), b=linear(5, 1)), reals(4), curved=False)
case(
    "vmap inside",
    net(lambda n, x: torch.vmap(n.b)(x), b=linear()),
    reals(4),
    curved=False,
)
case(
    "complex weights",
    net(
        lambda n, x: n.b(x.to(torch.complex128)).real.contiguous(),
        b=lambda: nn.Linear(4, CLASSES, dtype=torch.complex128),
    ),
    reals(4),
    refused="complex parameter",
    curved=False,
)
case(
    "scaled dot product",
    net(lambda n, x: n.b(functional.scaled_dot_product_attention(n.a(x), x, x).mean(1)), a=linear(4, 4), b=linear()),
    reals(3, 4),
)

# -- transformers in the manner of timm and Hugging Face ---------------------------------------------------------------


class Vision(nn.Module):
    """Patches, a class token, positions, attention from one packed layer, and scales of the layers' outputs."""

    def __init__(self, taken: str):
        super().__init__()
        self.taken, self.patches = taken, nn.Conv2d(2, 4, 2, 2)
        self.token, self.positions = nn.Parameter(torch.randn(1, 1, 4)), nn.Parameter(torch.randn(1, 5, 4))
        self.norm, self.qkv, self.out, self.head = nn.LayerNorm(4), nn.Linear(4, 12), nn.Linear(4, 4), linear(4)()
        self.gammas = nn.ParameterList([torch.rand(4), torch.rand(4)])
        self.mlp = nn.Sequential(nn.Linear(4, 6), nn.GELU(), nn.Linear(6, 4))

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).mT
        token = self.token.expand(len(x), -1, -1) if self.taken == "expand" else self.token.repeat(len(x), 1, 1)
        x = torch.cat([token, x], 1) + self.positions[:, : x.shape[1] + 1]
        q, k, v = self.qkv(self.norm(x)).view(len(x), -1, 3, 2, 2).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        x = x + self.out(mixed) * self.gammas[0]
        x = x + self.mlp(x).mul_(self.gammas[1])
        return self.head(x[:, 0])


class Bert(nn.Module):
    """Words, positions and kinds looked up and added, attention written out with a mask, a pooled first word."""

    def __init__(self):
        super().__init__()
        self.words, self.places, self.kinds = nn.Embedding(9, 4, 0), nn.Embedding(7, 4), nn.Embedding(2, 4)
        self.register_buffer("ids", torch.arange(7)[None], persistent=False)
        self.norm, self.query, self.key, self.value = nn.LayerNorm(4), *(nn.Linear(4, 4) for _ in range(3))
        self.pooler, self.head = nn.Linear(4, 4), linear(4)()

    def forward(self, x: Tensor) -> Tensor:
        h = self.words(x) + self.kinds(torch.zeros_like(x))
        h += self.places(self.ids[:, : x.shape[1]])
        h = self.norm(h)
        q, k, v = (layer(h).unflatten(2, (2, 2)).transpose(1, 2) for layer in (self.query, self.key, self.value))
        scores = (q @ k.mT).masked_fill((x == 0)[:, None, None], -1e9).softmax(-1)
        h = self.norm(h + (scores @ v).transpose(1, 2).flatten(2))
        return self.head(self.pooler(h[:, 0]).tanh())


class Conv1D(nn.Module):
    """GPT-2's dense layer: weight [p, q], on inputs whose examples and positions are one axis."""

    def __init__(self, q: int, p: int):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.randn(p, q)), nn.Parameter(torch.randn(q))

    def forward(self, x: Tensor) -> Tensor:
        shape = *x.shape[:-1], len(self.bias)
        return torch.addmm(self.bias, x.view(-1, x.shape[-1]), self.weight).view(shape)


class Gpt(nn.Module):
    """Words and positions, causal attention from Conv1D, and the words' table as the last layer."""

    def __init__(self):
        super().__init__()
        self.words, self.places, self.norm = nn.Embedding(CLASSES, 4), nn.Embedding(8, 4), nn.LayerNorm(4)
        self.attention, self.out, self.up, self.down = Conv1D(12, 4), Conv1D(4, 4), Conv1D(8, 4), Conv1D(4, 8)
        self.last = nn.Linear(4, CLASSES, bias=False)
        self.last.weight = self.words.weight

    def forward(self, x: Tensor) -> Tensor:
        h = self.words(x) + self.places(torch.arange(x.shape[1]))
        q, k, v = (t.unflatten(2, (2, 2)).transpose(1, 2) for t in self.attention(self.norm(h)).split(4, 2))
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        h = h + self.out(mixed.transpose(1, 2).reshape(h.shape))
        return self.last(h + self.down(functional.gelu(self.up(h)))).mT


class Windowed(nn.Module):
    """Attention in windows, examples and windows in one axis, with a table of relative positions."""

    def __init__(self):
        super().__init__()
        self.qkv, self.head = nn.Linear(4, 12), linear(4)()
        self.table, self.place = nn.Parameter(torch.randn(3, 2)), torch.tensor([[1, 2], [0, 1]])

    def forward(self, x: Tensor) -> Tensor:
        windows = x.unflatten(1, (3, 2)).flatten(0, 1)
        q, k, v = self.qkv(windows).unflatten(2, (3, 2, 2)).permute(2, 0, 3, 1, 4)
        scores = q @ k.mT + self.table[self.place.flatten()].view(2, 2, 2).permute(2, 0, 1).unsqueeze(0)
        mixed = (scores.softmax(-1) @ v).transpose(1, 2).flatten(2)
        return self.head(mixed.unflatten(0, (len(x), 3)).flatten(1, 2).mean(1))


case("vision transformer", lambda: Vision("expand").double(), reals(2, 4, 4), curved=False)
case("vision transformer, token repeated", lambda: Vision("repeat").double(), reals(2, 4, 4), curved=False)
case("bert", lambda: Bert().double(), tokens(5), curved=False)
case("gpt", lambda: Gpt().double(), lambda: (classes(5), classes(5)), curved=False)
case("windows", lambda: Windowed().double(), reals(6, 4), curved=False)
for name, setting in {
    "other sizes of keys and values": {"kdim": 3, "vdim": 2},
    "biases of keys and values": {"add_bias_kv": True},
    "a key of zeros": {"add_zero_attn": True},
}.items():
    case(
        f"attention, {name}",
        net(
            lambda n, x, own=setting: n.head(
                n.a(x, *((x[..., :3], x[..., :2]) if "kdim" in own else (x.tanh(), x)), need_weights=False)[0].mean(1)
            ),
            a=functools.partial(nn.MultiheadAttention, 4, 2, batch_first=True, **setting),
            head=linear(4),
        ),
        reals(3, 4),
        curved=False,
    )
case(
    "queries that are learned",
    net(
        lambda n, x: n.head(n.a(n.q.expand(len(x), -1, -1), x, x)[0].flatten(1)),
        q=parameter(1, 2, 4),
        a=lambda: nn.MultiheadAttention(4, 2, batch_first=True),
        head=linear(8),
    ),
    reals(3, 4),
    curved=False,
)

# -- parameters outside of layers --------------------------------------------------------------------------------------


class Doubled(torch.autograd.Function):
    """A function that no mode sees."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        return 2 * x

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        return 2 * gradient


case(
    "parameter, hidden by an autograd function",
    net(lambda n, x: n.h(x * (n.w + Doubled.apply(n.v))), w=parameter(4), v=parameter(4), h=linear()),
    reals(4),
    curved=False,
)
case(
    "parameter, hidden before a function",
    net(lambda n, x: n.h((x * Doubled.apply(n.v)) @ n.w), w=parameter(4, 4), v=parameter(4), h=linear()),
    reals(4),
    curved=False,
)
case(
    "views, examples and frames in one axis",
    net(
        lambda n, x: n.h(n.c(torch.stack([x, x.flip(1)]).flatten(0, 2)).tanh().view(2, len(x), 3, 12).mean((0, 2))),
        c=lambda: nn.Conv1d(2, 3, 2),
        h=linear(12),
    ),
    reals(3, 2, 5),
    curved=False,
)
case(
    "layers inside of a checkpoint, twice",
    net(
        lambda n, x: n.h(
            checkpoint.checkpoint(n.a, checkpoint.checkpoint(n.a, x, use_reentrant=False), use_reentrant=False)
        ),
        a=lambda: nn.Sequential(Scaled(4), nn.Linear(4, 4), Scaled(4)),
        h=linear(),
    ),
    reals(4),
    curved=False,
)
case(
    "encoder inside of a checkpoint",
    net(
        lambda n, x: n.h(checkpoint.checkpoint(n.e, x * n.w, use_reentrant=False).mean(1)),
        e=lambda: nn.TransformerEncoderLayer(4, 2, 5, 0.0, batch_first=True),
        w=parameter(4),
        h=linear(),
    ),
    reals(3, 4),
    curved=False,
)
for name, use in {
    "a scale and a shift": lambda n, x: x * n.w + n.w,
    "from the left": lambda n, x: 2 * (n.w - x) / (3 + n.w.square()),
    "in place": lambda n, x: (x * 1).mul_(n.w).add_(n.w),
    "where": lambda n, x: torch.where(x > 0, x, n.w),
    "powers": lambda n, x: x.abs() ** n.w.exp(),
    "a clamp": lambda n, x: torch.maximum(x, n.w),
    "one entry": lambda n, x: x * n.w[2],
    "a row for each": lambda n, x: x * n.w.unsqueeze(0).expand(len(x), -1),
    "as another": lambda n, x: x * n.w.expand_as(x),
    "examples and positions in one axis": lambda n, x: (
        (x.repeat(1, 2).view(-1, 4) * n.w).view(len(x), 2, 4).sin().mean(1)
    ),
    "positions and examples in one axis": lambda n, x: (torch.cat([x, x.sin()]) * n.w).tanh().view(2, -1, 4).sum(0),
    "examples last": lambda n, x: (x.T * n.w[:, None]).T,
    "a square": lambda n, x: x @ torch.outer(n.w, n.w),
    "a square from the left": lambda n, x: (torch.outer(n.w, n.w.sin()) @ x.T).T,
    "a vector": lambda n, x: x * (x @ n.w)[:, None],
    "an einsum": lambda n, x: torch.einsum("bi,i,j->bj", x, n.w, n.w),
    "a functional norm": lambda n, x: functional.layer_norm(x, (4,), n.w, n.w),
    "a functional root mean square": lambda n, x: functional.rms_norm(x, (4,), n.w),
    "a functional convolution": lambda n, x: functional.conv1d(x[:, None], n.w[None, None, :3], n.w[:1], 1, 1)[:, 0],
    "a lookup": lambda n, x: x * n.w[(x[:, :1] > 0).long() + 1],
    "a functional lookup": lambda n, x: x * functional.embedding((x > 0).long(), n.w.view(2, 2), 0).sum(2),
    "a transposed weight": lambda n, x: x @ n.h.weight.T @ n.h.weight,
    "once with and once without": lambda n, x: x * n.w + n.w.detach(),
    "where examples are few": lambda n, x: x + (x[:1] * n.w).sum() * 0,
}.items():
    case(
        f"parameter, {name}",
        net(lambda n, x, use=use: n.h(use(n, x).tanh()), w=parameter(4), h=linear()),
        reals(4),
        curved=False,
    )

# -- losses ------------------------------------------------------------------------------------------------------------

WEIGHTS = torch.tensor([0.3, 1.0, 2.5], dtype=torch.float64)
ignoring = functools.partial(functional.cross_entropy, ignore_index=1)
sequence = net(lambda n, x: n.b(x).mT, b=linear())


def counted(outputs: Tensor, targets: Tensor) -> Tensor:
    """Over the positions that count."""
    return functional.cross_entropy(outputs, targets, ignore_index=1, reduction="sum") / max(
        1, int((targets != 1).sum())
    )


case("sum", mlp(), reals(4), nn.CrossEntropyLoss(reduction="sum"))
case("each", mlp(), reals(4), nn.CrossEntropyLoss(reduction="none"), alone=nn.CrossEntropyLoss(), curved=False)
case(
    "class weights", mlp(), reals(4), nn.CrossEntropyLoss(WEIGHTS), alone=nn.CrossEntropyLoss(WEIGHTS, reduction="sum")
)
case("class weights, sum", mlp(), reals(4), nn.CrossEntropyLoss(WEIGHTS, reduction="sum"))
case("smoothed labels", mlp(), reals(4), nn.CrossEntropyLoss(label_smoothing=0.1))
case("class probabilities", mlp(), reals(4, to=lambda: real_targets(CLASSES)().softmax(1)))
case("squared", mlp(2), reals(4, to=real_targets(2)), nn.MSELoss())
case("squared, function", mlp(2), reals(4, to=real_targets(2)), functional.mse_loss)
case("Huber", mlp(2), reals(4, to=real_targets(2)), nn.HuberLoss())
case(
    "binary",
    mlp(2),
    reals(4, to=lambda: real_targets(2)().sigmoid()),
    nn.BCEWithLogitsLoss(pos_weight=torch.tensor([2.0, 0.5])),
)
case(
    "binary, weights by output",
    mlp(2),
    reals(4, to=lambda: real_targets(2)().sigmoid()),
    nn.BCEWithLogitsLoss(torch.tensor([2.0, 0.5])),
)
case(
    "binary, weights by example",
    mlp(2),
    reals(4, to=lambda: real_targets(2)().sigmoid()),
    nn.BCEWithLogitsLoss(torch.rand(M, 1)),
    refused="a row for each example of one batch",
    curved=False,
)
case(
    "by batch",
    lambda: nn.Sequential(mlp()(), nn.LogSoftmax(1)),
    reals(4, to=lambda: real_targets(CLASSES)().softmax(1)),
    nn.KLDivLoss(reduction="batchmean"),
)
case(
    "a loss of one's own, each",
    mlp(2),
    reals(4, to=real_targets(2)),
    lambda o, t: (o - t).pow(4).sum(1),
    alone=lambda o, t: (o - t).pow(4).sum(),
    curved=False,
)
case("a loss of one's own, mean", mlp(2), reals(4, to=real_targets(2)), lambda o, t: (o - t).pow(4).sum(1).mean())
case(
    "a loss that is no mean",
    mlp(2),
    reals(4, to=real_targets(2)),
    lambda o, t: (o - t).square().mean() + 0.05 * (o - t).square().amax(),
    refused="neither a mean nor a sum",
)
case(
    "broadcast targets",
    mlp(1),
    reals(4, to=real_targets()),
    nn.MSELoss(),
    refused="by stretching them over each other",
    curved=False,
)
case(
    "broadcast targets, by hand",
    mlp(1),
    reals(4, to=real_targets()),
    lambda o, t: (o - t).square().mean(1),
    refused="loss gives an example another value",
    curved=False,
)
case("pixels", net(lambda n, x: n.a(x), a=lambda: nn.Conv2d(2, CLASSES, 2)), reals(2, 4, 4, to=lambda: classes(3, 3)))
case("sequence", sequence, reals(4, 4, to=lambda: classes(4)))
case(
    "sequence, ignored positions",
    sequence,
    reals(4, 4, to=lambda: classes(4)),
    nn.CrossEntropyLoss(ignore_index=1),
    alone=counted,
)
case("sequence, ignored by a function", sequence, reals(4, 4, to=lambda: classes(4)), ignoring, alone=counted)
case(
    "sequence, ignored by default",
    sequence,
    reals(4, 4, to=lambda: classes(4).where(torch.rand(M, 4) < 0.7, -100)),
    functional.cross_entropy,
    alone=lambda o, t: functional.cross_entropy(o, t) if (t >= 0).any() else 0 * o.sum(),
)
case(
    "sequence, ignored behind a lambda",
    sequence,
    reals(4, 4, to=lambda: classes(4)),
    lambda o, t: functional.cross_entropy(o, t, ignore_index=1),
    refused="neither a mean nor a sum",
)
case("classes ignored", mlp(), reals(4), ignoring, alone=counted)

# -- several arguments -------------------------------------------------------------------------------------------------


class Sentences(nn.Module):
    """Called as Hugging Face's models are: keyword arguments, a mask of padding, outputs in a mapping."""

    def __init__(self, mapping: bool = True):
        super().__init__()
        self.mapping = mapping
        self.words, self.places = nn.Embedding(9, 4), nn.Embedding(7, 4)
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
        self.head = nn.Linear(4, CLASSES)
        self.double().eval()

    def forward(self, input_ids, attention_mask=None, position_ids=None, causal=None, scale=1.0, return_dict=True):
        length = input_ids.shape[1]
        positions = torch.arange(length) if position_ids is None else position_ids
        h = self.words(input_ids) + scale * self.places(positions)
        padding = None if attention_mask is None else attention_mask == 0
        h = h + self.attention(h, h, h, key_padding_mask=padding, attn_mask=causal, need_weights=False)[0]
        if attention_mask is not None:
            h = h * attention_mask.unsqueeze(-1)
        logits = self.head(h.mean(1).tanh())
        return {"logits": logits, "hidden": h} if return_dict else logits


class Both(nn.Module):
    """Two arguments of different kinds, and a third that may be shared."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(4, 5), nn.Linear(3, 5)
        self.head = nn.Linear(5, CLASSES)
        self.double()

    def forward(self, x, z, weights=None):
        h = self.a(x).tanh() * self.b(z)
        return self.head(h if weights is None else h * weights)


def padded(*more: str, length: int = 5) -> Callable[[], tuple]:
    def draw():
        kept = torch.arange(length) < torch.randint(2, length + 1, (M, 1))
        inputs = {"input_ids": torch.randint(0, 9, (M, length)), "attention_mask": kept.long()}
        if "positions" in more:
            inputs["position_ids"] = torch.randint(0, 7, (M, length))
        if "causal" in more:
            inputs["causal"] = Shared(torch.ones(length, length).triu(1).bool())
        if "settings" in more:
            inputs |= {"scale": 0.5, "return_dict": False, "causal": None}
        return inputs, classes()

    return draw


def pairs(*more) -> Callable[[], tuple]:
    return lambda: (
        (torch.randn(M, 4, dtype=torch.float64), torch.randn(M, 3, dtype=torch.float64), *more),
        classes(),
    )


WEIGHTING = torch.tensor([0.5, 1.0, -2.0, 0.1, 3.0], dtype=torch.float64)

case("keywords, padded", Sentences, padded())
case("keywords, padded, as many tokens as examples", Sentences, padded(length=M))
case("keywords, padded, positions", Sentences, padded("positions"))
case("keywords, padded, a shared mask", Sentences, padded("causal"))
case("keywords, padded, a shared mask of the length of the batch", Sentences, padded("causal", length=M))
case("keywords, settings among them", Sentences, padded("settings"))
case("keywords, one", mlp(), lambda: ({"input": torch.randn(M, 4, dtype=torch.float64)}, classes()))
case("two arguments", Both, pairs())
case("two arguments, a third shared", Both, pairs(Shared(WEIGHTING)))
case("two arguments, a third a number", Both, pairs(torch.tensor(0.5, dtype=torch.float64)))
case("two arguments, a third a row for each example", Both, lambda: pairs(torch.randn(M, 5).double())())
case(
    "an argument that is not cut with the others",
    Both,
    pairs(Shared(torch.linspace(-1, 1, M * 5, dtype=torch.float64).view(M, 5))),
    refused="run on 6 examples but not on",
    curved=False,
)

FUNCTION, LOOP = "exact by torch.func", "exact by one backward pass per example"
SLOW = {
    **dict.fromkeys(
        (
            *("embedding by frequency", "bilinear", "rnn cell", "gru cell", "subclass with another inner pass"),
            "views, examples and frames in one axis",
            *("parameter, a square from the left", "parameter, a vector", "parameter, an einsum"),
            *("parameter, a functional norm", "parameter, a functional root mean square"),
            *("parameter, a functional convolution", "parameter, a lookup"),
        ),
        FUNCTION,
    ),
    **dict.fromkeys(
        (
            *("embedding bag, sum", "embedding bag, mean", "embedding bag, max"),
            *("rnn", "gru", "lstm", "lstm cell", "lstm, projected", "lstm, time first"),
            *("traced by jit", "gradients inside", "vmap inside", "early exits", "boxes"),
            *("batch reversed inside", "first two exchanged inside", "sorted inside"),
            *("2 experts", "2 experts on tokens", "8 experts", "8 experts on tokens"),
            *("parameter, where examples are few", "parameter, hidden by an autograd function"),
            "parameter, hidden before a function",
        ),
        LOOP,
    ),
}
"""What is told of the cases that take a slow way; the others take none."""
