"""The networks of the chapters, as plain modules; `stack` makes replicas of them."""

import itertools
from collections.abc import Iterable, Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn

from genbook.models.ghost import GhostBatchNorm1d


class SquaredReLU(nn.Module):
    """max(z, 0)²."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Apply to every entry."""
        return inputs.relu().square()


ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh, "squared-relu": SquaredReLU, "identity": nn.Identity}


Model = TypeVar("Model", bound=nn.Module)

#: PyTorch draws a layer's weights when it is made; what a replica starts from is drawn by `initialise`, and the global
#: generator is the caller's.
leaves_the_global_generator = torch.random.fork_rng(devices=[])


def _activation(name: str) -> nn.Module:
    if name not in ACTIVATIONS:
        raise ValueError(f"activation is {name!r}; it must be one of {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[name]()


def refuse_empty(**sizes: int) -> None:
    """Raise `ValueError` with the name of a size that is no positive whole number."""
    for name, size in sizes.items():
        if int(size) != size or size < 1:
            raise ValueError(f"{name} is {size}; a layer needs at least one unit")


def freeze(model: Model, layers: Iterable[str]) -> Model:
    """Keep the named layers of `model` at their initial values; returns the model."""
    for name in layers:
        for parameter in model.get_submodule(name).parameters():
            parameter.requires_grad_(False)
    return model


def _norm_between(norm: str | None, ghost: int | None, features: int) -> list[nn.Module]:
    """What an MLP has between a dense layer and its activation."""
    if norm not in (None, "batch"):
        raise ValueError(f"norm is {norm!r}; it must be 'batch', or None for a network without normalisation")
    if norm is None and ghost is not None:
        raise ValueError(f"ghost is {ghost}, but without normalisation there are no ghost batches; want norm='batch'")
    if norm is None:
        return []
    return [nn.BatchNorm1d(features) if ghost is None else GhostBatchNorm1d(features, ghost)]


@leaves_the_global_generator
def mlp(
    sizes: Sequence[int],
    activation: str = "relu",
    bias: bool = True,
    frozen: Iterable[str] = (),
    norm: str | None = None,
    ghost: int | None = None,
) -> nn.Sequential:
    """Fully connected network: `sizes` are inputs, hidden widths, outputs; inputs [B, sizes[0]].

    Layers are named by their place ("0", "2", "4", ...), the activations in between included; `frozen` names those
    that stay at their initial values. With `norm="batch"` each hidden layer is normalised by batch before its
    activation, in ghost batches of `ghost` examples where that is a number; the places are then "0", "3", "6", ..., and
    hidden layers have no bias, which the normalisation would take away again.
    """
    if len(sizes) < 2:
        raise ValueError(f"sizes is {list(sizes)}; it must name at least the inputs and the outputs")
    refuse_empty(**{f"sizes[{i}]": size for i, size in enumerate(sizes)})
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(sizes[:-1]):
        between = _norm_between(norm, ghost, outputs)
        layers += [nn.Linear(inputs, outputs, bias=bias and not between), *between, _activation(activation)]
    return freeze(nn.Sequential(*layers, nn.Linear(sizes[-2], sizes[-1], bias=bias)), frozen)


def linear(inputs: int, outputs: int, bias: bool = True) -> nn.Sequential:
    """Linear model, inputs [B, inputs]; softmax regression under cross-entropy."""
    return mlp((inputs, outputs), bias=bias)


@leaves_the_global_generator
def random_features(inputs: int, features: int, outputs: int, activation: str = "relu") -> nn.Sequential:
    """Fixed random first layer, trained second one without bias (Rahimi and Recht 2007); inputs [B, inputs]."""
    refuse_empty(inputs=inputs, features=features, outputs=outputs)
    layers = (nn.Linear(inputs, features), _activation(activation), nn.Linear(features, outputs, bias=False))
    return freeze(nn.Sequential(*layers), ("0",))


class SignedMean(nn.Module):
    """Fixed second layer of the patch network: [..., P, 2m] to [..., 1], the mean of the first m units minus that of
    the last m, summed over the P patches."""

    def forward(self, hidden: Tensor) -> Tensor:
        """Sum over patches, average over units, subtract."""
        positive, negative = hidden.sum(-2).chunk(2, dim=-1)
        return (positive.mean(-1) - negative.mean(-1)).unsqueeze(-1)


@leaves_the_global_generator
def patch_network(dimension: int, units: int, activation: str = "squared-relu") -> nn.Sequential:
    """Two-layer patch network F₊ − F₋ with `units` hidden units of either sign and a fixed second layer.

    F_j(x) = (1/m) Σ_r Σ_p σ(⟨w_{j,r}, x_p⟩) (Lu, Wu, Yang and Zou, 2024); inputs [B, P, dimension], outputs [B, 1].
    """
    refuse_empty(dimension=dimension, units=units)
    return nn.Sequential(nn.Linear(dimension, 2 * units, bias=False), _activation(activation), SignedMean())


@leaves_the_global_generator
def small_cnn(channels: int = 1, width: int = 16, outputs: int = 10, image: int = 28) -> nn.Sequential:
    """Two 3×3 convolutions with pooling, then one dense layer; inputs [B, channels, image, image]."""
    refuse_empty(channels=channels, width=width, outputs=outputs)
    if image < 4:
        raise ValueError(f"image is {image}; two poolings need at least 4 pixels a side")
    side = image // 2 // 2
    return nn.Sequential(
        nn.Conv2d(channels, width, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(width, 2 * width, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(2 * width * side * side, outputs),
    )


@leaves_the_global_generator
def cnn1d(channels: int = 1, width: int = 25, outputs: int = 10, length: int = 40) -> nn.Sequential:
    """Three convolutions with stride 2, then one dense layer; inputs [B, channels, length].

    The network for MNIST-1D of Greydanus and Kobak (2024), theirs with 25 channels.
    """
    refuse_empty(channels=channels, width=width, outputs=outputs)
    if length < 3:
        raise ValueError(f"length is {length}; a kernel of 5 with padding 1 needs at least 3")
    layers: list[nn.Module] = []
    for inputs, kernel in ((channels, 5), (width, 3), (width, 3)):
        layers += [nn.Conv1d(inputs, width, kernel, stride=2, padding=1), nn.ReLU()]
        length = (length + 2 - kernel) // 2 + 1
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(width * length, outputs))


def _norm(kind: str, channels: int) -> nn.Module:
    """GroupNorm with groups of at most 32 (as many as divide the channels), or BatchNorm."""
    if kind == "batch":
        return nn.BatchNorm2d(channels)
    if kind == "group":
        groups = next(
            g for g in range(min(32, channels), 0, -1) if channels % g == 0 and channels // g >= min(2, channels)
        )
        return nn.GroupNorm(groups, channels)
    raise ValueError(f"norm is {kind!r}; it must be 'group' or 'batch'")


@leaves_the_global_generator
def five_layer_cnn(
    width: int = 64, outputs: int = 10, channels: int = 3, norm: str = "group", image: int = 32
) -> nn.Sequential:
    """Five-layer CNN of Nakkiran et al. (2020, appendix B): stages k, 2k, 4k, 8k; inputs [B, channels, image, image].

    Their normalisation is by batch (`norm="batch"`); by group, the default, gradients per example are defined.
    """
    refuse_empty(width=width, outputs=outputs, channels=channels)
    if image < 4:
        raise ValueError(f"image is {image}; two poolings need at least 4 pixels a side")
    layers: list[nn.Module] = []
    stages = (channels, width, 2 * width, 4 * width, 8 * width)
    for (inputs, maps), pool in zip(itertools.pairwise(stages), (1, 2, 2, image // 2 // 2), strict=True):
        layers += [nn.Conv2d(inputs, maps, 3, padding=1), _norm(norm, maps), nn.ReLU()]
        layers += [nn.MaxPool2d(pool)] if pool > 1 else []
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(8 * width, outputs))


class PreActivationBlock(nn.Module):
    """Residual block of two 3×3 convolutions, normalisation and ReLU before each (He et al. 2016)."""

    def __init__(self, inputs: int, outputs: int, stride: int, norm: str):
        """`inputs` and `outputs` count channels; a 1×1 shortcut where they or the stride differ."""
        super().__init__()
        self.norm1 = _norm(norm, inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.norm2 = _norm(norm, outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.relu = nn.ReLU()
        same = inputs == outputs and stride == 1
        self.shortcut = None if same else nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """Add the branch to the shortcut."""
        activated = self.relu(self.norm1(inputs))
        shortcut = inputs if self.shortcut is None else self.shortcut(activated)
        return shortcut + self.conv2(self.relu(self.norm2(self.conv1(activated))))


@leaves_the_global_generator
def resnet18(width: int = 64, outputs: int = 10, channels: int = 3, norm: str = "group") -> nn.Sequential:
    """Pre-activation ResNet-18 with stages k, 2k, 4k, 8k (Nakkiran et al. 2020); inputs [B, channels, 32, 32].

    `width` is k (64 is the standard network). `norm` is "group", for which gradients per example are defined, or
    "batch" as in the paper.
    """
    refuse_empty(width=width, outputs=outputs, channels=channels)
    blocks: list[nn.Module] = []
    inputs = width
    for stage, stride in zip((width, 2 * width, 4 * width, 8 * width), (1, 2, 2, 2), strict=True):
        blocks += [PreActivationBlock(inputs, stage, stride, norm), PreActivationBlock(stage, stage, 1, norm)]
        inputs = stage
    stem = nn.Conv2d(channels, width, 3, padding=1, bias=False)
    head = (nn.AvgPool2d(4), nn.Flatten(), nn.Linear(8 * width, outputs))
    return nn.Sequential(stem, *blocks, *head)


def parameter_count(model: nn.Module) -> int:
    """The number of trained parameters of a plain module."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


__all__ = [
    "ACTIVATIONS",
    "PreActivationBlock",
    "SignedMean",
    "SquaredReLU",
    "cnn1d",
    "five_layer_cnn",
    "freeze",
    "linear",
    "mlp",
    "parameter_count",
    "patch_network",
    "random_features",
    "resnet18",
    "small_cnn",
]
