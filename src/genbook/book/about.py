"""What the repository says of itself to programs: ``codemeta.json`` and ``codecheck.yml``, made of what it says once.

Title, version, authors and licence stand in ``pyproject.toml`` and ``CITATION.cff``, chapters in ``book/chapters.yml``,
the repository's address in ``_config.yml`` (``book_repository``).

    python -m genbook.book.about

writes both files anew, and the address into ``CITATION.cff``.
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


def repository_address(root: Path) -> str:
    """Where the repository lies, without a slash at the end; empty where ``_config.yml`` does not say so."""
    config = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))
    return str(config["sphinx"]["config"]["book_repository"] or "").rstrip("/")


def citation(root: Path) -> str:
    """Return the text of ``CITATION.cff`` with the repository's address, or without one where it is not known."""
    lines = (root / "CITATION.cff").read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for line in lines if not line.startswith("repository-code:")]
    if address := repository_address(root):
        after = next(number for number, line in enumerate(kept, start=1) if line.startswith("license:"))
        kept.insert(after, f'repository-code: "{address}"\n')
    return "".join(kept)


def codemeta(root: Path) -> dict[str, Any]:
    """The software in the terms of CodeMeta 3."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    cited = yaml.safe_load((root / "CITATION.cff").read_text(encoding="utf-8"))
    address = repository_address(root)
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
        "CITATION.cff": citation(root),
    }


if __name__ == "__main__":
    for _name, _text in texts(repository()).items():
        write_text(repository() / _name, _text)
