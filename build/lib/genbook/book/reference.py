"""The library's reference: a page for each public name, with its signature and what its docstring says.

Generating the pages imports the whole library, PyTorch with it. They are kept in the store by a hash of all that they
are generated from, and an unchanged book takes them from there.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import inspect
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from genbook.base.files import content, sha256, store_root, write_text

#: The packages whose names others use, in the order of the pages.
ROOMS = ("gradients", "curvature", "training", "probes", "models", "data")

_WIDTH = 88
_MODULES = re.compile(r"\b(?:torch|collections|typing|genbook|numpy|pandas|pathlib)(?:\.[a-z_]\w*)*\.(?=[A-Za-z])")
_SECTION = re.compile(r"(Args|Attributes|Returns|Yields|Raises):$")
_ITEM = re.compile(r"(\*{0,2}\w+(?:, \*{0,2}\w+)*): (.*)")


def public(room: str) -> dict[str, Any]:
    """The names of a room's ``__all__`` and what they are."""
    module = importlib.import_module(f"genbook.{room}")
    return {name: getattr(module, name) for name in module.__all__}


def place(room: str, name: str) -> str:
    """Where a name's page lies; `Gram` and `gram` are one file where the file system does not tell capitals."""
    return f"reference/{room}/{name}{'-class' if inspect.isclass(public(room)[name]) else ''}"


#: The page that leads to all others.
FIRST = "reference/index"


def listed(places: Iterable[str]) -> dict[str, Any]:
    """What the table of contents says of the reference's `pages`: the first one, under it rooms, under them names."""
    rooms: dict[str, list[dict[str, Any]]] = {}
    for where in places:
        _, room, *name = where.split("/")
        if name:
            rooms[room].append({"file": where})
        elif where != FIRST:
            rooms[room] = []
    sections = [{"file": f"reference/{room}", "sections": names} for room, names in rooms.items()]
    return {"file": FIRST, "sections": sections}


def pages() -> dict[str, str]:
    """By place (without ``.md``), the first page, then each room's with those of its names after it."""
    told = {FIRST: _first()}
    for room in ROOMS:
        told[f"reference/{room}"] = _room(room)
        for name, value in public(room).items():
            told[place(room, name)] = "\n".join(_page(room, name, value))
    return told


def kept_pages() -> dict[str, str]:
    """The `pages`: those in the store, or new ones where a file of this package or a version has changed since."""
    file, key = store_root() / "reference.json", _key()
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        kept = json.loads(file.read_text(encoding="utf-8"))
        if kept["key"] == key:
            return kept["pages"]
    told = pages()
    write_text(file, json.dumps({"key": key, "pages": told}))
    return told


def _key() -> str:
    """A hash of what the pages are generated from: every source of this package and the versions of others."""
    package = Path(__file__).resolve().parents[1]
    versions = [sys.version, *(importlib.metadata.version(name) for name in ("torch", "numpy", "pandas"))]
    return sha256(json.dumps([*versions, content(package.rglob("*.py"), package)]).encode())


def lay_out(folder: Path, told: Mapping[str, str]) -> None:
    """Write the pages below ``folder``."""
    for where, text in told.items():
        write_text(folder / f"{where}.md", text)


def _first() -> str:
    lines = ["# Library reference", "", "What `pip install genbook` gives, package by package.", ""]
    for room in ROOMS:
        about = inspect.getdoc(importlib.import_module(f"genbook.{room}")) or ""
        lines += [
            f"## [genbook.{room}](/reference/{room})",
            "",
            *_prose(about.partition("\n\n")[0], room),
            *_names(room),
            "",
        ]
    return "\n".join(lines)


def _room(room: str) -> str:
    module = importlib.import_module(f"genbook.{room}")
    return "\n".join([f"# genbook.{room}", "", *_prose(inspect.getdoc(module) or "", room), "", *_names(room), ""])


def _names(room: str) -> list[str]:
    """A line for each public name of the room."""
    return [f"- [`{name}`](/{place(room, name)}): {_first_line(value)}" for name, value in public(room).items()]


def _first_line(value: Any) -> str:
    """What a name is, in one line; of a value its type, whose docstring is not its own."""
    about = inspect.getdoc(value) if callable(value) or inspect.ismodule(value) else f"a `{type(value).__name__}`"
    return _escaped(" ".join((about or "").split("\n\n")[0].split()))


def _page(room: str, name: str, value: Any) -> Iterator[str]:
    yield from (f"# {_escaped(name)}", "", "```python", f"from genbook.{room} import {name}", "```", "")
    if inspect.ismodule(value):
        yield from _prose(inspect.getdoc(value) or "", room)
        for function in _functions(value):
            yield from _told(function.__name__, function, room, level=2)
    elif inspect.isclass(value):
        yield from _told(name, value, room)
        for member, found in _members(value):
            yield from _told(member, found, room, level=2)
    elif callable(value):
        yield from _told(name, value, room)
    else:
        entries = value if isinstance(value, dict | tuple | list | frozenset) else [value]
        yield from (f"{_first_line(value)}: {', '.join(f'`{entry}`' for entry in entries)}", "")


