"""Curvature of the training loss: Hessian-vector products, sharpness, top eigenvalues, trace and spectrum.

Everything works on a plain module (R = 1) and on a stack of replicas, all of whose Hessians are multiplied at once: the
summed loss of a stack has a block-diagonal Hessian, one block a replica.

    >>> hessian = Hessian(model, nn.CrossEntropyLoss(), inputs, targets)
    >>> pairs = top_eigenpairs(hessian, k=3)               # values [R, 3], vectors [R, 3, P]
    >>> later = top_eigenpairs(hessian, k=3, start=pairs.vectors)
    >>> hutchinson_trace(hessian, samples=100).values      # [R]
"""

from genbook.curvature.hessian import Hessian
from genbook.curvature.lanczos import Eigenpairs
from genbook.curvature.spectra import TraceEstimate, hutchinson_trace, sharpness, spectrum, top_eigenpairs

__all__ = ["Eigenpairs", "Hessian", "TraceEstimate", "hutchinson_trace", "sharpness", "spectrum", "top_eigenpairs"]
