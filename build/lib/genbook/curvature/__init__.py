"""Curvature of the training loss: Hessian-vector products, sharpness, top eigenvalues, trace and spectrum.

Everything works on a plain module (R = 1) and on a stack of replicas, all of whose Hessians are multiplied at once: the
summed loss of a stack has a block-diagonal Hessian, one block a replica.

    >>> import torch
    >>> from torch import nn
    >>> model, inputs, targets = nn.Linear(20, 10), torch.randn(64, 20), torch.randint(10, (64,))
    >>> hessian = Hessian(model, nn.CrossEntropyLoss(), inputs, targets)
    >>> pairs = top_eigenpairs(hessian, k=3)
    >>> pairs.values.shape, pairs.vectors.shape  # [R, 3] and [R, 3, P]
    (torch.Size([1, 3]), torch.Size([1, 3, 210]))
    >>> later = top_eigenpairs(hessian, k=3, start=pairs.vectors)
    >>> bool(later.values[0, 0] < hutchinson_trace(hessian, samples=100).values[0])
    True
"""

from genbook.curvature.hessian import Hessian
from genbook.curvature.lanczos import Eigenpairs
from genbook.curvature.spectra import (
    TraceEstimate,
    batch_sharpness,
    hutchinson_trace,
    sharpness,
    spectrum,
    top_eigenpairs,
)

__all__ = [
    "Eigenpairs",
    "Hessian",
    "TraceEstimate",
    "batch_sharpness",
    "hutchinson_trace",
    "sharpness",
    "spectrum",
    "top_eigenpairs",
]
