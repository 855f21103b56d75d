"""A Sphinx extension that leaves of the style sheets what the book's pages use, and writes the fonts into them.

A rule stays where each of its classes and ids occurs on some page or in some script, which may add it. Rules of
elements, attributes and states all stay. Fonts are written into the sheets because a browser that reads a page from a
file may refuse to load them from beside it.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

#: Names that the theme's scripts put together from parts.
_MADE_BY_SCRIPTS = re.compile(r"bs-|scrolled$|pst-sidebar-hidden$|noprint$")
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_QUOTED = r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\''
_PIECE = re.compile(rf"{_QUOTED}|url\([^)\"']*\)|[{{}};]|[^{{}};\"']+?(?=url\(|[{{}};\"'])|.", re.DOTALL)
_NAME = re.compile(r"(?<![\w\\])[.#]((?:[\w-]|\\.)+)")
#: What is in their brackets may be absent (not) or one of several (is, where, has).
_LOGICAL = re.compile(r":(?:not|is|where|has)\((?:[^()]|\([^()]*\))*\)")
_CONDITIONAL = ("@media", "@supports", "@layer", "@container", "@-moz-document")
_FONT = re.compile(r"url\(\s*[\"']?([^\"')]+\.woff2)[\"']?\s*\)")
#: Of the theme, in whose place the book has its own or nothing.
_REMOVED = (
    "scripts/fontawesome*",
    "scripts/bootstrap*",
    "vendor",
    "locales",
    "**/*.map",
    "images/logo_*",
    "fonts/*.woff2",
)
_REMOVED_FILES = ("doctools.js", "sphinx_highlight.js", "searchtools.js", "language_data.js", "*webpack-macros.html")


def setup(app: Any) -> dict[str, bool]:
    """What Sphinx calls."""
    app.connect("build-finished", _finish, priority=950)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _finish(app: Any, exception: Exception | None) -> None:
    if exception is not None or app.builder.format != "html":
        return
    out = Path(app.outdir)
    names = names_used(out)
    for path in out.glob("_static/**/*.css"):
        css = pruned(path.read_text(encoding="utf-8"), names)
        path.write_text(with_fonts(css, path.parent), encoding="utf-8")
    for pattern in (*_REMOVED, *_REMOVED_FILES):
        for path in list(out.joinpath("_static").glob(pattern)):
            _remove(path)


def _remove(path: Path) -> None:
    for inner in path.iterdir() if path.is_dir() else ():
        _remove(inner)
    if path.is_dir():
        path.rmdir()
    else:
        path.unlink()


def names_used(out: Path) -> set[str]:
    """The classes and ids on the pages below ``out``, and every word of the scripts that some page loads."""
    names, scripts = set(), set()
    for page in out.rglob("*.html"):
        if "_static" not in page.relative_to(out).parts:
            html = page.read_text(encoding="utf-8")
            for _, value in re.findall(r'\b(class|id)="([^"]*)"', html):
                names.update(value.split())
            scripts |= {page.parent / source for source in re.findall(r'<script[^>]*\ssrc="([^"?]*)', html)}
            for inline in re.findall(r"<script[^>]*>(.+?)</script>", html, re.DOTALL):
                names.update(re.findall(r"[\w-]+", inline))
    for script in {script.resolve() for script in scripts}:
        if script.is_file() and "search-data" not in script.name:
            names.update(re.findall(r"[\w-]+", script.read_text(encoding="utf-8")))
    return names


def pruned(css: str, names: set[str]) -> str:
    """Return a style sheet without comments and without rules that apply to none of ``names``."""
    return "".join(_kept(_rules(_COMMENT.sub("", css)), names))


def _rules(css: str) -> Iterator[tuple[str, str | None]]:
    """The statements of a sheet, one after the other: (selector or at-rule, block); None for what has no block."""
    before: list[str] = []
    block: list[str] = []
    depth = 0
    for piece in _PIECE.findall(css):
        if piece == "{":
            depth += 1
            if depth == 1:
                continue
        elif piece == "}":
            depth -= 1
            if depth == 0:
                yield " ".join("".join(before).split()), "".join(block)
                before, block = [], []
                continue
        elif piece == ";" and depth == 0:
            yield " ".join("".join(before).split()), None
            before = []
            continue
        (block if depth else before).append(piece)


def _kept(rules: Iterator[tuple[str, str | None]], names: set[str]) -> Iterator[str]:
    for head, block in rules:
        if block is None:
            yield f"{head};"
        elif head.startswith(_CONDITIONAL):
            if inner := "".join(_kept(_rules(block), names)):
                yield f"{head}{{{inner}}}\n"
        elif head.startswith("@font-face") and "FontAwesome" in block.replace(" ", ""):
            continue
        elif head.startswith("@"):
            yield f"{head}{{{_squeezed(block)}}}\n"
        elif used := [selector for selector in _selectors(head) if _applies(selector, names)]:
            yield f"{','.join(used)}{{{_squeezed(block)}}}\n"


def _selectors(head: str) -> list[str]:
    """The parts of a list of selectors, cut at the commas that stand in no brackets."""
    parts, depth = [""], 0
    for character in head:
        depth += (character in "([") - (character in ")]")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]


def _applies(selector: str, names: set[str]) -> bool:
    plain = re.sub(_QUOTED, "", _LOGICAL.sub("", selector))
    asked = (re.sub(r"\\(.)", r"\1", name) for name in _NAME.findall(plain))
    return all(name in names or _MADE_BY_SCRIPTS.match(name) for name in asked)


def _squeezed(block: str) -> str:
    """Return declarations with single spaces; what is quoted stays."""
    parts = re.split(rf"({_QUOTED}|url\([^)]*\))", block)
    return "".join(part if k % 2 else re.sub(r"\s+", " ", part) for k, part in enumerate(parts)).strip()


def with_fonts(css: str, folder: Path) -> str:
    """Return a style sheet that lay in ``folder`` with the fonts beside it written into it."""

    def inline(found: re.Match[str]) -> str:
        font = folder / found[1]
        if found[1].startswith("data:") or not font.is_file():
            return found[0]
        return f"url(data:font/woff2;base64,{base64.b64encode(font.read_bytes()).decode()})"

    return _FONT.sub(inline, css)
