"""A graph for machines without CUDA: it notes the operations of a step on the memory they had, and does them again.

As with a graph of CUDA's, what is captured is not done, no Python runs when it is replayed, and what a step said in
numbers stays as it was. So whatever a step reads that is not put into its old place is read wrongly here too.
"""

import contextlib

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

#: Arguments that are written to though the signature does not say so: running statistics.
_WRITTEN_UNSAID = {torch.ops.aten.native_batch_norm: (3, 4)}


class RecordedGraph:
    """In the place of `genbook.training.graphs.CudaGraph`."""

    def __init__(self, made):
        self.replays = 0
        made.append(self)

    def beside(self):
        return contextlib.nullcontext()

    def capture(self, work):
        with _Recorder() as recorder:
            work()
        with torch.no_grad():
            for tensor, before in recorder.before:
                tensor.copy_(before)
        self.operations = recorder.operations

    @torch.no_grad()
    def replay(self):
        self.replays += 1
        for function, args, kwargs, results in self.operations:
            found = function(*args, **kwargs)
            if not function.is_view:
                for old, new in zip(results, tree_leaves(found), strict=True):
                    if isinstance(old, torch.Tensor) and old.data_ptr() != new.data_ptr():
                        old.copy_(new)


class _Recorder(TorchDispatchMode):
    """Does what is asked, notes it, and keeps what was in the tensors that it writes to."""

    def __enter__(self):
        self.operations, self.before = [], []  # the last to be written is the first to be put back
        return super().__enter__()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        unsaid = _WRITTEN_UNSAID.get(function.overloadpacket, ())
        written = [
            value
            for place, argument in enumerate(function._schema.arguments)
            if place in unsaid or (argument.alias_info is not None and argument.alias_info.is_write)
            for value in tree_leaves(args[place] if place < len(args) else kwargs.get(argument.name))
            if isinstance(value, torch.Tensor)
        ]
        self.before = [(tensor, tensor.detach().clone()) for tensor in written] + self.before
        found = function(*args, **kwargs)
        self.operations.append((function, args, kwargs, tree_leaves(found)))
        return found
