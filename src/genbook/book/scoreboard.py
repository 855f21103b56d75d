"""The scoreboard: what became of all claims, the primary ones, each claim; and the pages of their statistics."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

import pandas as pd

from genbook.book.front import number_of
from genbook.book.generated import markdown_table
from genbook.figures.html import Shown, anchor_of, claims_table, fates_legend, interval, squares, verdict_badge, wanted
from genbook.results import tally
from genbook.results.chapters import chapter_of, chapter_title
from genbook.results.pages import COMPUTES, published_cells, shown
from genbook.results.primary import primaries
from genbook.results.verdicts import Row
from genbook.studies import Study


def scoreboard(rows: Sequence[Row], profile: str) -> str:
    """The page of all claims: what became of them, the primary ones, and all, chapter by chapter.

    Its script (``scoreboard.js``) filters and sorts the rows, and judges anew where a threshold is moved; without it
    the page is whole.
    """
    by_chapter: dict[str | None, list[Row]] = {}
    for row in rows:
        by_chapter.setdefault(chapter_of(row.request.study.name), []).append(row)
    lines = [
        "# Scoreboard of claims",
        "",
        f"Every claim of the book, and what became of it. {tally.in_words(rows)}.{_not_judged(rows)} Each is judged "
        "where it was found, again on other data with fresh seeds, and in a control, where it has to fail: "
        f"[how to read this](method/statistics). The tables of the profile `{profile}` decide; where those are too "
        "small to decide anything, published ones of the profile `full` do.",
        "",
        "## What became of them",
        "",
        "One square a claim, a row a chapter; each leads to its claim. A claim counts once: one that holds in "
        "discovery by its replication, another by discovery.",
        "",
        '<div class="unit-chart">',
        *(_units(chapter, mine) for chapter, mine in by_chapter.items() if chapter),
        fates_legend(tally.occurring(rows)),
        "</div>",
        "",
        markdown_table(_fates(rows)),
        "## Primary claims",
        "",
        *_primary(),
        "## All claims",
        "",
        '<div id="scoreboard-tools" hidden></div>',
        "",
    ]
    for chapter, mine in by_chapter.items():
        heading = (
            f"### {number_of(chapter)} · [{chapter_title(chapter)}](chapters/{chapter})"
            if chapter
            else "### In no chapter"
        )
        lines += [heading, "", f"{tally.in_words(mine)}.", "", claims_table(_table(mine), root=""), ""]
    return "\n".join([*lines, '<script defer src="_static/scoreboard.js"></script>', ""])


def _not_judged(rows: Sequence[Row]) -> str:
    """How many claims the counts leave out."""
    left_out = sum(tally.fate(row) is None for row in rows)
    return f" {left_out} more {'is' if left_out == 1 else 'are'} not judged yet." if left_out else ""


def _units(chapter: str, rows: Sequence[Row]) -> str:
    """A chapter's row of squares, the same fates side by side."""
    found = [(tally.fate(row), row) for row in rows]
    ordered = sorted(((fate, row) for fate, row in found if fate), key=lambda pair: tally.FATES.index(pair[0]))
    links = [
        (fate, f"#{anchor_of(row.request.study.name, row.claim.id)}", f"{row.claim.statement} {fate}.")
        for fate, row in ordered
    ]
    return squares(f"{number_of(chapter)} · {chapter_title(chapter)}", links)


def _table(rows: Sequence[Row]) -> list[Shown]:
    """The claims of a chapter as rows, with a column for published tables where a study of it has some."""
    studies = {row.request.study.name: row.request.study for row in rows}
    apart = {name: found for name, study in studies.items() if (found := published_cells(study))}
    table = []
    for row in rows:
        one = shown(row, root="", page=f"chapters/{chapter_of(row.request.study.name)}.html")
        beside = None if row.published else apart.get(row.request.study.name, {}).get(row.claim.id)
        column = {"Published": beside} if apart else {}
        table.append(dataclasses.replace(one, cells={**one.cells, **column}, fate=tally.fate(row) or ""))
    return table


def _fates(rows: Sequence[Row]) -> pd.DataFrame:
    """A row for each kind of claims and each origin, a column for each fate that some claim has."""
    counted = [*tally.kinds(rows), *tally.origins(rows)]
    some = tally.occurring(rows)
    return pd.DataFrame([{"claims": kind.title, **{fate: kind.counts[fate] for fate in some}} for kind in counted])


def _primary() -> list[str]:
    """The primary claims with their verdicts on twenty seeds of the replication."""
    found = primaries()
    if not found:
        return ["None is named.", ""]
    rows = [
        {
            "claim": f"**{one.entry.phenomenon.capitalize()}.** "
            f'<a href="#{anchor_of(one.study.name, one.claim.id)}">{one.claim.statement}</a>',
            "verdict": verdict_badge(one.judgement.verdict),
            "estimate": interval(one.judgement.estimate, one.judgement.low, one.judgement.high),
            "asked": wanted(one.claim),
            "after Holm": "stays" if one.stays else "–",
        }
        for one in found
    ]
    return [
        "Named in one file before their replication was computed, and judged on that table of twenty seeds alone, with "
        f"Holm's correction over these {len(found)}. All other claims are descriptive.",
        "",
        markdown_table(rows),
    ]


def statistics(studies: Iterable[Study]) -> dict[str, str]:
    """Pages with the source of every study's claims, by where they lie; the first one leads to the others."""
    told = list(studies)
    names = [f"- [{study.title}]({study.name}): `{study.name}`" for study in told]
    first = [
        "# Sources of the studies",
        "",
        "What decides a claim is a function of its study's table. Here is the source of each, and of what computes the "
        "table, study by study.",
        "",
        *names,
        "",
    ]
    return {"evidence/index": "\n".join(first)} | {f"evidence/{study.name}": _statistics(study) for study in told}


def _statistics(study: Study) -> str:
    module = study.module.removeprefix("genbook.").replace(".", "/")
    return "\n".join(
        [
            f"# {study.title}: sources",
            "",
            f"The study `{study.name}` ([chapter](../chapters/{chapter_of(study.name)}), "
            f"[all verdicts](../scoreboard)): `genbook table {study.name}` prints its table, "
            f"`genbook claims {study.name}` judges it.",
            "",
            "## What decides the claims",
            "",
            *_listing(f"{module.rpartition('/')[0]}/claims.py"),
            f"## {COMPUTES.replace('-', ' ').capitalize()}",
            "",
            *_listing(f"{module}.py"),
        ]
    )


def _listing(file: str) -> list[str]:
    """A file of the package, shown whole."""
    return [f"```{{literalinclude}} /genbook/{file}", ":language: python", "```", ""]
