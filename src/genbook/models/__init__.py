"""The networks of the chapters, their initial weights, and stacks of replicas.

A network is a plain `nn.Module`; `stack` swaps its layers for ones with a leading replica axis and keeps the names:

    >>> import torch
    >>> from genbook.base.seeding import generator
    >>> models = [initialise(mlp((40, 64, 10)), generator(seed, "initialisation")) for seed in range(8)]
    >>> replicas = stack(models)
    >>> replicas[0].weight.shape, replicas(torch.ones(8, 5, 40)).shape  # inputs [8, B, 40], outputs [8, B, 10]
    (torch.Size([8, 64, 40]), torch.Size([8, 5, 10]))
    >>> unstack(replicas, 3)[0]  # of the plain network of replica 3
    Linear(in_features=40, out_features=64, bias=True)
"""

from genbook.models import written
from genbook.models.dropout import Dropout
from genbook.models.ghost import GhostBatchNorm1d
from genbook.models.initialise import initialise
from genbook.models.networks import (
    SignedMean,
    SquaredReLU,
    cnn1d,
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
from genbook.models.transformer import transformer

__all__ = [
    "Dropout",
    "Folded",
    "GhostBatchNorm1d",
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
    "cnn1d",
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
    "transformer",
    "unstack",
    "written",
]
