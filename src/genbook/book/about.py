"""What the repository says of itself to programs: ``codemeta.json`` and ``codecheck.yml``, made of what it says once.

Title, version, authors and licence stand in ``pyproject.toml`` and ``CITATION.cff``, chapters in ``book/chapters.yml``.

    python -m genbook.book.about

writes both files anew.
"""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import yaml

from genbook.base.files import repository, write_text
from genbook.book.crate import RECORD
from genbook.results.chapters import entries

#: Where `make book` puts the pages, as seen from the repository's root.
_PAGES = "book/_build/html"

_CODECHECK_HEAD = """\
# For whoever wants to certify that this book can be reproduced (https://codecheck.org.uk). Written by
# python -m genbook.book.about. `make book` gives all of the manifest, in minutes and without a GPU, and
# `genbook verify --all --checksums` holds its tables to their checksums. Codechecker, certificate, summary and report
# are for the codechecker to fill in; the book's reference and its authors' ORCIDs, for whoever publishes it.
"""


def codemeta(root: Path) -> dict[str, Any]:
    """The software in the terms of CodeMeta 3."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    cited = yaml.safe_load((root / "CITATION.cff").read_text(encoding="utf-8"))
    config = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))
    address = config["sphinx"]["config"]["book_repository"]
    return {
        "@context": "https://w3id.org/codemeta/3.0",
        "@type": "SoftwareSourceCode",
        "name": project["name"],
        "description": project["description"],
        "version": project["version"],
        "license": f"https://spdx.org/licenses/{project['license']}",
        "author": [{"@type": "Organization", "name": author["name"]} for author in cited["authors"]],
        "keywords": project["keywords"],
        **({"codeRepository": address} if address else {}),
        "programmingLanguage": "Python",
        "runtimePlatform": f"Python {project['requires-python']}",
        "operatingSystem": ["Linux", "macOS"],
        "developmentStatus": "active",
        "softwareRequirements": [
            {"@type": "SoftwareApplication", "name": name, "softwareVersion": bounds}
            for name, bounds in re.findall(r"^([\w.-]+)(.*)$", "\n".join(project["dependencies"]), re.MULTILINE)
        ],
    }


def codecheck(root: Path) -> dict[str, Any]:
    """The configuration of a CODECHECK: of what, by whom, and the files that must come out again."""
    cited = yaml.safe_load((root / "CITATION.cff").read_text(encoding="utf-8"))
    pages = {
        "index.html": "the first page: every chapter's question and answer",
        **{f"chapters/{entry.name}.html": f"chapter {entry.name[:2]}: {entry.title}" for entry in entries()},
        "scoreboard.html": "every claim with its verdicts in discovery, replication and control",
        RECORD: "every table beside the pages: how it was made, and its SHA-256",
    }
    return {
        "version": "https://codecheck.org.uk/spec/config/2.0/",
        "paper": {"title": cited["title"], "authors": [{"name": author["name"]} for author in cited["authors"]]},
        "manifest": [{"file": f"{_PAGES}/{name}", "comment": comment} for name, comment in pages.items()],
    }


def texts(root: Path) -> dict[str, str]:
    """By name, what each of the files must hold."""
    checked = yaml.safe_dump(codecheck(root), sort_keys=False, allow_unicode=True, width=120)
    return {
        "codemeta.json": json.dumps(codemeta(root), indent=2, ensure_ascii=False) + "\n",
        "codecheck.yml": f"---\n{_CODECHECK_HEAD}{checked}",
    }


if __name__ == "__main__":
    for _name, _text in texts(repository()).items():
        write_text(repository() / _name, _text)
