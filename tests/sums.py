"""What is promised of replicas, equality up to the order of sums, and another order of sums to hold it against."""

import torch
from torch.utils._python_dispatch import TorchDispatchMode

# Relative and absolute tolerance of "the same up to the order of sums" at a stable learning rate. Within some hundred
# steps the rounding of one sum grows little: on several processors 2.4e-6 relative and 1.8e-7 absolute were the largest
# differences in float32, whose rounding is 6e-8; the absolute one is for entries near zero, where digits cancel. In
# float64 rounding is 5e8 times smaller, and twelve digits are left.
UP_TO_SUMS = {
    torch.float32: {"rtol": 1e-5, "atol": 1e-6},
    torch.float64: {"rtol": 1e-12, "atol": 1e-12},
}

_FACTORS = {
    torch.ops.aten.mm: (0, 1),
    torch.ops.aten.bmm: (0, 1),
    torch.ops.aten.addmm: (1, 2),
    torch.ops.aten.baddbmm: (1, 2),
}


class AnotherOrderOfSums(TorchDispatchMode):
    """Within it matrix products are summed in an order that depends on their whole shape, as some libraries do.

    So a test of company does not hang on the processor: with other neighbours, or alone, each sum is formed otherwise.
    """

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if (places := _FACTORS.get(func.overloadpacket)) is not None:
            args, (a, b) = list(args), places
            draw = torch.Generator().manual_seed(args[a].numel() + args[b].numel())
            order = torch.randperm(args[a].shape[-1], generator=draw)
            args[a], args[b] = args[a][..., order], args[b][..., order, :]
        return func(*args, **(kwargs or {}))
