"""How tables and claims are told on a page: a line of provenance, the cells of a claims table."""

from __future__ import annotations

import re

from genbook.base.claims import JUDGES_NOTHING, Judgement
from genbook.figures.html import Cell
from genbook.results import published
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


#: A formatted number that is none: 'nan', 'nan%', '-nan'.
_NO_NUMBER = re.compile(r"[+-]?\bnan\b%?")


def in_words(text: str) -> str:
    """``text`` for a reader: what was not measured is said in words, where a format has left 'nan' or 'nan%'."""
    return _NO_NUMBER.sub("(not measured)", text)


def control_notes(study: Study, title: str, name: str) -> list[str]:
    """What became of the claims in the controls that were published under ``name``: one line, none without any."""
    failed, others = [], []
    for claim in study.claims:
        file = published.name_of(name, claim.control)
        if file in published.names(study) and (found := of_published(study, file)) is not None:
            verdict = found[claim.id].verdict
            (failed if verdict == "fails" else others).append(f"{claim.id} ({verdict})")
    if not failed and not others:
        return []
    astray = f"; not so {', '.join(others)}" if others else ""
    return [f"{title}, controls: {len(failed)} of {len(failed) + len(others)} claims fail there as they must{astray}"]


def cells(row: Row) -> dict[str, Cell]:
    """What a claim came out as, by the titles of a page's columns: the replication first."""
    discovery = row.request.discovery.spec
    return {
        "Replication": Cell(row.replication, (*_known(row.replication_dataset), *why(row.replication))),
        "Discovery": Cell(row.discovery, (*_known(dataset_of(discovery)), *why(row.discovery))),
        "Control": Cell(row.control, (row.claim.control,)),
    }


def published_cell(row: Row) -> Cell | None:
    """What the claim came out as on published tables of the discovery setting; None where there is none.

    Of several the one with the most seeds is shown, the others stand under it.
    """
    study, ending = row.request.study, published.ending("discovery")
    found = [
        (name.removesuffix(ending), judged[row.claim.id])
        for name in published.names(study)
        if name.endswith(ending) and (judged := of_published(study, name)) is not None
    ]
    if not found:
        return None
    found.sort(key=lambda named: -named[1].n)
    others = (f"{name}: {judgement.verdict}" for name, judgement in found[1:])
    return Cell(found[0][1], (f"{found[0][0]}, {found[0][1].n} seeds", *others))


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
