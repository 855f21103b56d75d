"""Every module of `torch.nn`: in a stack what it is alone, or refused by name."""

import copy
import inspect
import warnings

import pytest
import torch
from torch import nn

from genbook.models import kinds, replicas_of, stack, unstack
from genbook.models.stacked import STACKED, Vmapped

REPLICAS, BATCH = 3, 4
#: By the number of axes after the batch: the shape of an example.
SHAPES = {1: (6,), 2: (6, 8), 3: (4, 6, 8), 4: (4, 6, 6, 8)}
#: Layers that have settings: an instance, and the axes that an example has.
INSTANCES = {
    "AdaptiveAvgPool1d": (lambda: nn.AdaptiveAvgPool1d(3), 2),
    "AdaptiveAvgPool2d": (lambda: nn.AdaptiveAvgPool2d(3), 3),
    "AdaptiveAvgPool3d": (lambda: nn.AdaptiveAvgPool3d(2), 4),
    "AdaptiveMaxPool1d": (lambda: nn.AdaptiveMaxPool1d(3), 2),
    "AdaptiveMaxPool2d": (lambda: nn.AdaptiveMaxPool2d((3, 2)), 3),
    "AdaptiveMaxPool3d": (lambda: nn.AdaptiveMaxPool3d(2), 4),
    "AvgPool1d": (lambda: nn.AvgPool1d(2), 2),
    "AvgPool2d": (lambda: nn.AvgPool2d(2, stride=1), 3),
    "AvgPool3d": (lambda: nn.AvgPool3d(2), 4),
    "BatchNorm1d": (lambda: nn.BatchNorm1d(6), 2),
    "BatchNorm2d": (lambda: nn.BatchNorm2d(4), 3),
    "ChannelShuffle": (lambda: nn.ChannelShuffle(2), 3),
    "CircularPad1d": (lambda: nn.CircularPad1d(2), 2),
    "CircularPad2d": (lambda: nn.CircularPad2d(1), 3),
    "CircularPad3d": (lambda: nn.CircularPad3d(1), 4),
    "ConstantPad1d": (lambda: nn.ConstantPad1d(1, 0.5), 2),
    "ConstantPad2d": (lambda: nn.ConstantPad2d((1, 0, 2, 1), 0.5), 3),
    "ConstantPad3d": (lambda: nn.ConstantPad3d(1, 0.5), 4),
    "Conv1d": (lambda: nn.Conv1d(6, 4, 3), 2),
    "Conv2d": (lambda: nn.Conv2d(4, 4, 3, groups=2), 3),
    "Conv3d": (lambda: nn.Conv3d(4, 2, 3, padding="same", padding_mode="circular"), 4),
    "ConvTranspose1d": (lambda: nn.ConvTranspose1d(6, 4, 3, stride=2), 2),
    "ConvTranspose2d": (lambda: nn.ConvTranspose2d(4, 2, 3), 3),
    "ConvTranspose3d": (lambda: nn.ConvTranspose3d(4, 2, 2), 4),
    "CrossMapLRN2d": (lambda: nn.CrossMapLRN2d(3), 3),
    "Flatten": (lambda: nn.Flatten(), 3),
    "Fold": (lambda: nn.Fold((2, 5), (1, 2)), 2),
    "GLU": (lambda: nn.GLU(1), 3),
    "GroupNorm": (lambda: nn.GroupNorm(2, 4), 3),
    "InstanceNorm1d": (lambda: nn.InstanceNorm1d(6, affine=True), 2),
    "InstanceNorm2d": (lambda: nn.InstanceNorm2d(4, affine=True), 3),
    "InstanceNorm3d": (lambda: nn.InstanceNorm3d(4), 4),
    "LPPool1d": (lambda: nn.LPPool1d(2, 2), 2),
    "LPPool2d": (lambda: nn.LPPool2d(2, 2), 3),
    "LPPool3d": (lambda: nn.LPPool3d(2, 2), 4),
    "LayerNorm": (lambda: nn.LayerNorm((6, 8)), 3),
    "Linear": (lambda: nn.Linear(8, 5), 3),
    "LocalResponseNorm": (lambda: nn.LocalResponseNorm(3), 3),
    "LogSoftmax": (lambda: nn.LogSoftmax(1), 2),
    "MaxPool1d": (lambda: nn.MaxPool1d(2), 2),
    "MaxPool2d": (lambda: nn.MaxPool2d(2), 3),
    "MaxPool3d": (lambda: nn.MaxPool3d(2), 4),
    "PReLU": (lambda: nn.PReLU(6), 2),
    "PixelShuffle": (lambda: nn.PixelShuffle(2), 3),
    "PixelUnshuffle": (lambda: nn.PixelUnshuffle(2), 3),
    "RMSNorm": (lambda: nn.RMSNorm(8), 3),
    "ReflectionPad1d": (lambda: nn.ReflectionPad1d(2), 2),
    "ReflectionPad2d": (lambda: nn.ReflectionPad2d(1), 3),
    "ReflectionPad3d": (lambda: nn.ReflectionPad3d(1), 4),
    "ReplicationPad1d": (lambda: nn.ReplicationPad1d(2), 2),
    "ReplicationPad2d": (lambda: nn.ReplicationPad2d(1), 3),
    "ReplicationPad3d": (lambda: nn.ReplicationPad3d(1), 4),
    "Softmax": (lambda: nn.Softmax(1), 3),
    "Softmax2d": (lambda: nn.Softmax2d(), 3),
    "Softmin": (lambda: nn.Softmin(1), 2),
    "Threshold": (lambda: nn.Threshold(0.1, 20.0), 1),
    "Unflatten": (lambda: nn.Unflatten(1, (2, 3)), 1),
    "Unfold": (lambda: nn.Unfold(2), 3),
    "Upsample": (lambda: nn.Upsample(scale_factor=2), 3),
    "UpsamplingBilinear2d": (lambda: nn.UpsamplingBilinear2d(scale_factor=2), 3),
    "UpsamplingNearest2d": (lambda: nn.UpsamplingNearest2d(scale_factor=2), 3),
    "ZeroPad1d": (lambda: nn.ZeroPad1d(1), 2),
    "ZeroPad2d": (lambda: nn.ZeroPad2d(1), 3),
    "ZeroPad3d": (lambda: nn.ZeroPad3d(1), 4),
}
ALONE = {"Embedding": "other inputs: tests/models/test_stacked.py"}
#: Refused, by what a user reads.
DRAWS, NO_FORM = "draws from a global generator", "no stacked form of"
REFUSED = {
    **dict.fromkeys(["Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout", "FeatureAlphaDropout"], DRAWS),
    **dict.fromkeys(["RReLU", "FractionalMaxPool2d", "FractionalMaxPool3d"], DRAWS),
    **dict.fromkeys(["RNN", "LSTM", "GRU", "RNNCell", "LSTMCell", "GRUCell", "EmbeddingBag"], NO_FORM),
    **dict.fromkeys(["MultiheadAttention", "TransformerEncoderLayer", "TransformerDecoderLayer"], NO_FORM),
    **dict.fromkeys(["Transformer", "BatchNorm3d", "SyncBatchNorm"], NO_FORM),
    **dict.fromkeys(
        ["CosineSimilarity", "PairwiseDistance", "Bilinear", "MaxUnpool1d", "MaxUnpool2d", "MaxUnpool3d"], NO_FORM
    ),
    **dict.fromkeys(["ParameterList", "ParameterDict", "TransformerEncoder", "TransformerDecoder"], NO_FORM),
}
SETTINGS = {
    "Dropout1d": (),
    "FractionalMaxPool2d": (2, 2),
    "FractionalMaxPool3d": (2, 2),
    "Transformer": (8, 2, 1, 1, 8),
    **dict.fromkeys(["RNN", "LSTM", "GRU", "RNNCell", "LSTMCell", "GRUCell", "EmbeddingBag"], (3, 2)),
    **dict.fromkeys(["MultiheadAttention", "TransformerEncoderLayer", "TransformerDecoderLayer"], (4, 2)),
    **dict.fromkeys(["BatchNorm3d", "SyncBatchNorm"], (4,)),
    "Bilinear": (2, 2, 2),
    "MaxUnpool1d": (2,),
    "MaxUnpool2d": (2,),
    "MaxUnpool3d": (2,),
}


