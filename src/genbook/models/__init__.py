"""The networks of the chapters, their initial weights, and stacks of replicas.

A network is a plain `nn.Module`; `stack` swaps its layers for ones with a leading replica axis and keeps the names:

    >>> models = [initialise(mlp((40, 64, 10)), generator(seed, "initialisation")) for seed in range(8)]
    >>> replicas = stack(models)          # weights [8, 64, 40], inputs [8, B, 40], outputs [8, B, 10]
    >>> unstack(replicas, 3)              # the plain network of replica 3
"""

from genbook.models import written
from genbook.models.initialise import initialise
from genbook.models.networks import (
    SignedMean,
    SquaredReLU,
    five_layer_cnn,
    freeze,
    linear,
    mlp,
    parameter_count,
    patch_network,
    random_features,
    resnet18,
    small_cnn,
)
from genbook.models.stacked import (
    Folded,
    StackedBatchNorm,
    StackedConv1d,
    StackedConv2d,
    StackedEmbedding,
    StackedGroupNorm,
    StackedLayer,
    StackedLayerNorm,
    StackedLinear,
    replicas_of,
    stack,
    unstack,
)

__all__ = [
    "Folded",
    "SignedMean",
    "SquaredReLU",
    "StackedBatchNorm",
    "StackedConv1d",
    "StackedConv2d",
    "StackedEmbedding",
    "StackedGroupNorm",
    "StackedLayer",
    "StackedLayerNorm",
    "StackedLinear",
    "five_layer_cnn",
    "freeze",
    "initialise",
    "linear",
    "mlp",
    "parameter_count",
    "patch_network",
    "random_features",
    "replicas_of",
    "resnet18",
    "small_cnn",
    "stack",
    "unstack",
    "written",
]
