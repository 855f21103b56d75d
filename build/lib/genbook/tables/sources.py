"""What a module's source says: its code without words, what it imports, and what it uses of that.

Reading all modules takes seconds, so it is kept in the store, in one file, by the module's name and under the hash of
its text, of this file and of Python's version: a text that differs by one character is read anew.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

from genbook.base.files import sha256, store_root, write_text


class Taken(NamedTuple):
    """One name of a ``from … import``: dots before the module's name, that name, the name in it and the one here."""

    level: int
    module: str
    name: str
    here: str
    outermost: bool
    """Whether it stands in the module's body, and in no function or branch."""


class Source(NamedTuple):
    """What is read off a text; what is imported for type checkers alone is left out."""

    code: str
    """The code without comments, docstrings, layout and functions' types: the text of its syntax tree."""
    imported: tuple[str, ...]
    """Dotted names after ``import``, at any depth of nesting."""
    taken: tuple[Taken, ...]
    attributes: dict[str, tuple[str, ...] | None]
    """By name taken from elsewhere, its attributes that are used; None where it is used otherwise, or not at all."""


@functools.cache
def read(text: str) -> Source:
    """Parse ``text``; raises SyntaxError for what is no Python."""
    tree = _OnlyForTypes().visit(ast.parse(text))
    nodes = list(ast.walk(tree))
    imported = tuple(alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names)
    outermost = set(map(id, tree.body))
    taken = tuple(
        Taken(node.level, node.module or "", alias.name, alias.asname or alias.name, id(node) in outermost)
        for node in nodes
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    )
    attributes = _attributes(nodes, {name.here for name in taken})
    return Source(ast.unparse(_OnlyNumbers().visit(tree)), imported, taken, attributes)


def _attributes(nodes: list[ast.AST], names: set[str]) -> dict[str, tuple[str, ...] | None]:
    """Of each name the attributes that are used; None unless it always stands before a dot."""
    everywhere = [node.id for node in nodes if isinstance(node, ast.Name) and node.id in names]
    dotted = [
        (node.value.id, node.attr)
        for node in nodes
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in names
    ]
    used: dict[str, tuple[str, ...] | None] = {}
    for name in names:
        found = [attribute for value, attribute in dotted if value == name]
        used[name] = tuple(sorted(set(found))) if found and len(found) == everywhere.count(name) else None
    return used


class _OnlyForTypes(ast.NodeTransformer):
    """Takes out what is imported for type checkers alone."""

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt]:
        """Leave of ``if TYPE_CHECKING:`` its else branch."""
        if "TYPE_CHECKING" in ast.unparse(node.test):
            return [self.visit(child) for child in node.orelse]
        return self.generic_visit(node)


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


#: What this process knows, by hash; and what of it no file had.
_known: dict[str, Source] = {}
_new: dict[str, str] = {}


def of(module: str, text: str) -> Source:
    """What ``text``, the module's source, says: as it was kept, or read."""
    digest = _digest(text)
    if digest not in _known:
        _load(_file())
    if digest not in _known:
        _known[digest] = read(text)
        _new[module] = digest
    return _known[digest]


def keep() -> None:
    """Keep in the store, where there is one, what this process had to read; one that takes no file goes without."""
    if _new and store_root().is_dir():
        kept = _kept(_file()) | {module: [digest, _known[digest]] for module, digest in _new.items()}
        _new.clear()
        with contextlib.suppress(OSError):
            write_text(_file(), json.dumps(kept))


@functools.cache
def _digest(text: str) -> str:
    return sha256(_reader(), text.encode())


@functools.cache
def _reader() -> bytes:
    return sha256(Path(__file__).read_bytes(), sys.version.encode()).encode()


def _file() -> Path:
    return store_root() / "sources.json"


@functools.cache
def _load(file: Path) -> None:
    """Know what the file holds."""
    with contextlib.suppress(TypeError, ValueError):
        _known.update({digest: _restored(*said) for digest, said in _kept(file).values()})


def _kept(file: Path) -> dict[str, Any]:
    """By module, the hash and what was read; empty where there is no file, or one that is not as it was written."""
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {}


def _restored(code: str, imported: list[str], taken: list[Any], attributes: dict[str, list[str] | None]) -> Source:
    used = {name: None if found is None else tuple(found) for name, found in attributes.items()}
    return Source(code, tuple(imported), tuple(Taken(*name) for name in taken), used)
