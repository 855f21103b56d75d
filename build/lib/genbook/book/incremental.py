"""A Sphinx extension for builds that begin with the last one's pages: it writes anew whatever a change can be seen in.

Sphinx reads the sources that have changed and writes their pages. What other pages show of a page (its title beside
theirs, a label's number or text, an equation's number) it leaves as it was. Here all that pages can show of each other
is compared before and after reading, and where it differs every page is written.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

#: After Sphinx's own, which number figures and sections.
_LAST = 900


def setup(app: Any) -> dict[str, bool]:
    """What Sphinx calls."""
    before: dict[str, Any] = {}
    app.connect("env-get-outdated", lambda app, env, *_: before.update(_seen_elsewhere(env)) or [])
    app.connect("env-get-updated", lambda app, env: _to_write(env, before), priority=_LAST)
    app.connect("build-finished", _remove_unused, priority=_LAST)
    return {"parallel_read_safe": False, "parallel_write_safe": True}


def _seen_elsewhere(env: Any) -> dict[str, Any]:
    """What one page can show of another, by page."""
    standard, equations = env.get_domain("std"), env.get_domain("math")
    return {
        "titles": {page: title.pformat() for page, title in env.titles.items()},
        "order": {page: list(below) for page, below in env.toctree_includes.items()},
        "sections": {page: dict(numbers) for page, numbers in env.toc_secnumbers.items()},
        "figures": {page: dict(numbers) for page, numbers in env.toc_fignumbers.items()},
        "labels": (dict(standard.data["labels"]), dict(standard.data["anonlabels"])),
        "equations": dict(equations.data["objects"]),
        "headings": {page: about["myst_slugs"] for page, about in env.metadata.items() if "myst_slugs" in about},
    }


def _to_write(env: Any, before: dict[str, Any]) -> Iterable[str]:
    """The pages that may show what has changed: all or none."""
    return [] if _seen_elsewhere(env) == before else sorted(env.found_docs)


def _remove_unused(app: Any, exception: Exception | None) -> None:
    """Remove the figures and tables that no page shows any more."""
    if exception is None:
        for folder, files in (("_images", app.env.images), ("_downloads", app.env.dlfiles)):
            used = {Path(app.outdir, folder, name) for _, name in files.values()}
            for path in Path(app.outdir, folder).rglob("*"):
                if path.is_file() and path not in used:
                    path.unlink()
