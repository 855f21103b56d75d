"""A hash of the code that a result depends on: syntax trees, so that comments and docstrings do not count."""

from __future__ import annotations

import ast
import functools
import importlib.util
from pathlib import Path

from genbook.files import sha256

_PACKAGE = "genbook"


@functools.cache
def source_of(module: str) -> Path | None:
    """The file of ``module`` (dotted name) below the package, or None where there is no such module."""
    root = Path(__file__).parent
    parts = module.split(".")
    if parts[0] != _PACKAGE:
        return None
    path = root.joinpath(*parts[1:])
    if (path / "__init__.py").is_file():
        return path / "__init__.py"
    return path.with_suffix(".py") if path.with_suffix(".py").is_file() else None


@functools.cache
def normalised(source: str) -> str:
    """The code of ``source`` without comments, docstrings and layout (the text of its syntax tree)."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        match node.body:
            case [ast.Expr(value=ast.Constant(value=str())), *rest]:
                node.body = rest or [ast.Pass()]
    return ast.unparse(tree)


@functools.cache
def _imported(module: str, source: str) -> frozenset[str]:
    """Dotted names of the package's modules that ``source`` imports, at any depth of nesting."""
    is_package = source_of(module).name == "__init__.py"
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = module if is_package else module.rpartition(".")[0]
                base = importlib.util.resolve_name("." * node.level + base, package)
            found.add(base)
            found.update(f"{base}.{alias.name}" for alias in node.names)
    return frozenset(name for name in found if source_of(name) is not None)


def modules_used(module: str) -> list[str]:
    """``module`` and every module of the package that it imports, directly or not, in alphabetical order.

    A module's parent packages count only where they are imported by name: their ``__init__`` re-exports would
    otherwise tie every result to every module.
    """
    seen: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        path = source_of(name)
        if path is None:
            raise ModuleNotFoundError(f"{name} is not a module of {_PACKAGE}")
        seen.add(name)
        waiting.extend(_imported(name, path.read_text(encoding="utf-8")))
    return sorted(seen)


def code_hash(module: str) -> str:
    """SHA-256 over the normalised code of ``module`` and of all modules of the package that it imports."""
    chunks = (
        f"{name}\n{normalised(source_of(name).read_text(encoding='utf-8'))}\n".encode() for name in modules_used(module)
    )
    return sha256(*chunks)
