"""Initial weights from a NumPy generator, so that they are the same on every device."""

import math

import numpy as np
import torch
from torch import Tensor, nn

_DENSE = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_NORMS = (nn.GroupNorm, nn.LayerNorm, nn.RMSNorm, nn.modules.batchnorm._NormBase)


@torch.no_grad()
def initialise(model: nn.Module, generator: np.random.Generator, scale: float = 1.0) -> nn.Module:
    """Draw the weights of a plain module in place, from PyTorch's default distributions.

    Dense layers and convolutions: weights and biases uniform on ±1/√fan_in, times `scale`; of transposed convolutions,
    PyTorch counts the fan-in along the second axis of the weight. Embeddings: standard normal, times `scale`.
    Normalisation layers: ones and zeros, PReLU: 0.25, both unscaled. Drawn in float64 in the order of the modules, so
    that float32 and float64 networks start from the same point.

    Raises:
        ValueError: if `scale` is negative or not finite.
        TypeError: for a layer with parameters and an unknown distribution.
    """
    if not (math.isfinite(scale) and scale >= 0):
        raise ValueError(f"scale is {scale}; an initialisation scale is finite and not negative")
    for module in model.modules():
        parameters = dict(module.named_parameters(recurse=False))
        if isinstance(module, (*_DENSE, *_TRANSPOSED)):
            bound = scale / math.sqrt(module.weight[0].numel())
            for parameter in parameters.values():
                _fill(parameter, generator.uniform(-bound, bound, tuple(parameter.shape)))
        elif isinstance(module, nn.Embedding):
            _fill(module.weight, scale * generator.standard_normal(tuple(module.weight.shape)))
        elif isinstance(module, (*_NORMS, nn.PReLU)):
            module.reset_parameters()
        elif parameters:
            raise TypeError(f"no initial distribution is known for {type(module).__name__}")
    return model


def _fill(parameter: Tensor, values: np.ndarray) -> None:
    parameter.copy_(torch.from_numpy(values))
