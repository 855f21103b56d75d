"""What the cards of papers and words show: a script of data, read when the first card is asked for.

A page that is read from a file may not fetch anything but a script.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from genbook.book.word_links import GLOSSARY, terms
from genbook.figures.html import anchor_of
from genbook.results.verdicts import Row

#: Where it lies, below the pages: what Sphinx copies there lies in this folder of the sources.
FOLDER = "extra"
FILE = "card-data.js"


def card_data(rows: Sequence[Row], book: Path) -> str:
    """The script: papers with their titles and the claims judged after them, words with their meanings.

    ``book``: the folder with the bibliography and the page of words.
    """
    papers = {
        key: {"title": title, "claims": [_claim(row) for row in rows if row.claim.source == key]}
        for key, title in titles(book / "references.bib").items()
    }
    meanings = terms((book / f"{GLOSSARY}.md").read_text(encoding="utf-8"))
    plain = {term: meaning.replace(r"\eta", "η").replace("$", "") for term, meaning in meanings.items()}
    return f"window.genbookCards = {json.dumps({'papers': papers, 'terms': plain}, ensure_ascii=False)};\n"


def _claim(row: Row) -> dict[str, Any]:
    """A claim for a paper's card: what it says, what it came out as where it counts, where it stands."""
    verdict = row.replication.verdict if row.discovery.verdict == "holds" else row.discovery.verdict
    return {
        "statement": re.sub(r"\$([^$]*)\$", r"\1", row.claim.statement),
        "verdict": verdict,
        "setting": "replication" if row.discovery.verdict == "holds" else "discovery",
        "reported": row.claim.reported,
        "address": f"scoreboard.html#{anchor_of(row.request.study.name, row.claim.id)}",
    }


def titles(bibliography: Path) -> dict[str, str]:
    """By key, "Authors, year. Title" of the papers."""
    from pybtex.database import parse_file

    found = {}
    for key, entry in parse_file(bibliography).entries.items():
        people = [" ".join(person.last_names) for person in entry.persons.get("author", [])]
        names = ", ".join(people[:3]) + (" et al." if len(people) > 3 else "")
        text = f"{names}, {entry.fields.get('year', '')}. {entry.fields.get('title', '')}"
        found[key] = re.sub(r"[{}\\]", "", text)
    return found
