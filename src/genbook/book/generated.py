"""What the build writes around the chapters: the table of contents, the run statistics."""

from __future__ import annotations

import importlib.metadata
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd
import yaml

from genbook.book.execute import executed_path
from genbook.book.front import number_of
from genbook.results.chapters import chapter_title, chapters


def table_of_contents(toc: str, library: dict[str, Any], statistics: Sequence[str]) -> str:
    """Jupyter Book's ``_toc.yml`` with its parts filled: the chapters, the ``library``, the pages of ``statistics``.

    The first page of statistics leads to the others.
    """
    told = yaml.safe_load(toc)
    parts = {part["caption"]: part for part in told["parts"]}
    parts["Chapters"]["chapters"] = [
        {"file": f"chapters/{name}", "title": f"{number_of(name)} · {chapter_title(name)}"} for name in chapters()
    ]
    parts["Reference"]["chapters"].append(library)
    (board,) = [page for page in parts["Verdicts"]["chapters"] if page["file"] == "scoreboard"]
    first, *others = statistics
    board["sections"] = [{"file": first, "sections": [{"file": page} for page in others]}]
    return yaml.safe_dump(told, sort_keys=False)


def run_statistics(profile: str, parts: Sequence[Mapping[str, Any]]) -> str:
    """The page that says what was computed, when, where and how long it took; ``parts``: provenances of the store's."""
    durations = []
    for chapter in chapters():
        notebook = json.loads(executed_path(chapter, profile).read_text(encoding="utf-8"))
        seconds = notebook["metadata"].get("papermill", {}).get("duration")
        title = f"[{chapter_title(chapter)}](chapters/{chapter})"
        durations.append({"chapter": title, "execution of the page (s)": f"{seconds:.1f}"})
    versions = [{"package": name, "version": importlib.metadata.version(name)} for name in _SHOWN_VERSIONS]
    return "\n".join(
        [
            "# Run statistics",
            "",
            "What this copy of the book was computed from. A page asks for its tables and draws; tables that were "
            "stored already cost its execution nothing.",
            "",
            markdown_table(durations),
            "## Tables in the store",
            "",
            "For each study and data set, the number of parts (a part holds one seed in one setting) and the seconds "
            "that computing them took in all; parts that were computed alike stand together.",
            "",
            *(_stored(parts) or ["The store holds no table of this computer's own.", ""]),
            "## Versions",
            "",
            markdown_table(versions),
        ]
    )


def computing_seconds(parts: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """By study, the seconds of computing in the parts with these provenances, whatever their parameters."""
    seconds: Counter[str] = Counter()
    for part in parts:
        seconds[part["study"]] += part["wall_seconds"]
    return dict(seconds)


_SHOWN_VERSIONS = ("genbook", "torch", "numpy", "pandas", "scipy", "scikit-learn", "matplotlib", "jupyter-book")


def _stored(parts: Iterable[Mapping[str, Any]]) -> list[str]:
    """A table for each way in which parts were computed: device, threads, version, commit, day."""
    ways: dict[str, list[dict[str, Any]]] = {}
    for part in parts:
        threads = f"{part['threads']} thread{'' if part['threads'] == 1 else 's'}"
        way = f"{part['device']}, {threads} · torch {part['versions']['torch']} · commit {part['commit'] or 'unknown'}"
        seconds = {"study": part["study"], "data": part["dataset"] or "its own", "seconds": part["wall_seconds"]}
        ways.setdefault(f"{way} · {part['created'][:10]}", []).append(seconds)
    lines = []
    for way, rows in sorted(ways.items()):
        table = pd.DataFrame(rows).groupby(["study", "data"])["seconds"].agg(parts="size", seconds="sum").reset_index()
        lines += [f"**{way}**", "", markdown_table(table.round({"seconds": 1}))]
    return lines


def markdown_table(rows: Sequence[dict[str, Any]] | pd.DataFrame) -> str:
    """Rows as a table in Markdown, without their index."""
    return pd.DataFrame(rows).to_markdown(index=False) + "\n"
