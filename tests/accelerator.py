"""A pretended accelerator, for machines without one.

Its tensors lie in the CPU's memory and say that they are on `DEVICE`. They refuse to be mixed with the CPU's as CUDA's
do, and every kernel that an accelerator would launch and every wait for its result is counted, with the line of genbook
that asked for it. What it cannot see: rounding (TF32, atomics), argument checks of real kernels, ``torch.cuda`` itself.

``python -m tests.accelerator`` runs every study with all its settings on it and compares with the CPU (minutes).
"""

import sys
import time
from collections import Counter

import pandas as pd
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

from genbook import studies
from genbook.results.requests import Request

_NAME = "elsewhere"
_setup_privateuseone_for_python_backend(_NAME)
DEVICE = torch.device(f"{_NAME}:0")

_aten = torch.ops.aten
#: The host waits for what they return, or for its shape.
_WAITS = {
    *(_aten._local_scalar_dense, _aten.item, _aten.is_nonzero, _aten.nonzero, _aten.equal, _aten.allclose),
    *(_aten.masked_select, _aten._unique2, _aten.unique_dim, _aten.bincount),
}
#: CUDA too takes tensors of the CPU here.
_MIXES = {_aten.copy_, _aten._to_copy, _aten.index, _aten.index_put_, _aten._index_put_impl_, _aten.set_}
#: No kernel is launched for them, besides what PyTorch knows to be a view.
_VIEWS = {_aten.detach, _aten.alias, _aten.lift_fresh, _aten._unsafe_view, _aten._reshape_alias}


class _Event:
    """What has been launched before `record` takes a while: to ask for it before anything else was is a wait."""

    def __init__(self, device):
        self.before = 0

    def record(self):
        self.before = Accelerator.running.launches.total()

    def synchronize(self):
        if Accelerator.running.launches.total() == self.before:
            Accelerator.running.waits[_line(), "synchronize"] += 1


class _Elsewhere(torch.Tensor):
    """A tensor that holds one of the CPU and says that it is on `DEVICE`."""

    @staticmethod
    def __new__(cls, held):
        strides, offset = held.stride(), held.storage_offset()
        tensor = torch.Tensor._make_wrapper_subclass(
            cls, held.shape, strides=strides, dtype=held.dtype, device=DEVICE, storage_offset=offset
        )
        tensor.held = held
        return tensor

    def __deepcopy__(self, memo):
        tensor = _Elsewhere(self.held.detach().clone()).requires_grad_(self.requires_grad)
        if getattr(self, "_is_param", False):
            tensor._is_param = True
        return memo.setdefault(id(self), tensor)

    def __repr__(self):
        return f"on {DEVICE}: {self.held}"

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        if function == torch.Tensor.data.__set__:  # the engine's parameters become views of one vector
            args[0].held = args[1].held
        if function == torch.Tensor.data_ptr:
            return args[0].held.data_ptr()
        if function == torch.Tensor.tolist:
            return args[0].cpu().tolist()
        if function == torch.Tensor.__getitem__:  # PyTorch would put a list on the device without asking us
            index = args[1] if isinstance(args[1], tuple) else (args[1],)
            args = args[0], tuple(torch.tensor(part) if isinstance(part, list) else part for part in index)
        with torch._C.DisableTorchFunctionSubclass():
            return function(*args, **(kwargs or {}))

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        return _dispatch(function, args, kwargs or {})


class Accelerator(TorchDispatchMode):
    """In its block `DEVICE` can be used; ``launches`` and ``waits`` count by the line of genbook and the operation."""

    #: The one in whose block we are: a tensor's own dispatch does not say.
    running = None

    def __enter__(self):
        self.launches, self.waits = Counter(), Counter()
        Accelerator.running, self.event, torch.Event = self, torch.Event, _Event
        torch._C._set_only_lift_cpu_tensors(True)
        return super().__enter__()

    def __exit__(self, *raised):
        torch._C._set_only_lift_cpu_tensors(False)
        Accelerator.running, torch.Event = None, self.event
        return super().__exit__(*raised)

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        return _dispatch(function, args, kwargs or {})


