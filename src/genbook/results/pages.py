"""How tables and claims are told on a page: a line of provenance, the cells of a claims table."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from genbook.base.claims import JUDGES_NOTHING, Judgement
from genbook.figures.html import Cell, Shown, anchor_of, interval, wanted
from genbook.results import published, tally
from genbook.results.judged import of_published
from genbook.results.table import Table, dataset_of
from genbook.results.verdicts import Row
from genbook.studies import Study


def provenance_line(table: Table) -> str:
    """One line that says where a table comes from."""
    first = table.provenances[0]
    seeds = _ranges(table.seeds)
    data = f"{first['dataset']} {first['data'][:8]}" if first["dataset"] else "data made by the study"
    words = [
        f"seeds {seeds} (each draws {', '.join(first['varies'])})",
        f"data {data}" if first["dataset"] else data,
        f"{first['device']}, {first['threads']} thread{'s' if first['threads'] != 1 else ''}, "
        f"{table.wall_seconds:.0f} s",
        f"torch {first['versions']['torch']}",
        f"commit {first['commit'] or 'unknown'}",
        f"table {table.digest[:8]}",
    ]
    if table.published:
        words.append("published table" + (", computed before the code last changed" if table.code_changed else ""))
    return " · ".join(words)


#: On a study's page of sources, the place of the code that computes its table: its heading, as an address.
COMPUTES = "what-computes-the-table"
#: How many claims of a kind a chapter's summary names.
_HEAVIEST = 2
#: A formatted number that is none: 'nan', 'nan%', '-nan'.
_NO_NUMBER = re.compile(r"[+-]?\bnan\b%?")
#: Code, equations, HTML tags, addresses of links; and a hyphen that stands for a minus sign.
_VERBATIM = re.compile(r"(```.*?```|`[^`]*`|\$[^$]*\$|<[^>]*>|\]\([^)]*\))", re.DOTALL)
_HYPHEN = re.compile(r"(?<![\w.)-])-(?=\.?\d)")
_POWER = re.compile(r"\b(\d(?:\.\d+)?)e([+-]\d+)\b")
#: English sets no space before the sign.
_PERCENT = re.compile(r"(?<=\d)[ \u00a0\u202f]%")
#: Data sets whose name is written otherwise than a parameter's value.
_NAMES = re.compile(r"\bmnist1d\b")
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def in_words(text: str) -> str:
    """``text`` for a reader: 'nan' and 'nan%' in words, and, outside code and equations, minus signs and no '1e+06'."""
    parts = _VERBATIM.split(_NO_NUMBER.sub("(not measured)", text))
    return "".join(part if place % 2 else _set(part) for place, part in enumerate(parts))


def _set(prose: str) -> str:
    """Prose without code as it is printed."""
    prose = _HYPHEN.sub("\u2212", _POWER.sub(_written_out, prose))
    return _NAMES.sub("MNIST-1D", _PERCENT.sub("%", prose))


def _written_out(found: re.Match[str]) -> str:
    """A number such as 3.6e+03 in digits, 3,600; one of more than seven with a power of ten."""
    digits, exponent = found[1], int(found[2])
    if not -5 < exponent < 7:
        return f"{digits} × 10{str(exponent).translate(_SUPERSCRIPTS)}"
    places = max(0, len(digits.partition(".")[2]) - exponent)
    return f"{float(found[0]):,.{places}f}"


def control_notes(study: Study, title: str, name: str) -> list[str]:
    """What became of the claims in the controls that were published under ``name``: one line, none without any."""
    there = published.names(study)
    failed: list[str] = []
    others: list[str] = []
    files = {control: published.name_of(name, control) for control in {claim.control for claim in study.claims}}
    judged = {control: of_published(study, file) for control, file in files.items() if file in there}
    for claim in study.claims:
        if (found := judged.get(claim.control)) is not None:
            verdict = found[claim.id].verdict
            (failed if verdict == "fails" else others).append(f"{claim.id} ({verdict})")
    if not failed and not others:
        return []
    astray = f"; not so {', '.join(others)}" if others else ""
    return [f"{title}, controls: {len(failed)} of {len(failed) + len(others)} claims fail there as they must{astray}"]


def shown(row: Row, *, figure: str = "", root: str = "../", page: str = "", anchored: bool = True) -> Shown:
    """A claim as a row of a page: the replication first, what it rests on behind it.

    ``figure``: the address of the figure that it is read off. ``root``: address of the book's first folder.
    ``page``: the page on which its argument stands, where that is another one; else the scoreboard is linked.
    ``anchored``: whether the row is the one on its page that bears the claim's address.
    """
    study = row.request.study.name
    anchor = anchor_of(study, row.claim.id)
    links = {"its figure": figure} if figure else {}
    other = {"in its chapter": f"{page}#{anchor}"} if page else {"on the scoreboard": f"{root}scoreboard.html#{anchor}"}
    return Shown(
        row.claim,
        cells(row),
        row.control,
        anchor=anchor if anchored else "",
        links={**links, "its statistic": f"{root}evidence/{study}.html", **other},
        again=f"genbook verify {study}/{row.claim.id}" + ("@replication" if "replication" in row.judgements else ""),
    )


def cells(row: Row) -> dict[str, Cell]:
    """What a claim came out as where it is judged, by the titles of a page's columns: the replication first."""
    discovery = row.request.discovery.spec
    return {
        "Replication": Cell(row.replication, (*_known(row.replication_dataset), *_whence(row, row.replication))),
        "Discovery": Cell(row.discovery, (*_known(dataset_of(discovery)), *_whence(row, row.discovery))),
    }


