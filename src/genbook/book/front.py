"""The first page: each chapter with its question, its answer and what became of its claims; numbers in its text."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from genbook.base.claims import Verdict
from genbook.base.files import write_text
from genbook.base.spec import nearest
from genbook.book.execute import executed_path
from genbook.book.pictures import as_figure
from genbook.book.render import BuildError
from genbook.figures.html import anchor_of, fates_bar, fates_legend, interval, verdict_badge, wanted
from genbook.figures.moving import link
from genbook.figures.svg import themed
from genbook.results import tally
from genbook.results.chapters import chapter_of, chapter_title, chapters
from genbook.results.primary import primaries
from genbook.results.requests import Request
from genbook.results.verdicts import Row
from genbook.studies import get
from genbook.studies.noise.changing_answers.figure import Told, twenty
from genbook.studies.noise.changing_answers.spec import ChangingAnswersSpec

_COVER_TAG = "cover"
_WORDS_A_MINUTE = 220
#: How many primary claims came out as what, in words.
_CAME_OUT: dict[Verdict, str] = {"holds": "held", "undecided": "could not be decided", "fails": "failed"}


def contents(rows: Sequence[Row], profile: str, covers: Path) -> str:
    """What became of all claims, then a card a chapter: figure (put into ``covers``), question, answer, fates."""
    told = f"{tally.in_words(rows)}. The [scoreboard](scoreboard) has them one by one."
    cards = [told, "", fates_bar(tally.counts(rows)), "", fates_legend(tally.occurring(rows)), ""]
    cards += [":::::{grid} 1 2 2 2", ":gutter: 3", ""]
    for chapter in chapters():
        notebook = json.loads(executed_path(chapter, profile).read_text(encoding="utf-8"))
        mine = [row for row in rows if chapter_of(row.request.study.name) == chapter]
        options = [f":link: chapters/{chapter}", ":link-type: doc", ":class-card: chapter"]
        figure = _cover(notebook)
        if figure is not None:
            image, alt = figure
            write_text(covers / f"{chapter}.svg", image)
            options += [f":img-top: covers/{chapter}.svg", f":img-alt: {' '.join(alt.split())}"]
        answer = first_sentence(_box(notebook, "Answer"))
        text = [_box(notebook, "Question"), "", f"**{answer}**" if answer else ""]
        counts = tally.counts(mine)
        told = f"{tally.in_words(mine) or 'nothing judged'} · {minutes(notebook)} minutes"
        footer = [":::{card-footer}", fates_bar(counts), "", told, ":::"]
        title = f"{number_of(chapter)} · {chapter_title(chapter)}"
        cards += [f"::::{{grid-item-card}} {title}", *options, "", *text, "", *footer, "::::", ""]
    return "\n".join([*cards, ":::::", ""])


def number_of(chapter: str) -> int:
    """The chapter's number, with which its name begins."""
    return int(chapter.partition("_")[0])


def minutes(notebook: dict[str, Any]) -> int:
    """How long a chapter takes to read: its prose without code, tables and what is folded at its end."""
    prose = []
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            prose.append("".join(cell["source"]))
        shown = [output.get("data", {}).get("text/markdown", "") for output in cell.get("outputs", [])]
        prose += ["".join(text) for text in shown]
    text = re.sub(r"```.*?```", "", "\n".join(prose), flags=re.DOTALL)
    words = re.sub(r"^\|.*$", "", text, flags=re.MULTILINE).split()
    return max(1, round(len(words) / _WORDS_A_MINUTE))


def headed(notebook: dict[str, Any], chapter: str, seconds: float) -> dict[str, Any]:
    """The notebook with a line under its title: the chapter's number, minutes of reading, seconds of computing."""
    first = notebook["cells"][0]
    title, _, text = "".join(first["source"]).partition("\n")
    computed = f"{seconds:.0f} seconds of one core" if seconds < 100 else f"{seconds / 60:.0f} minutes of one core"
    reading = minutes(notebook)
    read = f"{reading} minute{'s' if reading > 1 else ''} to read"
    line = f"Chapter {number_of(chapter)} · {read} · {computed} to compute"
    head = {**first, "source": f"{title}\n\n{{.chapter-head}}\n{line}\n{text}"}
    return _with_findings({**notebook, "cells": [head, *notebook["cells"][1:]]})


def _with_findings(notebook: dict[str, Any]) -> dict[str, Any]:
    """The notebook with what the summary's figure shows before its number: the first sentence of the caption."""
    figures = [cell.get("metadata", {}).get("mystnb", {}).get("figure", {}) for cell in notebook["cells"]]
    seen = {one["name"]: first_sentence(one["caption"].partition("\n\n")[0]) for one in figures if "name" in one}

    def told(found: re.Match[str]) -> str:
        sentence = seen.get(found[2], "").rstrip(".:")
        return f"{found[1]} {sentence} ({{numref}}`{found[2]}`)." if sentence else found[0]

    def with_finding(output: dict[str, Any]) -> dict[str, Any]:
        text = "".join(output.get("data", {}).get("text/markdown", ""))
        changed = re.sub(r"(\*\*In one figure:\*\*) \{numref\}`([\w-]+)`\.", told, text)
        return output if changed == text else {**output, "data": {**output["data"], "text/markdown": changed}}

    cells = [
        {**cell, "outputs": [with_finding(output) for output in cell["outputs"]]} if "outputs" in cell else cell
        for cell in notebook["cells"]
    ]
    return {**notebook, "cells": cells}


