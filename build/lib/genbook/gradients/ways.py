"""The ways in which an operation may use a parameter beside examples: which one it is, and the gradients it gives."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional

from genbook.gradients import fallback
from genbook.gradients.forms import Explicit, Form, Outer, OuterSum, Rows
from genbook.gradients.operations import Operation, Use
from genbook.gradients.places import Place

STRETCHING = frozenset(
    f"{before}{name}{after}"
    for name in ("add", "sub", "mul", "div", "truediv", "true_divide", "maximum", "minimum", "pow")
    for before, after in (("", ""), ("", "_"), ("__", "__"), ("__r", "__"), ("__i", "__"))
) | {"where", "expand", "expand_as", "broadcast_to", "lerp", "addcmul", "scaled_dot_product_attention"}
"""Functions that stretch their arguments over each other's axes, the last axes one over another."""


def _stretches(operation: Operation, use: Use, output: Tensor) -> bool:
    attention = operation.name == "scaled_dot_product_attention"
    if operation.name not in STRETCHING or (attention and use.output.axis >= output.dim() - 2):
        return False
    return all(_open_axis(source.tensor, use.output.axis, output.dim()) for source in operation.sources.values())


def _open_axis(tensor: Tensor, axis: int, axes: int) -> bool:
    """Whether a tensor is stretched along an axis of an output with so many axes."""
    own = axis - axes + tensor.dim()
    return tensor.dim() <= axes and (own < 0 or tensor.shape[own] == 1)


def copies(source: Tensor, place: Place, axes: int, m: int) -> Tensor:
    """One copy of a source for each example, along the axis that the output has them on; takes no memory."""
    shape = [1] * (axes - source.dim()) + list(source.shape)
    view = source.reshape(shape)
    shape[place.axis] = place.length(m)
    return view.expand(shape)


def of_copies(gradient: Tensor, place: Place, source: Tensor, m: int) -> Form:
    """The gradients per example from those of the copies."""
    each = place.front(gradient, m)
    if not place.alone:
        each = each.sum((place.axis + 1, place.axis + 2))
    return fallback.written(each.reshape(1, m, *source.shape), source.shape)


def _dense_operands(operation: Operation) -> tuple[Tensor, Tensor, Tensor | None, bool] | None:
    """Inputs, weight, bias, and whether the weight is [p, q]; None for what is no dense layer."""
    arguments, keywords = operation.arguments, operation.keywords
    if operation.function is functional.linear:
        x, weight, bias = (*arguments, *[keywords.get(k) for k in ("input", "weight", "bias")[len(arguments) :]])
        return x, weight, bias, False
    if operation.name == "addmm" and len(arguments) == 3 and not keywords:
        return arguments[1], arguments[2], arguments[0], True
    if operation.name in ("matmul", "__matmul__", "mm") and len(arguments) == 2 and not keywords:
        return arguments[0], arguments[1], None, True
    return None


def _is_dense(operation: Operation, use: Use, output: Tensor) -> bool:
    operands = _dense_operands(operation)
    if operands is None:
        return False
    x, weight, bias, _ = operands
    place = dict(zip(map(id, operation.given), use.given, strict=True)).get(id(x))
    return (
        weight.dim() == 2
        and (bias is None or bias.dim() == 1)
        and id(x) not in operation.sources
        and isinstance(place, Place)
        and place == use.output
        and place.axis < x.dim() - 1
    )


def _is_embedding(operation: Operation, use: Use, output: Tensor) -> bool:
    return (
        operation.name == "embedding"
        and list(map(id, operation.arguments[:1])) == list(operation.sources)
        and len(operation.arguments) == 5
        and not operation.arguments[3]
        and isinstance(use.given[1], Place)
    )


def _is_repeated(operation: Operation, use: Use, output: Tensor) -> bool:
    """A source that is copied for each example, and along no other axis."""
    place, tensor = use.output, operation.given[0]
    shape = list(output.shape)
    shape[place.axis] = 1
    return operation.name == "repeat" and [1] * (output.dim() - tensor.dim()) + list(tensor.shape) == shape


