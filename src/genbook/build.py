"""The book: executed copies and generated pages staged, built by Jupyter Book, and put in place when whole."""

from __future__ import annotations

import concurrent.futures
import datetime
import importlib.metadata
import json
import math
import multiprocessing
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from genbook import studies
from genbook.errors import ForeseenError
from genbook.execute import chapter_title, chapters, execute, executed_path, execution_key, is_current
from genbook.files import disk_errors, make_folder, repository, sha256, store_root, write_text
from genbook.results.requests import Request
from genbook.results.verdicts import Row, evaluate
from genbook.store import Store


class BuildError(ForeseenError):
    """The book could not be built; the message holds what Sphinx said."""


def build(profile: str = "quick", out: Path | None = None, jobs: int = 2, say: Callable[[str], None] = print) -> Path:
    """Build the book from executed copies of all chapters; returns the path of its first page.

    Chapters whose copy is current are not executed again, ``jobs`` others at a time. Warnings are errors. The finished
    pages replace the old ones in one step: a build that fails leaves the old book as it was.
    """
    out = (out or repository() / "book" / "_build").resolve()
    _execute_all(profile, jobs, say)
    staged = stage(profile, out / "source")
    key = _content_key(staged)
    index, mark = out / "html" / "index.html", out / "html" / ".genbook-content"
    if index.is_file() and mark.is_file() and mark.read_text(encoding="utf-8") == key:
        say(f"nothing changed: {index}")
        return index
    fresh = out / "fresh"
    shutil.rmtree(fresh, ignore_errors=True)
    _jupyter_book(staged, fresh)
    html = fresh / "_build" / "html"
    write_text(html / mark.name, key)
    _swap(html, out / "html")
    shutil.rmtree(fresh, ignore_errors=True)
    say(f"the book: {index}")
    return index


def _execute_all(profile: str, jobs: int, say: Callable[[str], None]) -> None:
    """Execute the chapters that are not current, ``jobs`` at a time."""
    parameters = {"profile": profile}
    waiting = [
        chapter
        for chapter in chapters()
        if not is_current(executed_path(chapter, profile), execution_key(chapter, parameters))
    ]

    for chapter in waiting:
        say(f"executing {chapter} ({profile})")
    if not waiting:
        return
    # A few processes for all chapters: importing what executes a notebook takes longer than many a notebook.
    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(max_workers=min(jobs, len(waiting)), mp_context=spawn) as pool:
        running = {chapter: pool.submit(_execute_one, chapter, profile) for chapter in waiting}
    mistakes = [f"{job.exception()}" for job in running.values() if job.exception() is not None]
    if mistakes:
        raise BuildError("\n".join(dict.fromkeys(mistakes)))


def _execute_one(chapter: str, profile: str) -> None:
    execute(chapter, {"profile": profile}, executed_path(chapter, profile))


def stage(profile: str, folder: Path) -> Path:
    """Lay out below ``folder`` what Jupyter Book reads: the pages, the executed chapters, generated pages, tables."""
    shutil.rmtree(folder, ignore_errors=True)
    book = repository() / "book"
    with disk_errors(folder):
        shutil.copytree(book, folder, ignore=shutil.ignore_patterns("_build", ".*", "*.parquet"))
    for chapter in chapters():
        copy = make_folder(folder / "chapters") / f"{chapter}.ipynb"
        shutil.copyfile(executed_path(chapter, profile), copy)
        for file in set(re.findall(r"\.\./tables/([\w.-]+\.csv)", copy.read_text(encoding="utf-8"))):
            shutil.copyfile(store_root() / "csv" / file, make_folder(folder / "tables") / file)
    told = [study for chapter in chapters() for study in studies.of_chapter(chapter)]
    rows = [row for study in told for row in evaluate(Request.build(study, profile))]
    write_text(folder / "scoreboard.md", scoreboard(rows, profile))
    write_text(folder / "run-statistics.md", run_statistics(profile))
    return folder