def live_figure(profile: str) -> str:
    """The first page's own figure: images with their labels, which the reader has drawn anew, and when to stop."""
    request = Request.build(get("changing_answers"), profile)
    table = request.table("discovery")
    told = Told.of(table.frame, cast(ChangingAnswersSpec, table.spec), table.seeds[0])
    alt = (
        "Twenty small images of handwritten digits. Under each stands its label, drawn at random, and what the network "
        f"says after {told.steps[-1]:,} steps: nearly always the label that it was given, seldom the true one. Two "
        f"bars: {told.train[-1, -1]:.0%} of the training labels are given back, {told.test[-1, -1]:.0%} of new images "
        "are right."
    )
    figure = twenty(told)
    noise, step = figure.controls
    last = told.steps[-1]
    caption = (
        "The first images of a training set, and two sliders: how many of the labels are drawn at random, and when the "
        "training stops. Nothing in the network changes. What does? Look at the end of training with "
        f"{link('fig-front', 'all labels right', (noise, told.levels[0]), (step, last))} and with "
        f"{link('fig-front', 'all drawn at random', (noise, told.levels[-1]), (step, last))}. "
        f'(One network of the study <a href="evidence/changing_answers.html"><code>changing_answers</code></a>, seed '
        f"{table.seeds[0]}.)"
    )
    return as_figure(figure, "fig-front", alt, caption)


def primary_claims() -> str:
    """What became of the claims named beforehand, in a sentence and a list: those that did not hold come first."""
    order = {"fails": 0, "undecided": 1}
    found = sorted(primaries(), key=lambda one: order.get(one.judgement.verdict, len(order)))
    counted = Counter(one.judgement.verdict for one in found)
    said = [f"{counted[verdict]} {words}" for verdict, words in _CAME_OUT.items() if counted[verdict]]
    lines = [f"Of {len(found)}, {', '.join(said)}.", ""] if said else []
    for one in found:
        judgement, address = one.judgement, f"scoreboard.html#{anchor_of(one.study.name, one.claim.id)}"
        numbers = interval(judgement.estimate, judgement.low, judgement.high)
        lines.append(
            f'- {verdict_badge(judgement.verdict)} <a href="{address}">{one.claim.statement}</a> '
            f"{numbers}, asked\u00a0{wanted(one.claim)}"
        )
    return "\n".join([*lines, ""])


def filled(text: str, rows: Sequence[Row]) -> str:
    """The text with its ``{claim}`STUDY/ID@SETTING``` replaced by estimate and interval, each a link to the claim.

    SETTING is discovery, replication or control, or primary for the published table of twenty seeds. Raises
    `BuildError` for a claim that the book has not.
    """
    judged = {f"{row.request.study.name}/{row.claim.id}": row for row in rows}
    named = {f"{one.study.name}/{one.claim.id}": one.judgement for one in primaries()}

    def number(found: re.Match[str]) -> str:
        claim, setting = found.groups()
        try:
            judgement = named[claim] if setting == "primary" else getattr(judged[claim], setting)
        except KeyError:
            raise BuildError(nearest(claim, named if setting == "primary" else judged, f"claim ({setting})")) from None
        address = f"scoreboard.html#{anchor_of(*claim.split('/'))}"
        return f'<a class="number" href="{address}">{interval(judgement.estimate, judgement.low, judgement.high)}</a>'

    return re.sub(r"\{claim\}`([\w-]+/[\w-]+)@(discovery|replication|control|primary)`", number, text)


def _cover(notebook: dict[str, Any]) -> tuple[str, str] | None:
    """The figure of the cell tagged 'cover', or else the first one, with its alt text."""
    drawn = [
        (cell["metadata"], "".join(output["data"]["image/svg+xml"]))
        for cell in notebook["cells"]
        for output in cell.get("outputs", [])
        if "image/svg+xml" in output.get("data", {})
    ]
    chosen = [figure for figure in drawn if _COVER_TAG in figure[0].get("tags", [])] or drawn
    if not chosen:
        return None
    metadata, image = chosen[0]
    return themed(image), metadata.get("mystnb", {}).get("image", {}).get("alt", "")


def first_sentence(text: str) -> str:
    """The first sentence of a text; nothing of an empty one."""
    return re.split(r"(?<=[.!?])\s(?=[A-Z$])", " ".join(text.split()))[0]


def _box(notebook: dict[str, Any], title: str) -> str:
    """The text of the notebook's first box of that title and class, 'Question'; nothing where it has none."""
    prose = "\n".join("".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "markdown")
    opening = rf"^:::\{{admonition\}} {title}\n:class: {title.lower()}\n+"
    box = re.search(opening + r"(.+?)\n:::", prose, re.MULTILINE | re.DOTALL)
    return box.group(1) if box else ""
