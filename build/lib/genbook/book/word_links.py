"""A Sphinx extension: names of claims lead to their rows, and the first mention of a word on a page to its meaning."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from docutils import nodes

from genbook.figures.html import anchor_of
from genbook.results.chapters import chapters, studies_of

#: The page of meanings, and what its directive puts before a term's address.
GLOSSARY = "method/glossary"
_PREFIX = "term-"


def terms(text: str) -> dict[str, str]:
    """The words of the page of meanings with what it says of each, from its source."""
    listed = re.search(r"^:::\{glossary\}\n(.*?)^:::$", text, re.MULTILINE | re.DOTALL)
    found: dict[str, list[str]] = {}
    for line in listed[1].splitlines() if listed else ():
        if line and not line.startswith(" "):
            found[line] = []
        elif line.strip():
            list(found.values())[-1].append(line.strip())
    return {term: " ".join(lines) for term, lines in found.items()}


def setup(app: Any) -> dict[str, bool]:
    """What Sphinx calls."""
    app.connect("doctree-resolved", _link_claims)
    app.connect("doctree-resolved", _link_terms)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _link_claims(app: Any, doctree: nodes.document, page: str) -> None:
    """Put a reference around each literal that is the id of a claim of this chapter."""
    folder, _, chapter = page.partition("/")
    if folder != "chapters" or chapter not in chapters():
        return
    anchors = {claim.id: anchor_of(study.name, claim.id) for study in studies_of(chapter) for claim in study.claims}
    for literal in list(doctree.findall(nodes.literal)):
        anchor = anchors.get(literal.astext())
        if anchor is not None and not isinstance(literal.parent, nodes.reference):
            link = nodes.reference("", "", refuri=f"#{anchor}", internal=True, classes=["claim-name"])
            literal.replace_self(link)
            link += literal


def _link_terms(app: Any, doctree: nodes.document, page: str) -> None:
    """Put a reference around the first mention of each word in a page's paragraphs."""
    source = Path(app.srcdir, f"{GLOSSARY}.md")
    if not page.startswith(("chapters/", "method/")) or page == GLOSSARY or not source.is_file():
        return
    waiting = terms(source.read_text(encoding="utf-8"))
    address = app.builder.get_relative_uri(page, GLOSSARY)
    for paragraph in list(doctree.findall(nodes.paragraph)):
        for text in _outside_links(paragraph):
            parts = _parts(str(text), waiting, address)
            if len(parts) > 1:
                paragraph.replace(text, parts)


def _outside_links(paragraph: nodes.Element) -> list[nodes.Text]:
    """The paragraph's own text but for what stands in a link written in HTML: links do not nest."""
    found, within = [], False
    for child in paragraph.children:
        if isinstance(child, nodes.raw):
            opened, closed = child.astext().rfind("<a "), child.astext().rfind("</a>")
            within = opened > closed if max(opened, closed) >= 0 else within
        elif isinstance(child, nodes.Text) and not within:
            found.append(child)
    return found


def _parts(text: str, waiting: dict[str, str], address: str) -> list[nodes.Node]:
    """The text in pieces, a reference around each word that is still waiting for its first mention."""
    if not waiting:
        return [nodes.Text(text)]
    words = "|".join(re.escape(term) for term in sorted(waiting, key=len, reverse=True))
    found = re.search(rf"\b({words})\b", text, re.IGNORECASE)
    if found is None:
        return [nodes.Text(text)]
    term = next(term for term in waiting if term.lower() == found[1].lower())
    del waiting[term]
    anchor = _PREFIX + nodes.make_id(term)
    link = nodes.reference("", "", refuri=f"{address}#{anchor}", internal=True, classes=["term"])
    link += nodes.Text(found[1])
    before = [nodes.Text(text[: found.start()])] if found.start() else []
    after = _parts(text[found.end() :], waiting, address) if found.end() < len(text) else []
    return [*before, link, *after]