def modules_of_torch():
    """The names of all modules of torch.nn but losses, bases and layers whose shape is not known yet."""
    found = {name for name, kind in vars(nn).items() if inspect.isclass(kind) and issubclass(kind, nn.Module)}
    bases = {"Module", "Container", "RNNBase", "RNNCellBase", "DataParallel"}
    return {name for name in found - bases if not name.endswith(("Loss", "Loss2d")) and not name.startswith("Lazy")}


def build(name):
    if name in INSTANCES:
        make, axes = INSTANCES[name]
        return make(), axes
    return getattr(nn, name)(), 2


STACKABLE = sorted({*INSTANCES, *(kind.__name__ for kind in kinds.ELEMENTWISE)})


def test_every_module_of_torch_is_stacked_or_refused():
    containers = {kind.__name__ for kind in kinds.CONTAINERS}
    assert modules_of_torch() == {*STACKABLE, *ALONE, *REFUSED, *containers}
    assert not set(REFUSED) & {*STACKABLE, *ALONE}
    listed = {kind for kinds_ in (kinds.FOLDED, kinds.VMAPPED, kinds.ELEMENTWISE) for kind in kinds_}
    listed |= {kind for form in STACKED if form is not Vmapped for kind in torch.utils._pytree.tree_leaves(form.plain)}
    assert {kind.__name__ for kind in listed} == {*STACKABLE, *ALONE}


