"""Typed parameters of a study: validated, documented, and named by a hash of all of them."""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import json
import re
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import annotated_types
import pydantic

from genbook.base.errors import ForeseenError
from genbook.base.files import sha256


class ParameterError(ForeseenError, ValueError):
    """A parameter, profile, chapter or study that does not exist or does not fit; the message says what would."""

    status = 2


def nearest(name: str, valid: Iterable[str], kind: str) -> str:
    """One sentence: ``name`` is no ``kind``, the nearest valid name, and the list of all."""
    names = list(valid)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"unknown {kind} {name!r}: {hint}valid: {', '.join(names)}"


def parameter(default: Any, meaning: str, unit: str = "", **bounds: Any) -> Any:
    """A documented field of a `Spec`: its default, one line of meaning, the unit ('' for a pure number), and bounds."""
    return pydantic.Field(default=default, description=meaning, json_schema_extra={"unit": unit}, **bounds)


class Spec(pydantic.BaseModel):
    """All parameters of a study. Frozen, strictly typed; an unknown name is an error. Seeds and device are not here."""

    model_config: ClassVar = pydantic.ConfigDict(
        frozen=True, extra="forbid", strict=True, validate_default=True, allow_inf_nan=False
    )

    @pydantic.model_validator(mode="before")
    @classmethod
    def _lists(cls, values: Any) -> Any:
        """Notebooks and JSON know lists where a frozen spec holds tuples."""
        if not isinstance(values, Mapping):
            return values
        tuples = {name for name, field in cls.model_fields.items() if typing.get_origin(field.annotation) is tuple}
        return {
            name: tuple(value) if name in tuples and isinstance(value, list) else value
            for name, value in values.items()
        }

    @classmethod
    def build(cls, /, **values: Any) -> typing.Self:
        """The spec with ``values`` over the defaults; raises `ParameterError` with one line a mistake."""
        for name in values:
            if name not in cls.model_fields:
                raise ParameterError(nearest(name, cls.model_fields, "parameter"))
        try:
            return cls(**values)
        except pydantic.ValidationError as error:
            raise ParameterError("\n".join(cls._explained(mistake) for mistake in error.errors())) from None

    @classmethod
    def _explained(cls, mistake: Mapping[str, Any]) -> str:
        location = mistake["loc"]
        if not location:
            return str(mistake["msg"]).removeprefix("Value error, ")
        name = str(location[0])
        row = next(row for row in cls.described() if row["name"] == name)
        what = str(mistake["msg"]).removeprefix("Value error, ")
        bounds = f", {row['bounds']}" if row["bounds"] else ""
        return f"parameter {name} = {mistake['input']!r}: {what}; want {row['type']}{bounds} ({row['meaning']})"

    @classmethod
    def described(cls) -> list[dict[str, Any]]:
        """A row per parameter: name, type, bounds, default, meaning, unit."""
        rows = []
        for name, field in cls.model_fields.items():
            extra = field.json_schema_extra or {}
            rows.append(
                {
                    "name": name,
                    "type": type_name(field.annotation),
                    "bounds": ", ".join(_bounds(field)),
                    "default": list(field.default) if isinstance(field.default, tuple) else field.default,
                    "meaning": field.description or "",
                    "unit": extra.get("unit", "") if isinstance(extra, dict) else "",
                }
            )
        return rows

    def canonical(self) -> str:
        """All parameters as JSON with sorted names: equal specs give equal text."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))

    def digest(self) -> str:
        """SHA-256 of `canonical`, as 64 hexadecimal digits."""
        return sha256(self.canonical().encode())

    def changed(self, other: Spec | None = None) -> dict[str, Any]:
        """The parameters that differ from ``other`` (by default from the defaults), as plain JSON values."""
        mine = self.model_dump(mode="json")
        base = (other or type(self)()).model_dump(mode="json")
        return {name: value for name, value in mine.items() if value != base.get(name)}


def type_name(annotation: Any) -> str:
    """A type as a reader writes it: ``int``, ``list of float``, ``one of: a, b``."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is tuple:
        return f"list of {type_name(arguments[0])}"
    if origin is typing.Literal:
        return "one of: " + ", ".join(str(choice) for choice in arguments)
    if origin is typing.Annotated:
        return type_name(arguments[0])
    if origin in (typing.Union, types.UnionType):
        return " or ".join(type_name(choice) for choice in arguments)
    return "nothing" if annotation is type(None) else annotation.__name__


def _bounds(field: pydantic.fields.FieldInfo) -> list[str]:
    """The field's bounds in words: '>= 1', '2 to 5 entries', entries' own bounds for lists."""
    signs: tuple[tuple[type, str, str], ...] = ((annotated_types.Ge, "ge", ">="), (annotated_types.Gt, "gt", ">"))
    signs += ((annotated_types.Le, "le", "<="), (annotated_types.Lt, "lt", "<"))

    def of(metadata: Iterable[Any], each: str) -> list[str]:
        words = [
            f"{each}{sign} {getattr(item, attribute):g}"
            for kind, attribute, sign in signs
            for item in metadata
            if isinstance(item, kind)
        ]
        words += [
            f"at least {item.min_length} entries" for item in metadata if isinstance(item, annotated_types.MinLen)
        ]
        words += [f"at most {item.max_length} entries" for item in metadata if isinstance(item, annotated_types.MaxLen)]
        return words

    inner = typing.get_args(field.annotation)[0] if typing.get_origin(field.annotation) is tuple else None
    entries = typing.get_args(inner)[1:] if typing.get_origin(inner) is typing.Annotated else ()
    entry_bounds = [
        item for part in entries for item in (part.metadata if isinstance(part, pydantic.fields.FieldInfo) else [part])
    ]
    return of(field.metadata, "") + of(entry_bounds, "each ")


_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


def read_value(text: str, annotation: Any = None) -> Any:
    """The value that ``text`` from a command line means for a parameter of type ``annotation``.

    Text stays text where the parameter is one; elsewhere numbers, booleans and lists (``[0, 0.5]`` or ``0,0.5``) are
    read. What cannot be read is returned as it is, for the spec's validation to name.
    """
    choices = typing.get_args(annotation) if typing.get_origin(annotation) is typing.Literal else ()
    if annotation is str or (choices and all(isinstance(choice, str) for choice in choices)):
        return text
    if typing.get_origin(annotation) is tuple and not text.lstrip().startswith("["):
        entry = typing.get_args(annotation)[0]
        entry = typing.get_args(entry)[0] if typing.get_origin(entry) is typing.Annotated else entry
        return [read_value(part.strip(), entry) for part in text.split(",")]
    lowered = text.strip().lower()
    if lowered in ("true", "false", "null", "none"):
        return {"true": True, "false": False}.get(lowered)
    with contextlib.suppress(ValueError, RecursionError):
        return json.loads(text)
    # float alone would take 1_000 and the digits of every script.
    return float(text) if _NUMBER.fullmatch(text.strip()) else text


@dataclasses.dataclass(frozen=True)
class Profile:
    """A preset of a study: its parameters, how many seeds, and about how long it takes.

    ``seeds``: number of seeds in each setting. ``parameters``: over the spec's
    defaults. ``seconds``: measured wall time on two cores from an empty store, all settings included. ``judged``: False
    for a profile that only proves that the code runs.
    """

    seeds: int
    parameters: Mapping[str, Any]
    seconds: float
    judged: bool = True