def _line():
    """The innermost line of genbook on the stack."""
    frame = sys._getframe(2)
    while frame is not None and "/genbook/" not in frame.f_code.co_filename:
        frame = frame.f_back
    return "?" if frame is None else f"{frame.f_code.co_filename.rpartition('/genbook/')[2]}:{frame.f_lineno}"


def _dispatch(function, args, kwargs):
    """Run an operation on the held tensors, counted; refuse what mixes devices."""
    packet = function.overloadpacket
    if packet is _aten._pin_memory:
        pinned = args[0].clone()
        pinned.is_pinned_here = True  # the device copies from it and to it while the host goes on
        return pinned
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
    ours = [tensor for tensor in tensors if isinstance(tensor, _Elsewhere)]
    others = [tensor for tensor in tensors if not isinstance(tensor, _Elsewhere) and tensor.dim() > 0]
    if ours and others and packet not in _MIXES:
        shape = tuple(others[0].shape)
        raise RuntimeError(f"{function}: tensors on {DEVICE} and on {others[0].device}, of shape {shape}, at {_line()}")
    named = kwargs.get("device")
    away = bool(ours) if named is None else torch.device(named).type == _NAME
    if packet is _aten.copy_:
        away = isinstance(args[0], _Elsewhere)
    if Accelerator.running is not None and (ours or away):
        _count(Accelerator.running, function, args, kwargs, ours, tensors, away)

    def held(leaf):
        if isinstance(leaf, torch.device) and leaf.type == _NAME:
            return torch.device("cpu")
        return leaf.held if isinstance(leaf, _Elsewhere) else leaf

    known = {id(tensor.held): tensor for tensor in ours}

    def ours_again(leaf):
        if id(leaf) in known:
            return known[id(leaf)]
        made = isinstance(leaf, torch.Tensor) and not isinstance(leaf, _Elsewhere)
        return _Elsewhere(leaf) if made and away else leaf

    return tree_map(ours_again, function(*tree_map(held, args), **tree_map(held, kwargs)))


def _count(counted, function, args, kwargs, ours, tensors, away):
    packet = function.overloadpacket
    where = _line(), str(packet)
    if not (function.is_view or packet in _VIEWS or "empty" in str(packet)):
        counted.launches[where] += 1
    crosses = (packet is _aten.copy_ and len(ours) == 1) or (
        packet is _aten._to_copy and tensors and away != bool(ours)
    )
    masked = packet is _aten.index and any(t.dtype in (torch.bool, torch.uint8) for t in tensors[1:])
    hosts = [tensor for tensor in tensors if not isinstance(tensor, _Elsewhere)]
    if crosses and (kwargs.get("non_blocking") or args[2:] == (True,)):
        crosses = not all(hasattr(tensor, "is_pinned_here") for tensor in hosts)
    if (ours and (packet in _WAITS or masked)) or crosses:
        counted.waits[where] += 1


def settings_that_differ(study, seeds=(0, 1), only=()):
    """The settings of a study's smoke profile whose tables are not the CPU's, with what is different."""
    settings = Request.build(study, "smoke", {"seeds": list(seeds)}).settings()
    found = []
    for setting in settings:
        if only and setting.name not in only:
            continue
        expected = study.run(setting.spec, setting.seeds, "cpu")
        try:
            with Accelerator():
                table = study.run(setting.spec, setting.seeds, str(DEVICE))
            pd.testing.assert_frame_equal(table, expected, rtol=1e-6)
        except (AssertionError, RuntimeError, TypeError) as error:
            found.append(f"{study.name}, {setting.name}: {error}")
    return found


def main():
    """Say of each study whether its tables are the CPU's in all settings; 1 where one is not."""
    red = 0
    for name in sys.argv[1:] or studies.names():
        start = time.monotonic()
        differ = settings_that_differ(studies.get(name))
        red += bool(differ)
        print(
            f"{'RED  ' if differ else 'green'} {time.monotonic() - start:4.0f} s  {name}", *differ, sep="\n", flush=True
        )
    return 1 if red else 0


if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.exit(main())
