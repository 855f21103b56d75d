"""What the build writes: the table of contents, the chapters with their covers, the scoreboard, the run statistics."""

from __future__ import annotations

import base64
import importlib.metadata
import io
import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from genbook.book import reference
from genbook.book.execute import executed_path
from genbook.results.chapters import chapter_of, chapter_title, chapters
from genbook.results.verdicts import Row
from genbook.tables.store import Store

_COVER_WIDTH = 720  # pixels: twice what a card is wide
_COVER_TAG = "cover"


def table_of_contents(toc: str) -> str:
    """Jupyter Book's ``_toc.yml`` with its parts called 'Chapters' and 'Reference' filled."""
    told = yaml.safe_load(toc)
    parts = {part["caption"]: part for part in told["parts"]}
    parts["Chapters"]["chapters"] = [{"file": f"chapters/{name}"} for name in chapters()]
    parts["Reference"]["chapters"] = reference.listed()
    return yaml.safe_dump(told, sort_keys=False)


def contents(rows: Sequence[Row], profile: str, covers: Path) -> str:
    """Cards of all chapters for the first page: a figure (put into ``covers``), the question, the verdicts' number."""
    cards = []
    for chapter in chapters():
        notebook = json.loads(executed_path(chapter, profile).read_text(encoding="utf-8"))
        mine = [row.discovery.verdict for row in rows if chapter_of(row.request.study.name) == chapter]
        options = [f":link: chapters/{chapter}", ":link-type: doc", ":class-card: chapter"]
        figure = _cover(notebook)
        if figure is not None:
            image, alt = figure
            _thumbnail(image, covers / f"{chapter}.png")
            options += [f":img-top: covers/{chapter}.png", f":img-alt: {' '.join(alt.split())}"]
        footer = [":::{card-footer}", _tally(mine) or "no claims", ":::"]
        text = [*options, "", _question(notebook), "", *footer]
        cards += [f"::::{{grid-item-card}} {chapter_title(chapter)}", *text, "::::", ""]
    return "\n".join([":::::{grid} 1 2 2 2", ":gutter: 3", "", *cards, ":::::", ""])


def _cover(notebook: dict[str, Any]) -> tuple[bytes, str] | None:
    """The figure of the cell tagged 'cover', or else the first one, with its alt text."""
    drawn = [
        (cell["metadata"], output["data"]["image/png"])
        for cell in notebook["cells"]
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    ]
    chosen = [figure for figure in drawn if _COVER_TAG in figure[0].get("tags", [])] or drawn
    if not chosen:
        return None
    metadata, image = chosen[0]
    return base64.b64decode(image), metadata.get("mystnb", {}).get("image", {}).get("alt", "")


def _thumbnail(image: bytes, path: Path) -> None:
    from PIL import Image

    with Image.open(io.BytesIO(image)) as picture:
        picture.thumbnail((_COVER_WIDTH, _COVER_WIDTH))
        picture.save(path, optimize=True)


def _question(notebook: dict[str, Any]) -> str:
    """The text of the notebook's first box of the class 'question'; nothing where it has none."""
    prose = "\n".join("".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "markdown")
    box = re.search(r"^:::\{admonition\} Question\n:class: question\n+(.+?)\n:::", prose, re.MULTILINE | re.DOTALL)
    return box.group(1) if box else ""


def _tally(verdicts: Sequence[str]) -> str:
    """'**12** holds, **1** fails'."""
    counts = pd.Series(verdicts, dtype=object).value_counts()
    return ", ".join(f"**{number}** {verdict}" for verdict, number in counts.items())


def scoreboard(rows: Sequence[Row], profile: str) -> str:
    """The page of all claims, chapter by chapter, with what chance would give and what Holm's correction leaves."""
    from genbook import figures
    from genbook.base import stats
    from genbook.results.pages import cells

    judged = [row for row in rows if row.discovery.verdict not in ("not judged", "not run")]
    replicated = [row for row in judged if math.isfinite(row.replication.p)]
    adjusted = stats.holm([row.replication.p for row in replicated])
    stays = [row for row, p in zip(replicated, adjusted, strict=True) if p < 0.025]
    tally = _tally([row.discovery.verdict for row in rows])
    lines = [
        "# Scoreboard of claims",
        "",
        f"Every claim of the book, as the tables of the profile `{profile}` decide it. "
        f"In the discovery setting: {tally}. ",
        f"Of {len(replicated)} claims that were judged again on other data with fresh seeds, "
        f"{len(stays)} stay after Holm's correction for their number; they are marked ★. ",
        "Every claim has a control, in which the same statistic must come out as `fails`: "
        "[how to read this](method/statistics).",
        "",
    ]
    for chapter in dict.fromkeys(chapter_of(row.request.study.name) for row in rows):
        shown = [(row.claim, cells(row, row in stays)) for row in rows if chapter_of(row.request.study.name) == chapter]
        claims = figures.claims_table(shown, references="references.html")
        lines += [f"## [{chapter_title(chapter)}](chapters/{chapter})", "", claims, ""]
    return "\n".join(lines)


def run_statistics(profile: str) -> str:
    """The page that says what was computed, when, where and how long it took."""
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
            _markdown_table(durations),
            "## Tables in the store",
            "",
            "For each study and data set, the number of parts (a part holds one seed in one setting) and the seconds "
            "that computing them took in all; parts that were computed alike stand together.",
            "",
            *(_stored() or ["The store holds no table of this computer's own.", ""]),
            "## Versions",
            "",
            _markdown_table(versions),
        ]
    )


_SHOWN_VERSIONS = ("genbook", "torch", "numpy", "pandas", "scipy", "scikit-learn", "matplotlib", "jupyter-book")


def _stored() -> list[str]:
    """A table for each way in which parts were computed: device, threads, version, commit, day."""
    parts: dict[str, list[dict[str, Any]]] = {}
    for part in Store().provenances():
        threads = f"{part['threads']} thread{'' if part['threads'] == 1 else 's'}"
        way = f"{part['device']}, {threads} · torch {part['versions']['torch']} · commit {part['commit'] or 'unknown'}"
        seconds = {"study": part["study"], "data": part["dataset"] or "its own", "seconds": part["wall_seconds"]}
        parts.setdefault(f"{way} · {part['created'][:10]}", []).append(seconds)
    lines = []
    for way, rows in sorted(parts.items()):
        table = pd.DataFrame(rows).groupby(["study", "data"])["seconds"].agg(parts="size", seconds="sum").reset_index()
        lines += [f"**{way}**", "", _markdown_table(table.round({"seconds": 1}))]
    return lines


def _markdown_table(rows: Sequence[dict[str, Any]] | pd.DataFrame) -> str:
    return pd.DataFrame(rows).to_markdown(index=False) + "\n"