@pytest.mark.parametrize("name", STACKABLE)
def test_a_layer_does_in_a_stack_what_it_does_alone(name):
    torch.manual_seed(0)
    plain, axes = build(name)
    networks = [nn.Sequential(copy.deepcopy(plain)).double() for _ in range(REPLICAS)]
    with torch.no_grad():
        for parameter in [p for network in networks for p in network.parameters()]:
            parameter.normal_()
    inputs = torch.randn(REPLICAS, BATCH, *SHAPES[axes], dtype=torch.float64, requires_grad=True)
    stacked = stack(networks)
    outputs = stacked(inputs)
    weights = torch.randn_like(outputs)
    (by_inputs,) = torch.autograd.grad((outputs * weights).sum(), inputs, retain_graph=True)
    parameters = dict(stacked.named_parameters())
    found = torch.autograd.grad((outputs * weights).sum(), list(parameters.values())) if parameters else ()
    gradients = dict(zip(parameters, found, strict=True))
    for r, network in enumerate(networks):
        alone = inputs[r].detach().requires_grad_(True)
        expected = network(alone)
        torch.testing.assert_close(outputs[r], expected, rtol=1e-12, atol=1e-12)
        (expected * weights[r]).sum().backward()
        torch.testing.assert_close(by_inputs[r], alone.grad, rtol=1e-10, atol=1e-12)
        for key, parameter in network.named_parameters():
            torch.testing.assert_close(gradients[key][r], parameter.grad, rtol=1e-10, atol=1e-12)
        assert repr(unstack(stacked, r)) == repr(network)
    if parameters:
        assert replicas_of(stacked) == REPLICAS


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_no_stack_holds_is_refused_by_name(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of faster paths that these settings do not take
        settings = SETTINGS.get(name, ())
        if name in ("TransformerEncoder", "TransformerDecoder"):
            settings = (getattr(nn, f"{name}Layer")(4, 2), 1)
        module = getattr(nn, name)(*settings)
    with pytest.raises(TypeError, match=f"{name}.*{REFUSED[name]}|{REFUSED[name]} {name}"):
        stack([nn.Sequential(nn.Linear(2, 2), module)])


@pytest.mark.parametrize(
    ("layer", "shape"),
    [(nn.Softmax(0), (5,)), (nn.LogSoftmax(-2), (5,)), (nn.Softmin(None), (3, 5)), (nn.GLU(0), (4,))],
    ids=["axis 0", "from the end", "by default", "gated"],
)
def test_a_layer_that_works_along_the_batch_is_refused(layer, shape):
    with pytest.raises(ValueError, match="the batch: it would mix examples"):
        stack([layer])(torch.randn(REPLICAS, BATCH, *shape))


def test_what_does_not_compute_what_its_class_says_is_refused():
    hooked, replaced, normed = nn.Linear(2, 2), nn.Tanh(), nn.utils.parametrizations.weight_norm(nn.Linear(2, 2))
    hooked.register_forward_hook(lambda layer, inputs, outputs: 2 * outputs)
    replaced.forward = lambda inputs: inputs

    class Doubled(nn.Linear):
        def forward(self, inputs):
            return 2 * super().forward(inputs)

    for layer, name in (
        (hooked, "Linear has hooks"),
        (replaced, "Tanh has hooks, or a forward pass of its own"),
        (normed, "ParametrizedLinear has hooks"),
        (Doubled(2, 2), "no stacked form of Doubled"),
        (nn.InstanceNorm1d(2, track_running_stats=True), "InstanceNorm1d keeps no running statistics"),
    ):
        with pytest.raises((TypeError, ValueError), match=name):
            stack([nn.Sequential(layer)])
