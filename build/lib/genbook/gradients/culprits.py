"""What a forward pass does besides computing, and where: random draws, changed tensors, examples that meet."""

import contextlib
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from genbook.gradients.arguments import Arguments
from genbook.gradients.refusals import Refused, called


class Generators:
    """The states of PyTorch's random generators that a model on a device may draw from."""

    def __init__(self, device: torch.device):
        """Note the states."""
        self.device = device if device.type == "cuda" else None
        self.states = self._now()

    def _now(self) -> tuple[Tensor, ...]:
        own = (torch.cuda.get_rng_state(self.device),) if self.device else ()
        return torch.get_rng_state(), *own

    @property
    def moved(self) -> bool:
        """Whether something was drawn since."""
        return not all(a.equal(b) for a, b in zip(self.states, self._now(), strict=True))

    def put_back(self) -> None:
        """As if nothing had been drawn."""
        torch.set_rng_state(self.states[0])
        if self.device:
            torch.cuda.set_rng_state(self.states[1], self.device)


def refuse_draws(
    model: nn.Module, inputs: Arguments, before: Generators, what: str = "a per-example gradient is not defined"
) -> None:
    """Refuse a model or loss that has drawn random numbers since `before`, and put the generators back."""
    if not before.moved:
        return
    before.put_back()
    where: list[str] = []
    starts: dict[str, Generators] = {}

    def begins(name: str, layer: nn.Module) -> None:
        starts[name] = Generators(inputs.device)

    def ends(name: str, layer: nn.Module, output: object) -> None:
        if starts[name].moved:
            where.append(called(name, layer))

    with _on_every_module(model, begins, ends):
        inputs(model)
    before.put_back()
    if not where:
        raise Refused(f"loss draws random numbers, and {what}; switch that off")
    raise Refused(
        f"model has {where[0]} that draws random numbers in its forward pass: every pass is one of another network, "
        f"and {what}; switch it off, as model.eval() does"
    )


def first_difference(
    model: nn.Module, first: Arguments, second: Arguments, alike: Callable[[object, object], bool]
) -> str:
    """The first module whose output for an example differs between two batches, for a message; empty if none does."""
    outputs: list[list[tuple[str, object]]] = []
    for inputs in (first, second):
        found: list[tuple[str, object]] = []
        keep = lambda name, layer, output, found=found: found.append((called(name, layer), output))  # noqa: E731
        with _on_every_module(model, lambda name, layer: None, keep):
            inputs(model)
        outputs.append(found)
    for (name, output), (other, again) in zip(*outputs, strict=False):
        if name != other or (isinstance(output, Tensor) and not alike(output, again)):
            return name
    return ""


@contextlib.contextmanager
def _on_every_module(model: nn.Module, begins: Callable, ends: Callable) -> Iterator[None]:
    """Call `begins` with a name and module before its forward pass, `ends` with the output too after it."""
    handles = []
    for name, module in model.named_modules():
        handles.append(module.register_forward_pre_hook(lambda m, _, name=name: begins(name, m)))
        handles.append(module.register_forward_hook(lambda m, _, output, name=name: ends(name, m, output)))
    try:
        with torch.enable_grad():
            yield
    finally:
        for handle in handles:
            handle.remove()


@contextlib.contextmanager
def unchanged(model: nn.Module) -> Iterator[None]:
    """Refuse a model whose parameters or buffers change inside; buffers are put back."""
    tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    versions = {name: tensor._version for name, tensor in tensors.items() if not tensor.is_inference()}
    copies = {name: buffer.clone() for name, buffer in model.named_buffers()}
    changed: list[str] = []
    try:
        yield
    finally:
        now = {**tensors, **dict(model.named_buffers())}
        changed += [name for name, version in versions.items() if tensors[name]._version != version]
        changed += [name for name, copy in copies.items() if not _same(now[name], copy)]
        with torch.no_grad():
            for name in copies.keys() & changed:
                now[name].copy_(copies[name])
    if changed:
        kind = "buffer" if changed[0] in copies else "parameter"
        raise Refused(
            f"model changes its {kind} {changed[0]} in its forward pass, so that no two passes are of one network; "
            "call model.eval() first, or switch that off"
        )


def _same(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and a.dtype == b.dtype and bool(((a == b) | ((a != a) & (b != b))).all())
