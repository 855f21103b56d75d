"""A Sphinx extension that writes what the search page searches in: every section, claim, figure and paper, as text.

It is a script that sets one variable, ``search-data.js``: a page that is read from a file may not fetch anything else.
"""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

#: Where it lies, below the pages.
FILE = "search-data.js"
#: Not prose: programs, what the reader does not see, what stands under each figure.
_LEFT_OUT_TAGS = {"script", "style", "pre", "nav", "button", "annotation"}
_LEFT_OUT_CLASSES = {"headerlink", "legend", "eqno", "visually-hidden", "above-input"}
_VOID = {"img", "br", "hr", "input", "meta", "link", "col", "wbr", "source", "mspace"}
_HEADINGS = {"h1", "h2", "h3", "h4"}
#: Inside a word they do not end it.
_INLINE = {
    "span",
    "a",
    "em",
    "strong",
    "b",
    "i",
    "sub",
    "sup",
    "code",
    "math",
    "mi",
    "mo",
    "mn",
    "mrow",
    "msub",
    "msup",
}
#: On the page of all claims each has its row; the chapter that tells it is what a search finds.
_ROWS_ELSEWHERE = {"scoreboard.html"}


class _Sections(HTMLParser):
    """The parts of one page that a link can lead to: (anchor, title, text)."""

    def __init__(self, rows: bool) -> None:
        super().__init__()
        self.rows = rows
        self.title = ""
        self.entries: list[dict[str, str]] = []
        self.open: list[tuple[str, dict[str, str] | None, bool]] = []  # tag, entry that it began, whether left out

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        named = {name: value or "" for name, value in attributes}
        classes = set(named.get("class", "").split())
        inside = any(tag == "article" for tag, *_ in self.open)
        left_out = tag in _LEFT_OUT_TAGS or bool(classes & _LEFT_OUT_CLASSES) or (tag == "tbody" and not self.rows)
        entry = None
        if inside and _is_target(tag, classes, named.get("id", "")):
            entry = {"anchor": named["id"], "title": "", "text": ""}
            self.entries.append(entry)
        if tag not in _INLINE:
            self._add(" ")
        if tag not in _VOID:
            self.open.append((tag, entry, left_out))

    def handle_endtag(self, tag: str) -> None:
        while self.open and tag not in _VOID:
            if self.open.pop()[0] == tag:
                break
        if tag not in _INLINE:
            self._add(" ")

    def handle_data(self, data: str) -> None:
        if any(tag == "article" for tag, *_ in self.open) and not any(out for *_, out in self.open):
            self._add(data)

    def _add(self, text: str) -> None:
        entry = next((entry for _, entry, _ in reversed(self.open) if entry is not None), None)
        if entry is not None:
            heading = any(tag in _HEADINGS | {"dt"} for tag, *_ in self.open)
            entry["title" if heading else "text"] += text


def _is_target(tag: str, classes: set[str], anchor: str) -> bool:
    """Whether it is something that a reader looks for by itself."""
    kinds = tag in ("section", "figure") or (tag == "dt" and "sig" in classes) or "citation" in classes
    return bool(anchor) and (kinds or anchor.startswith("claim-"))


def sections(html: str, rows: bool = True) -> list[tuple[str, str, str]]:
    """Return the parts of a page that have an anchor: (anchor, title, text); ``rows``: of its tables, too."""
    parser = _Sections(rows)
    parser.feed(html)
    found = [
        (entry["anchor"], *(" ".join(entry[key].split()) for key in ("title", "text"))) for entry in parser.entries
    ]
    return [(anchor, title or _title(anchor, text), text) for anchor, title, text in found if title or text]


def _title(anchor: str, text: str) -> str:
    """The name of what has no heading: a claim its sentence, a figure its number, a paper its authors."""
    if anchor.startswith("fig-") and (number := re.match(r"Fig\. \d+", text)):
        return number[0]
    return text.partition(". ")[0][:90]


def setup(app: Any) -> dict[str, bool]:
    """What Sphinx calls."""
    app.connect("build-finished", _write, priority=940)  # before the style sheets are pruned: they know its words
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _write(app: Any, exception: Exception | None) -> None:
    if exception is not None or app.builder.format != "html":
        return
    out, rows = Path(app.outdir), []
    for name in sorted(app.env.found_docs):
        page = f"{name}.html"
        html = (out / page).read_text(encoding="utf-8")
        found = sections(html, rows=page not in _ROWS_ELSEWHERE)
        rows += [[page, anchor, found[0][1], title, text] for anchor, title, text in found]
    data = json.dumps(rows, ensure_ascii=False, separators=(",", ":"))
    (out / FILE).write_text(f"window.bookSections = {data};\n", encoding="utf-8")