def _by_torch_func(operation: Operation, use: Use, output: Tensor) -> bool:
    return output.is_floating_point() and any(isinstance(place, Place) for place in use.given)


WAYS = {
    "stretched": _stretches,
    "dense": _is_dense,
    "embedding": _is_embedding,
    "repeated": _is_repeated,
    "each": _by_torch_func,
}


def _of_dense(operation: Operation, use: Use, given: Sequence[Tensor], b: Tensor, m: int) -> dict[int, Form]:
    _, weight, bias, transposed = _dense_operands(operation)
    (x,) = given
    a, b = use.output.front(x, m).unsqueeze(0), use.output.front(b, m).unsqueeze(0)
    a, b = a.flatten(2, -2) if a.dim() > 3 else a.unsqueeze(2), b.flatten(2, -2) if b.dim() > 3 else b.unsqueeze(2)
    forms: dict[int, Form] = {}
    if bias is not None and id(bias) in operation.sources:
        forms[id(bias)] = Explicit(b.sum(2) if b.shape[2] > 1 else b[:, :, 0], bias.shape)
    if id(weight) in operation.sources:
        if transposed:
            a, b = b, a
        one = a.shape[2] == 1
        forms[id(weight)] = (
            Outer(a[:, :, 0], b[:, :, 0]) if one else OuterSum(a.unsqueeze(2), b.unsqueeze(2), weight.shape)
        )
    return forms


def _of_embedding(operation: Operation, use: Use, given: Sequence[Tensor], b: Tensor, m: int) -> dict[int, Form]:
    weight, padding = operation.arguments[0], operation.arguments[2]
    indices = use.given[1].front(given[0], m).reshape(1, m, -1)
    b = use.output.front(b, m).reshape(1, m, -1, b.shape[-1])
    if padding >= 0:
        b = b * (indices != padding).unsqueeze(-1)
    return {id(weight): Rows(indices, b, len(weight))}


def _of_repeated(operation: Operation, use: Use, given: Sequence[Tensor], b: Tensor, m: int) -> dict[int, Form]:
    (source,) = operation.sources.values()
    return {id(source.tensor): of_copies(b, use.output, source.tensor, m)}


def _of_each(operation: Operation, use: Use, given: Sequence[Tensor], b: Tensor, m: int) -> dict[int, Form]:
    places = {id(t): place for t, place in zip(operation.given, use.given, strict=True) if isinstance(place, Place)}
    now = dict(zip(places, given, strict=True))
    sources = {key: source.tensor.detach() for key, source in operation.sources.items()}

    def output(sources: dict[int, Tensor], examples: dict[int, Tensor]) -> Tensor:
        def replaced(tensor: Tensor) -> Tensor:
            if id(tensor) in examples:
                return places[id(tensor)].back(examples[id(tensor)])
            return sources[id(tensor)] if id(tensor) in sources else tensor.detach()

        return operation.run(replaced)

    rows = {key: place.front(now[key], m) for key, place in places.items()}
    found = fallback.of_function(output, sources, rows, use.output.front(b, m), use.output)
    return {key: fallback.written(g.unsqueeze(0), sources[key].shape) for key, g in found.items()}


_FORMS = {"dense": _of_dense, "embedding": _of_embedding, "repeated": _of_repeated, "each": _of_each}


def needed(operation: Operation, use: Use) -> list[Tensor]:
    """The tensors with examples that the backward pass needs, each once."""
    if use.how == "dense":
        return [_dense_operands(operation)[0]]
    places = zip(operation.given, use.given, strict=True)
    return list({id(t): t for t, place in places if isinstance(place, Place)}.values())


def formed(operation: Operation, use: Use, given: Sequence[Tensor], b: Tensor, m: int) -> list[dict[str, Form]]:
    """The gradients of the parameters by source, from the gradients b of the output."""
    forms = _FORMS[use.how](operation, use, given, b, m)
    return [operation.sources[key].pulled(form) for key, form in forms.items()]
