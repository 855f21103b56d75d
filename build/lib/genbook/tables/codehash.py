"""A hash of the code that a result depends on: syntax trees of the modules really used, so that words do not count.

A package's ``__init__`` that re-exports names is a face: a name taken from it leads to the module that defines the
name, and to nothing else of the package. Modules that cannot change a number are left out (`NEUTRAL`).
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Iterable, Iterator
from pathlib import Path

from genbook.base.files import sha256
from genbook.tables.sources import Source, Taken, keep, of, read

_PACKAGE = "genbook"

#: Modules that cannot change a number: they tell how far a computation is, keep and restore its state to the bit,
#: refuse what cannot be computed, and name what was asked (a spec's values are in a table's key themselves).
NEUTRAL = frozenset(
    f"{_PACKAGE}.{name}"
    for name in (
        "base.errors",
        "base.files",
        "base.processes",
        "base.scratch",
        "base.progress",
        "base.spec",
        "training.checkpoint",
        "training.memory",
    )
)


@functools.cache
def source_of(module: str) -> Path | None:
    """The file of ``module`` (dotted name) below the package, or None where there is no such module."""
    root = Path(__file__).parents[1]
    parts = module.split(".")
    if parts[0] != _PACKAGE:
        return None
    path = root.joinpath(*parts[1:])
    if (path / "__init__.py").is_file():
        return path / "__init__.py"
    return path.with_suffix(".py") if path.with_suffix(".py").is_file() else None


def _text(module: str) -> str:
    """The source of a module of the package; raises ModuleNotFoundError where it is none."""
    path = source_of(module)
    if path is None:
        raise ModuleNotFoundError(f"{module} is not a module of {_PACKAGE}")
    return path.read_text(encoding="utf-8")


def _is_face(module: str) -> bool:
    """Whether ``module`` is a package, whose ``__init__`` may re-export what others define."""
    path = source_of(module)
    return path is not None and path.name == "__init__.py"


def _read(module: str) -> Source:
    """What the module's source says; raises ModuleNotFoundError where it is none."""
    return of(module, _text(module))


def _absolute(taken: Taken, module: str) -> str:
    """The dotted name that ``from … import`` in ``module`` takes its names from."""
    if not taken.level:
        return taken.module
    package = module if _is_face(module) else module.rpartition(".")[0]
    return importlib.util.resolve_name("." * taken.level + taken.module, package)


@functools.cache
def _faced(face: str) -> dict[str, tuple[str, str]]:
    """What a face re-exports from other modules: the name, and from which module under which name it comes."""
    found = [(taken, _absolute(taken, face)) for taken in _read(face).taken if taken.outermost]
    return {taken.here: (base, taken.name) for taken, base in found if base != face and source_of(base) is not None}


def _defining(base: str, name: str) -> Iterator[str]:
    """The modules that ``name``, taken from the module ``base``, leads to."""
    if _is_face(base) and name in _faced(base):
        yield from _defining(*_faced(base)[name])
    elif source_of(f"{base}.{name}") is not None:
        yield f"{base}.{name}"
    elif source_of(base) is not None:
        yield base


def _followed(source: Source, module: str) -> Iterator[str]:
    """Dotted names of the package's modules that ``source`` (of ``module``) uses, imported at any depth of nesting."""
    yield from (name for name in source.imported if source_of(name) is not None)
    for taken in source.taken:
        base = _absolute(taken, module)
        for found in _defining(base, taken.name):
            used = source.attributes[taken.here]
            if _is_face(found) and found == f"{base}.{taken.name}" and used is not None:
                for attribute in used:
                    yield from _defining(found, attribute)
            else:
                yield found


def modules_used(*roots: str) -> list[str]:
    """``roots`` and every module of the package that they use, directly or not, in alphabetical order.

    A module's parent packages count only where a name is defined in them or they are used as a whole: their
    re-exports would otherwise tie every result to every module. `NEUTRAL` modules are left out, with what they import.

    Raises:
        ModuleNotFoundError: a root is no module of the package.
    """
    for root in roots:
        _text(root)
    return _closure(roots)


def modules_used_by_code(source: str) -> list[str]:
    """Every module of the package that a program's text (a notebook's cells, say) uses, directly or not."""
    return _closure(_followed(read(source), "__main__"))


def _closure(names: Iterable[str]) -> list[str]:
    seen: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in seen and name not in NEUTRAL:
            seen.add(name)
            waiting.extend(_followed(_read(name), name))
    return sorted(seen)


def hash_of(modules: Iterable[str]) -> str:
    """SHA-256 over names and normalised code of ``modules``."""
    digest = sha256(*(f"{name}\n{_read(name).code}\n".encode() for name in modules))
    keep()
    return digest


@functools.cache
def code_hash(*roots: str) -> str:
    """SHA-256 over the normalised code of ``roots`` and of all modules of the package that they use.

    It is taken once in a process: what Python has imported stays as it is when its file changes.
    """
    return hash_of(modules_used(*roots))
