"""A hash of the code that a result depends on: syntax trees of the modules really used, so that words do not count.

A package's ``__init__`` that re-exports names is a face: a name taken from it leads to the module that defines the
name, and to nothing else of the package. Modules that cannot change a number are left out (`NEUTRAL`).
"""

from __future__ import annotations

import ast
import functools
import importlib.util
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from genbook.base.files import sha256

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


@functools.cache
def normalised(source: str) -> str:
    """The code of ``source`` without comments, docstrings, layout and functions' types: the text of its syntax tree."""
    return ast.unparse(_OnlyNumbers().visit(_OnlyForTypes().visit(ast.parse(source))))


class _OnlyNumbers(ast.NodeTransformer):
    """Takes out docstrings and the types of functions; those of a class's fields stay, which a dataclass reads."""

    _in_function = False

    def visit_Module(self, node: ast.Module) -> ast.AST:
        """A docstring goes."""
        return self._without_docstring(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        """A docstring goes."""
        outside, self._in_function = self._in_function, False
        node = self._without_docstring(node)
        self._in_function = outside
        return node

    def visit_FunctionDef(self, node: Any) -> Any:
        """A docstring goes, and the types of what goes in and comes out."""
        outside, self._in_function = self._in_function, True
        node.returns = None
        node = self._without_docstring(node)
        self._in_function = outside
        return node

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_arg(self, node: ast.arg) -> ast.AST:
        """A parameter without its type."""
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        """In a function an assignment without its type; nothing where nothing is assigned."""
        self.generic_visit(node)
        if not self._in_function:
            return node
        return None if node.value is None else ast.Assign([node.target], node.value, lineno=node.lineno)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST | None:
        """What is imported to name types goes."""
        return None if node.module in ("typing", "collections.abc") else node

    def _without_docstring(self, node: Any) -> Any:
        match node.body:
            case [ast.Expr(value=ast.Constant(value=str())), *rest]:
                node.body = rest
        node = self.generic_visit(node)
        node.body = node.body or [ast.Pass()]
        return node


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


class _OnlyForTypes(ast.NodeTransformer):
    """Takes out what is imported for type checkers alone."""

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt]:
        """Leave of ``if TYPE_CHECKING:`` its else branch."""
        if "TYPE_CHECKING" in ast.unparse(node.test):
            return [self.visit(child) for child in node.orelse]
        return self.generic_visit(node)


@functools.cache
def _tree(source: str) -> ast.Module:
    return _OnlyForTypes().visit(ast.parse(source))


def _absolute(node: ast.ImportFrom, module: str) -> str:
    """The dotted name that ``from … import`` in ``module`` takes its names from."""
    if not node.level:
        return node.module or ""
    package = module if _is_face(module) else module.rpartition(".")[0]
    return importlib.util.resolve_name("." * node.level + (node.module or ""), package)


@functools.cache
def _faced(face: str) -> dict[str, tuple[str, str]]:
    """What a face re-exports from other modules: the name, and from which module under which name it comes."""
    tree = _tree(_text(face))
    return {
        alias.asname or alias.name: (_absolute(node, face), alias.name)
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and source_of(_absolute(node, face)) is not None
        for alias in node.names
        if _absolute(node, face) != face
    }


def _defining(base: str, name: str) -> Iterator[str]:
    """The modules that ``name``, taken from the module ``base``, leads to."""
    if _is_face(base) and name in _faced(base):
        yield from _defining(*_faced(base)[name])
    elif source_of(f"{base}.{name}") is not None:
        yield f"{base}.{name}"
    elif source_of(base) is not None:
        yield base


@functools.cache
def _imported(source: str, module: str) -> frozenset[str]:
    """Dotted names of the package's modules that ``source`` (of ``module``) uses, imported at any depth of nesting."""
    return frozenset(_followed(source, module))


def _followed(source: str, module: str) -> Iterator[str]:
    tree = _tree(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if source_of(alias.name) is not None)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, module)
            for alias in node.names:
                for found in _defining(base, alias.name):
                    if _is_face(found) and found == f"{base}.{alias.name}":
                        yield from _through(found, alias.asname or alias.name, tree)
                    else:
                        yield found


def _through(face: str, name: str, tree: ast.Module) -> Iterator[str]:
    """What ``tree`` uses of the package ``face``, there called ``name``: all of it unless always ``name.attribute``."""
    nodes = list(ast.walk(tree))
    attributes = [(n.value, n.attr) for n in nodes if isinstance(n, ast.Attribute)]
    used = [attribute for value, attribute in attributes if isinstance(value, ast.Name) and value.id == name]
    everywhere = sum(isinstance(node, ast.Name) and node.id == name for node in nodes)
    if len(used) < everywhere or not used:
        yield face
        return
    for attribute in set(used):
        yield from _defining(face, attribute)


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
    return _closure(_imported(source, "__main__"))


def _closure(names: Iterable[str]) -> list[str]:
    seen: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in seen and name not in NEUTRAL:
            seen.add(name)
            waiting.extend(_imported(_text(name), name))
    return sorted(seen)


def hash_of(modules: Iterable[str]) -> str:
    """SHA-256 over names and normalised code of ``modules``."""
    chunks = (f"{name}\n{normalised(_text(name))}\n".encode() for name in modules)
    return sha256(*chunks)


def code_hash(*roots: str) -> str:
    """SHA-256 over the normalised code of ``roots`` and of all modules of the package that they use."""
    return hash_of(modules_used(*roots))