def _whence(row: Row, judgement: Judgement) -> tuple[str, ...]:
    """Lines under a judgement: that a published table decides it, and why it could not be judged."""
    seeds = f", {judgement.n} seeds" if judgement.n else ""
    return (*((f"published table{seeds}",) if row.published else ()), *why(judgement))


def in_a_line(row: Row) -> str:
    """A claim in a line of Markdown, a link to where the page has it whole; with numbers where it did not replicate."""
    anchor, statement = anchor_of(row.request.study.name, row.claim.id), row.claim.statement.rstrip(".")
    line = f'<a href="#{anchor}">{statement}</a>'
    found = row.replication if row.discovery.verdict == "holds" else row.discovery
    if found.verdict == "holds" or math.isnan(found.estimate):
        return line
    return f"{line} ({found.verdict}: {interval(found.estimate, found.low, found.high)}, asked {wanted(row.claim)})"


def in_short(rows: Sequence[Row], every: Sequence[Row], figure: str) -> str:
    """What a chapter found, in Markdown: the figure to look at, what replicated, what did not; a line each.

    ``rows``: the claims that its answer rests on, the heaviest first, of which a line names so many. ``every``: all of
    its claims, which are counted. The book puts the figure in small before it (`genbook.book.html_pages`).
    """
    exact = [row for row in rows if row.claim.kind == "exact" and tally.fate(row) == "not run"]
    replicated = [row for row in rows if tally.fate(row) == "replicated"]
    others = [row for row in rows if row not in exact and tally.fate(row) not in (None, "replicated")]
    counts = tally.counts(every)
    total, held, unrun = sum(counts.values()), counts["replicated"], counts["not run"]
    of = f" ({held} of {total} claims)" if total else ""
    others_of = f' (<a href="#all-verdicts">{total - held - unrun} of {total}</a>)' if total else ""
    lines = [
        f"**In one figure:** {{numref}}`{figure}`.",
        f"**Replicated**{of}: {_named(replicated)}",
        f"**Did not replicate**{others_of}: {_named(others)}",
    ]
    if exact:
        lines[1] += f" Exact, with nothing to replicate: {_named(exact)}"
    return "\n".join([f'<div class="one-figure"><a href="#{figure}"></a></div>', "", *(f"- {line}" for line in lines)])


def _named(rows: Sequence[Row]) -> str:
    """The first claims as sentences that lead to where the page has them whole."""
    return " ".join(f"{in_a_line(row)}." for row in rows[:_HEAVIEST]) or "none of those that matter most here."


def published_cells(study: Study) -> dict[str, Cell]:
    """By id, what the study's claims came out as on its published tables of the discovery setting, if there are any.

    Of several tables the one with the most seeds is shown, the others stand under it.
    """
    ending = published.ending("discovery")
    names = [name for name in published.names(study) if name.endswith(ending)]
    judged = {name.removesuffix(ending): of_published(study, name) for name in names}
    current = {name: found for name, found in judged.items() if found is not None}
    if not current:
        return {}
    return {claim.id: _widest({name: found[claim.id] for name, found in current.items()}) for claim in study.claims}


def _widest(found: Mapping[str, Judgement]) -> Cell:
    """The judgement of the most seeds, with its table's name, and under it the verdicts on other tables."""
    (name, widest), *others = sorted(found.items(), key=lambda named: -named[1].n)
    return Cell(widest, (f"{name}, {widest.n} seeds", *(f"{other}: {one.verdict}" for other, one in others)))


def why(judgement: Judgement) -> tuple[str, ...]:
    """Why a claim could not be judged, in words; nothing where the numbers say it, or nothing was to be judged."""
    unsaid = judgement.verdict in ("not judged", "not testable") or judgement.censored
    return (judgement.reason,) if unsaid and judgement.reason not in ("", JUDGES_NOTHING) else ()


def _known(dataset: str | None) -> tuple[str, ...]:
    return () if dataset is None else (dataset,)


def _ranges(seeds: tuple[int, ...]) -> str:
    """'0–4' for consecutive seeds, else a list."""
    if len(seeds) > 2 and list(seeds) == list(range(seeds[0], seeds[-1] + 1)):
        return f"{seeds[0]}–{seeds[-1]}"
    return ", ".join(map(str, seeds))