def _functions(module: ModuleType) -> list[Any]:
    found = [value for name, value in vars(module).items() if inspect.isfunction(value) and not name.startswith("_")]
    return [function for function in found if function.__module__ == module.__name__]


def _members(kind: type) -> Iterator[tuple[str, Any]]:
    """Public methods and properties that this package defines and documents, those of bases among them."""
    seen: dict[str, Any] = {}
    for base in inspect.getmro(kind):
        if base.__module__.startswith("genbook."):
            for name, value in vars(base).items():
                if not name.startswith("_") or name in ("__matmul__", "__call__"):
                    seen.setdefault(name, value)
    for name, value in seen.items():
        if getattr(value, "__name__", name) != name:  # another name for what is told already
            continue
        if isinstance(value, classmethod | staticmethod):
            value = value.__func__
        if (inspect.isfunction(value) or _is_property(value)) and inspect.getdoc(value):
            yield name, value


def _is_property(value: Any) -> bool:
    return inspect.isdatadescriptor(value) or type(value).__name__ == "cached_property"


def _told(name: str, value: Any, room: str, level: int = 0) -> Iterator[str]:
    """Heading, signature and docstring."""
    if level:
        yield from (f"{'#' * level} {_escaped(name)}", "")
    if not _is_property(value):
        yield from ("```python", _signature(name, value), "```", "")
    yield from _prose(inspect.getdoc(value) or "", room)
    if inspect.isclass(value) and value.__init__.__doc__ and inspect.isfunction(value.__init__):
        said = inspect.getdoc(value.__init__) or ""
        yield from _prose("\n".join(said.splitlines()[1:]).lstrip("\n"), room)


def _signature(name: str, value: Any) -> str:
    """The call in one line, or with a line for each argument where that is too long."""
    try:
        signature = inspect.signature(value)
    except ValueError:
        return f"{name}(...)"
    arguments = [p for p in signature.parameters.values() if p.name != "self"]
    signature = signature.replace(parameters=arguments)
    whole = _short(f"{name}{signature}")
    if len(whole) <= _WIDTH:
        return whole
    words, starred = [], False
    for argument in arguments:
        if argument.kind is argument.KEYWORD_ONLY and not starred:
            words.append("*")
        starred |= argument.kind in (argument.KEYWORD_ONLY, argument.VAR_POSITIONAL)
        words.append(str(argument))
    returned = str(signature).rpartition(") -> ")[2] if signature.return_annotation is not signature.empty else ""
    lines = [f"{name}(", *(f"    {word}," for word in words), f") -> {returned}" if returned else ")"]
    return _short("\n".join(lines))


def _short(text: str) -> str:
    """Types by their last name; strings that stand for types without their quotes."""
    text = re.sub(
        r"\b(?:torch|collections|typing|genbook|numpy|pandas|pathlib)(?:\.[a-z_]\w*)*\.(?=[A-Za-z])", "", text
    )
    return re.sub(r"(: |-> )'([^']+)'", r"\1\2", text)


def _prose(docstring: str, room: str) -> Iterator[str]:
    """A docstring as Markdown: examples fenced, sections as lists, public names as links."""
    lines = docstring.splitlines()
    section = ""
    while lines:
        line = lines.pop(0)
        if _SECTION.match(line):
            section = line
            yield from (f"**{line.removesuffix(':')}**", "")
        elif line.lstrip().startswith(">>>"):
            block = [line]
            while lines and lines[0].strip():
                block.append(lines.pop(0))
            yield from ("```python", *inspect.cleandoc("\n".join(block)).splitlines(), "```")
        elif section and line.startswith("    ") and line[4:5] != " " and section != "Returns:":
            item = _ITEM.match(line.strip())
            yield f"- `{item[1]}`: {_linked(item[2], room)}" if item else f"- {_linked(line.strip(), room)}"
        elif section and line.startswith("    "):
            yield f"  {_linked(line.strip(), room)}" if section != "Returns:" else _linked(line.strip(), room)
        else:
            section = "" if line.strip() else section
            yield _linked(line, room) if not line.startswith("    ") else line
    yield ""


def _linked(text: str, room: str) -> str:
    """Prose with its code as it is, public names in it as links, and nothing in between read as Markdown."""
    parts = re.split(r"(``.+?``|`[^`]+`)", text)
    return "".join(_link(part, room) if index % 2 else _escaped(part) for index, part in enumerate(parts))


def _link(code: str, room: str) -> str:
    name = code.strip("`").removeprefix("genbook.")
    where, _, last = name.rpartition(".")
    where = where or room
    if where in ROOMS and last in public(where):
        return f"[`{code.strip('`')}`](/{place(where, last)})"
    return code


def _escaped(text: str) -> str:
    return re.sub(r"(?<!\\)([*_<>$\[\]{}\\^~])", r"\\\1", text) if "`" not in text else _keeping_code(text)


def _keeping_code(text: str) -> str:
    parts = re.split(r"(``.+?``|`[^`]+`)", text)
    return "".join(part if index % 2 else _escaped(part.replace("`", "'")) for index, part in enumerate(parts))
