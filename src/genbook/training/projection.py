"""The projected update of SGDP and AdamP: no step along a weight whose length the network does not feel.

Where a layer is normalised, its weights w may be scaled without a change of the outputs, so that the gradient is
orthogonal to w. Steps with momentum are not, and lengthen w, which shortens all later steps as seen by the network. Heo
et al. (2021) take the radial part out, of each weight whose gradient is nearly orthogonal to it: by rows, one for each
unit or channel of the outputs, or else as a whole. The momentum itself keeps its radial part.
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, normalize

#: Of the weight decay a projected weight gets this part, as in the authors' program.
DECAY = 0.1


def project(weights: Tensor, gradients: Tensor, updates: Tensor, delta: float) -> Tensor:
    """Take the radial part out of the updates of scale-invariant weights, in place.

    Args:
        weights, gradients, updates: [K, out, ...], of K networks' one weight.
        delta: a weight counts as scale-invariant if |cos(weight, gradient)| is below δ / √(its dimension).

    Returns:
        Which of the K were projected, [K].
    """
    projected = torch.zeros(len(weights), dtype=torch.bool, device=weights.device)
    for rows in (weights.shape[1], 1):
        weight, gradient, update = (t.view(len(weights), rows, -1) for t in (weights, gradients, updates))
        cosine = cosine_similarity(gradient, weight, dim=2).abs().amax(1)
        here = ~projected & (cosine < delta / math.sqrt(weight.shape[2]))
        direction = normalize(weight, dim=2)
        radial = direction * (direction * update).sum(2, keepdim=True)
        update.sub_(torch.where(here.view(-1, 1, 1), radial, 0))
        projected |= here
    return projected