def scoreboard(rows: Sequence[Row], profile: str) -> str:
    """The page of all claims, chapter by chapter, with what chance would give and what Holm's correction leaves."""
    from genbook import figures, stats
    from genbook.results.pages import row_for_page

    judged = [row for row in rows if row.main.verdict not in ("not judged", "not run")]
    confirmed = [row for row in judged if math.isfinite(row.confirm.p)]
    adjusted = stats.holm([row.confirm.p for row in confirmed])
    stays = [row for row, p in zip(confirmed, adjusted, strict=True) if p < 0.025]
    counts = pd.Series([row.main.verdict for row in rows]).value_counts()
    chance = stats.expected_chance_holds(len([row for row in judged if row.claim.kind != "exact"]))
    tally = ", ".join(f"**{number}** {verdict}" for verdict, number in counts.items())
    lines = [
        "# Scoreboard of claims",
        "",
        f"Every claim of the book, as the tables of the profile `{profile}` decide it. In the main world: {tally}. ",
        f"If every truth lay exactly at its threshold, chance alone would give about {chance:.1f} `holds`. ",
        f"Of {len(confirmed)} claims that were judged again on other data with fresh seeds, "
        f"{len(stays)} stay after Holm's correction for their number; they are marked ★. ",
        "Every claim has a null world, in which the same statistic must come out as `fails`: "
        "[how to read this](method/statistics).",
        "",
    ]
    for chapter in dict.fromkeys(row.request.study.chapter for row in rows):
        mine = [row for row in rows if row.request.study.chapter == chapter]
        shown = [{**row_for_page(row), "stays": row in stays} for row in mine]
        claims = figures.claims_table(shown, references="references.html")
        lines += [f"## [{chapter_title(chapter)}](chapters/{chapter})", "", claims, ""]
    return "\n".join(lines)


def run_statistics(profile: str) -> str:
    """The page that says what was computed, when, where and how long it took."""
    rows = []
    for chapter in chapters():
        notebook = json.loads(executed_path(chapter, profile).read_text(encoding="utf-8"))
        seconds = notebook["metadata"].get("papermill", {}).get("duration")
        rows.append(
            {
                "chapter": f"[{chapter_title(chapter)}](chapters/{chapter})",
                "execution of the page (s)": f"{seconds:.1f}",
            }
        )
    parts = pd.DataFrame(_part_rows())
    sections = [
        "# Run statistics",
        "",
        "What this copy of the book was computed from. A page asks for its tables and draws; tables that were stored "
        "already cost its execution nothing.",
        "",
        pd.DataFrame(rows).to_markdown(index=False),
        "",
        "## Tables in the store",
        "",
        "One row per study, data set, device and versions; the time is what computing the parts took in all.",
        "",
        parts.to_markdown(index=False) if len(parts) else "The store holds no table of this computer's own.",
        "",
        "## Versions",
        "",
        pd.DataFrame(
            [{"package": name, "version": importlib.metadata.version(name)} for name in _SHOWN_VERSIONS]
        ).to_markdown(index=False),
        "",
    ]
    return "\n".join(sections)


_SHOWN_VERSIONS = ("genbook", "torch", "numpy", "pandas", "scipy", "scikit-learn", "matplotlib", "jupyter-book")


def _part_rows() -> list[dict[str, Any]]:
    frame = pd.DataFrame(
        [
            {
                "study": part["study"],
                "data": part["dataset"] or "its own",
                "device": f"{part['device']}, {part['threads']} thread(s)",
                "torch": part["versions"]["torch"],
                "commit": part["commit"],
                "seconds": part["wall_seconds"],
                "day": part["created"][:10],
            }
            for part in Store().provenances()
        ]
    )
    if frame.empty:
        return []
    groups = frame.groupby(["study", "data", "device", "torch", "commit", "day"], dropna=False)["seconds"]
    table = groups.agg(["size", "sum"]).reset_index()
    table.columns = [*table.columns[:-2], "parts", "seconds"]
    return table.round({"seconds": 1}).to_dict("records")


def _content_key(folder: Path) -> str:
    """A hash of all that Jupyter Book will read."""
    config = (repository() / "_config.yml").read_bytes()
    chunks = [config]
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        chunks += [str(path.relative_to(folder)).encode(), path.read_bytes()]
    return sha256(*chunks)


def _jupyter_book(source: Path, out: Path) -> None:
    """Run Jupyter Book with warnings as errors; raises `BuildError` with its last lines."""
    command = [
        sys.executable,
        "-c",
        "from jupyter_book.cli.main import main; main()",
        "build",
        str(source),
        "--path-output",
        str(out),
    ]
    command += ["--config", str(repository() / "_config.yml"), "--toc", str(source / "_toc.yml")]
    command += ["-W", "-n", "--keep-going", "--all", "-q"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode or not (out / "_build" / "html" / "index.html").is_file():
        said = [line for line in (done.stderr + done.stdout).splitlines() if re.search("WARNING|ERROR|rror:", line)]
        raise BuildError("Jupyter Book did not build:\n" + "\n".join(said[-20:] or [done.stderr[-2000:]]))


def _swap(fresh: Path, target: Path) -> None:
    """Put ``fresh`` in the place of ``target``."""
    stamp = datetime.datetime.now(datetime.UTC).strftime("%H%M%S%f")
    old = target.with_name(f".old-{stamp}")
    if target.exists():
        target.replace(old)
    fresh.replace(target)
    shutil.rmtree(old, ignore_errors=True)
