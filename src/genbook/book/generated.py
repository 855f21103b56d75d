"""What the build writes: the table of contents, the chapters with their covers, the scoreboard, the run statistics."""

from __future__ import annotations

import base64
import importlib.metadata
import io
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from genbook.book.execute import executed_path
from genbook.figures.html import interval
from genbook.figures.images import compressed
from genbook.results import tally
from genbook.results.chapters import chapter_of, chapter_title, chapters
from genbook.results.primary import primaries
from genbook.results.verdicts import Row
from genbook.tables.store import Store

_COVER_WIDTH = 720  # pixels: twice what a card is wide
_COVER_TAG = "cover"


def table_of_contents(toc: str, library: dict[str, Any]) -> str:
    """Jupyter Book's ``_toc.yml`` with its parts 'Chapters' and 'Reference' filled, this one with ``library``."""
    told = yaml.safe_load(toc)
    parts = {part["caption"]: part for part in told["parts"]}
    parts["Chapters"]["chapters"] = [{"file": f"chapters/{name}"} for name in chapters()]
    parts["Reference"]["chapters"] = [library]
    return yaml.safe_dump(told, sort_keys=False)


def contents(rows: Sequence[Row], profile: str, covers: Path) -> str:
    """Cards of all chapters for the first page: a figure (put into ``covers``), the question, the verdicts' number."""
    cards = []
    for chapter in chapters():
        notebook = json.loads(executed_path(chapter, profile).read_text(encoding="utf-8"))
        told = tally.in_words(row for row in rows if chapter_of(row.request.study.name) == chapter)
        options = [f":link: chapters/{chapter}", ":link-type: doc", ":class-card: chapter"]
        figure = _cover(notebook)
        if figure is not None:
            image, alt = figure
            _thumbnail(image, covers / f"{chapter}.png")
            options += [f":img-top: covers/{chapter}.png", f":img-alt: {' '.join(alt.split())}"]
        footer = [":::{card-footer}", told or "nothing judged", ":::"]
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

    with Image.open(io.BytesIO(image)) as opened:
        picture = opened.convert("RGBA")  # colours of a palette cannot be mixed
    picture.thumbnail((_COVER_WIDTH, _COVER_WIDTH))
    buffer = io.BytesIO()
    picture.save(buffer, format="png")
    path.write_bytes(compressed(buffer.getvalue()))


def _question(notebook: dict[str, Any]) -> str:
    """The text of the notebook's first box of the class 'question'; nothing where it has none."""
    prose = "\n".join("".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "markdown")
    box = re.search(r"^:::\{admonition\} Question\n:class: question\n+(.+?)\n:::", prose, re.MULTILINE | re.DOTALL)
    return box.group(1) if box else ""


def scoreboard(rows: Sequence[Row], profile: str) -> str:
    """The page of all claims: what became of them, the primary ones, and all, chapter by chapter."""
    from genbook import figures
    from genbook.results.pages import cells, published_cells

    lines = [
        "# Scoreboard of claims",
        "",
        f"Every claim of the book, as the tables of the profile `{profile}` decide it. {tally.in_words(rows)}. Every "
        "claim has a control, in which the same statistic must come out as `fails`: "
        "[how to read this](method/statistics).",
        "",
        "## What became of them",
        "",
        "Counted once each: a claim that holds in discovery by its replication, another by discovery.",
        "",
        _markdown_table(_fates(rows)),
        "## Primary claims",
        "",
        *_primary(),
    ]
    for chapter in dict.fromkeys(chapter_of(row.request.study.name) for row in rows):
        mine = [row for row in rows if chapter_of(row.request.study.name) == chapter]
        told = {row.request.study.name: row.request.study for row in mine}
        apart = {name: found for name, study in told.items() if (found := published_cells(study))}
        shown = []
        for row in mine:
            column = {"Published": apart.get(row.request.study.name, {}).get(row.claim.id)} if apart else {}
            shown.append((row.claim, {**cells(row), **column}))
        claims = figures.claims_table(shown, references="references.html")
        lines += [f"## [{chapter_title(chapter)}](chapters/{chapter})", "", f"{tally.in_words(mine)}.", "", claims, ""]
    return "\n".join(lines)


def _fates(rows: Sequence[Row]) -> pd.DataFrame:
    """A row for each kind of claims and each origin, a column for each fate that some claim has."""
    counted = [*tally.kinds(rows), *tally.origins(rows)]
    shown = [fate for fate in tally.FATES if any(kind.counts[fate] for kind in counted)]
    return pd.DataFrame([{"claims": kind.title, **{fate: kind.counts[fate] for fate in shown}} for kind in counted])


def _primary() -> list[str]:
    """The primary claims with their verdicts on twenty seeds of the replication."""
    found = primaries()
    if not found:
        return ["None is named.", ""]
    rows = [
        {
            "phenomenon": one.entry.phenomenon,
            "claim": f"`{one.claim.id}`: {one.claim.statement}",
            "verdict": one.judgement.verdict,
            "": interval(one.judgement.estimate, one.judgement.low, one.judgement.high),
            "seeds": one.judgement.n,
            "after Holm": "stays" if one.stays else "–",
        }
        for one in found
    ]
    return [
        "Named in one file before their replication was computed, and judged on that table of twenty seeds alone, with "
        f"Holm's correction over these {len(found)}. All other claims are descriptive.",
        "",
        _markdown_table(rows),
    ]


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
