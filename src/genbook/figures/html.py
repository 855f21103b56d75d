"""Pieces of HTML that look the same on every page: verdict badges and the table of claims (styled by book.css)."""

import math
import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

VERDICTS = ("holds", "fails", "undecided", "not judged", "not run")


def verdict_badge(verdict: str) -> str:
    """Return a verdict as a badge, ``<span class="verdict holds">holds</span>``.

    Raises:
        ValueError: what is no verdict.
    """
    if verdict not in VERDICTS:
        raise ValueError(f"unknown verdict {verdict!r}; one of {', '.join(VERDICTS)}")
    return f'<span class="verdict {verdict.replace(" ", "-")}">{verdict}</span>'


def claims_table(rows: Sequence[Mapping[str, Any]], references: str = "../references.html") -> str:
    """Return claims as a table: statement and source, threshold, and what came out in each world.

    Args:
        rows: one mapping for each claim, with the keys of ``genbook claims --json``, and optionally ``reported`` (the
            paper's own number) and ``note`` (why ours differs). Numbers may be None or NaN where a world was not run.
        references: address of the bibliography, relative to the page.
    """
    body = "\n".join(_claim_row(row, references) for row in rows)
    return (
        '<div class="claims-frame"><table class="claims dataframe">\n<thead><tr>'
        '<th scope="col">Claim</th><th scope="col">Threshold</th><th scope="col">Main</th>'
        '<th scope="col">Confirmation</th><th scope="col">Null world</th></tr></thead>\n'
        f"<tbody>\n{body}\n</tbody></table></div>"
    )


def citation(key: str) -> str:
    """Return a key of the bibliography as a reader's citation: ``zhang-et-al-2017`` gives ``Zhang et al. 2017``."""
    *names, year = key.split("-")
    if not names or not year.isdigit():
        return key
    *first, last = " ".join(name.capitalize() for name in names).replace("Et Al", "et al.").split(" ")
    if last == "al." or not first:
        return " ".join([*first, last, year])
    return f"{', '.join(first)} & {last} {year}"


def number(value: float | None) -> str:
    """Return a number to three significant digits, a dash where there is none.

    Beyond four digits either way it is written with a power of ten: 0.000012 gives ``1.2 × 10⁻⁵`` in HTML.
    """
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value != 0 and not 1e-3 <= abs(value) < 1e4:
        mantissa, exponent = f"{value:.1e}".split("e")
        return f"{mantissa} × 10<sup>{int(exponent)}</sup>".replace("-", "−")
    digits = 3 if value == 0 else max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:.{digits}f}".replace("-", "−") if value else "0"


def interval(estimate: float | None, low: float | None, high: float | None) -> str:
    """Return an estimate with its interval, ``0.981 [0.977, 0.985]``; an exact one without."""
    if low is None or high is None or math.isnan(low) or math.isnan(high) or low == high:
        return number(estimate)
    return f'{number(estimate)} <span class="interval">[{number(low)}, {number(high)}]</span>'


def _claim_row(row: Mapping[str, Any], references: str) -> str:
    details = [f"<code>{escape(row['id'])}</code>"]
    if row.get("source"):
        details.append(f'<a href="{escape(references)}#{escape(row["source"])}">{escape(citation(row["source"]))}</a>')
    if row.get("reported"):
        details.append(f"reported there: {_text(row['reported'])}")
    claim = f'<span class="statement">{_text(row["statement"])}</span>'
    claim += f'<span class="details">{" · ".join(details)}</span>'
    if row.get("note"):
        claim += f'<span class="details">{_text(row["note"])}</span>'
    relation = "≈" if row.get("kind") == "exact" else escape(row["relation"])
    threshold = _text(row.get("threshold_text") or "") or f"{relation} {number(row['threshold'])}"
    worlds = "".join(
        f'<td data-label="{label}">{_world(row, prefix, dataset)}</td>'
        for label, prefix, dataset in (
            ("Main", "", row.get("dataset")),
            ("Confirmation", "confirm_", row.get("confirm_dataset")),
            ("Null world", "null_", None),
        )
    )
    return f'<tr><th scope="row">{claim}</th><td data-label="Threshold">{threshold}</td>{worlds}</tr>'


def _world(row: Mapping[str, Any], prefix: str, dataset: str | None) -> str:
    verdict = row.get(f"{prefix}verdict") or "not run"
    parts = [verdict_badge(verdict)]
    if (estimate := row.get(f"{prefix}estimate")) is not None and not math.isnan(estimate):
        numbers = interval(estimate, row.get(f"{prefix}low"), row.get(f"{prefix}high"))
        parts.append(f'<span class="numbers">{numbers}</span>')
    if dataset:
        parts.append(f'<span class="details">{escape(dataset)}</span>')
    return "".join(parts)


def _text(text: str) -> str:
    r"""Return text as HTML, its ``$...$`` as maths that the page's MathJax sets."""
    maths = r'<span class="math notranslate nohighlight">\(\1\)</span>'
    return re.sub(r"\$([^$]+)\$", maths, escape(text, quote=False))
