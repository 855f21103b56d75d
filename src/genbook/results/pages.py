"""How tables and claims are told on a page: a line of provenance, a row of a claims table."""

from __future__ import annotations

import re
from typing import Any

from genbook.base.claims import judge
from genbook.results import published
from genbook.results.table import Table
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


def null_notes(study: Study, title: str, name: str) -> list[str]:
    """What became of the claims in the null worlds that were published under ``name``: one line, none without any."""
    failed, others = [], []
    for claim in study.claims:
        file = published.name_of(name, claim.null)
        if file in published.names(study) and (table := published.table(study, file)) is not None:
            verdict = judge(claim, table.frame, table.spec).verdict
            (failed if verdict == "fails" else others).append(f"{claim.id} ({verdict})")
    if not failed and not others:
        return []
    astray = f"; not so {', '.join(others)}" if others else ""
    return [
        f"{title}, null worlds: {len(failed)} of {len(failed) + len(others)} claims fail there as they must{astray}"
    ]


def row_for_page(row: Row) -> dict[str, Any]:
    """A claim's row with what only a page shows: the paper's own number, the reason for a difference, the worlds' n."""
    return {
        **row.as_dict(),
        "reported": row.claim.reported,
        "note": row.claim.note,
        "threshold_text": row.claim.threshold_text,
        "null": row.claim.null,
        "n": row.main.n,
        "censored": row.main.censored,
        "confirm_low": row.confirm.low,
        "confirm_high": row.confirm.high,
    }


def _ranges(seeds: tuple[int, ...]) -> str:
    """'0–4' for consecutive seeds, else a list."""
    if len(seeds) > 2 and list(seeds) == list(range(seeds[0], seeds[-1] + 1)):
        return f"{seeds[0]}–{seeds[-1]}"
    return ", ".join(map(str, seeds))
