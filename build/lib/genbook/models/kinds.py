"""How each module of `torch.nn` goes into a stack of replicas.

Layers with a stacked form of their own are in `genbook.models.stacked`. Of the others these lists say whether a stack
holds them, and how; what stands in none is refused.
"""

from torch import nn

#: They hold modules and have no arithmetic of their own.
CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)

#: Each number by itself: they take [R, B, ...] as they take [B, ...].
ELEMENTWISE = (
    *(nn.Identity, nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.CELU, nn.SELU, nn.GELU, nn.SiLU, nn.Mish, nn.Hardswish),
    *(nn.Sigmoid, nn.LogSigmoid, nn.Hardsigmoid, nn.Tanh, nn.Hardtanh, nn.Softsign, nn.Softplus, nn.Threshold),
    *(nn.Hardshrink, nn.Softshrink, nn.Tanhshrink),
)

#: Without parameters, each example by itself: replicas and batch go in as one batch.
FOLDED = (
    *(nn.Flatten, nn.Unflatten, nn.Fold, nn.Unfold, nn.ChannelShuffle, nn.PixelShuffle, nn.PixelUnshuffle),
    *(nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d, nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d),
    *(nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d),
    *(nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d, nn.LPPool1d, nn.LPPool2d, nn.LPPool3d),
    *(nn.ConstantPad1d, nn.ConstantPad2d, nn.ConstantPad3d, nn.ZeroPad1d, nn.ZeroPad2d, nn.ZeroPad3d),
    *(nn.ReflectionPad1d, nn.ReflectionPad2d, nn.ReflectionPad3d, nn.ReplicationPad1d, nn.ReplicationPad2d),
    *(nn.ReplicationPad3d, nn.CircularPad1d, nn.CircularPad2d, nn.CircularPad3d),
    *(nn.Upsample, nn.UpsamplingNearest2d, nn.UpsamplingBilinear2d, nn.LocalResponseNorm, nn.CrossMapLRN2d),
    *(nn.Softmax, nn.Softmax2d, nn.LogSoftmax, nn.Softmin, nn.GLU),
)

#: With parameters and without a stacked form here: `torch.vmap` runs them over the replicas.
VMAPPED = (
    *(nn.PReLU, nn.RMSNorm, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d),
    *(nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d),
)

#: They draw from the global generator, so that a replica's path would depend on the others'.
RANDOM = (nn.modules.dropout._DropoutNd, nn.RReLU, nn.FractionalMaxPool2d, nn.FractionalMaxPool3d)


def is_of_torch(module: nn.Module) -> bool:
    """Whether the module's class comes with PyTorch, so that these lists say what it computes."""
    return type(module).__module__.startswith("torch.nn.modules.")


def is_from_elsewhere(module: nn.Module) -> bool:
    """Whether the module's class is neither PyTorch's nor this package's: its forward pass may do anything."""
    return not is_of_torch(module) and not type(module).__module__.startswith("genbook.models")


def is_known(module: nn.Module) -> bool:
    """Whether a module of PyTorch's computes what its class says: no hook, no other forward pass on the instance."""
    hooks = (module._forward_hooks, module._forward_pre_hooks, module._backward_hooks, module._backward_pre_hooks)
    return "forward" not in vars(module) and not any(hooks)


def mixes_examples(module: nn.Module, dimensions: int) -> bool:
    """Whether a folded layer works along its first axis, the batch, on inputs of so many axes."""
    if isinstance(module, nn.Flatten):
        return module.start_dim % dimensions == 0
    axis = getattr(module, "dim", 1)
    if axis is None:  # PyTorch's own choice for a softmax without an axis
        axis = 0 if dimensions in (0, 1, 3) else 1
    return isinstance(axis, int) and axis % dimensions == 0
