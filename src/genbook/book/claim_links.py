"""A Sphinx extension: on a chapter's page, the name of one of its claims is a link to the claim's row."""

from __future__ import annotations

from typing import Any

from docutils import nodes

from genbook.figures.html import anchor_of
from genbook.results.chapters import chapters, studies_of


def setup(app: Any) -> dict[str, bool]:
    """What Sphinx calls."""
    app.connect("doctree-resolved", _link_claims)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _link_claims(app: Any, doctree: nodes.document, page: str) -> None:
    """Put a reference around each literal that is a claim's id; `claims.js` shows a card for it."""
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
