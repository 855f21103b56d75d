"""Pieces of HTML that look the same on every page: verdict badges and tables of claims (styled by book.css)."""

import functools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, get_args

from genbook.base.claims import Claim, Judgement, Verdict

if TYPE_CHECKING:
    import jinja2

VERDICTS: tuple[Verdict, ...] = get_args(Verdict)

#: What stands before a claim's source, by the claim's origin.
ORIGINS = {"paper": "", "consequence": "follows from ", "ours": "this book's own, after "}

# No line of it is blank: that would end the block of HTML in a page that is Markdown.
_CLAIMS = """\
<div class="claims-frame"><table class="claims">
<thead><tr><th scope="col">Claim</th>
{%- for title in titles %}<th scope="col">{{ title }}</th>{% endfor %}</tr></thead>
<tbody>
{%- for claim, cells in rows %}
<tr><th scope="row"><span class="statement">{{ claim.statement | prose | safe }}</span>
<span class="details">holds if {{ claim | wanted | safe }} {{ claim.threshold_text | prose | safe }}</span>
<span class="details"><code>{{ claim.id }}</code>
{%- if claim.source and not brief %} · {{ claim.origin | origin }}<a href="{{ references }}#{{ claim.source }}">
{{- claim.source | citation }}</a>{% endif %}
{%- if claim.reported and not brief %} · reported there: {{ claim.reported | prose | safe }}{% endif %}</span>
{%- if claim.note and not brief %}<span class="details">{{ claim.note | prose | safe }}</span>{% endif %}</th>
{%- for title, cell in cells.items() %}
<td data-label="{{ title }}">{% if cell %}{{ cell.judgement.verdict | badge | safe }}
{%- if cell.judgement | estimated %}<span class="numbers">{{ cell.judgement | interval | safe }}</span>{% endif %}
{%- for detail in cell.details %}<span class="details">{{ detail }}</span>{% endfor %}{% endif %}</td>
{%- endfor %}</tr>
{%- endfor %}
</tbody>
{%- if notes %}
<tfoot><tr><th colspan="{{ 1 + titles | length }}">
{%- for note in notes %}<span class="details">{{ note }}</span>{% endfor %}</th></tr></tfoot>
{%- endif %}</table></div>"""


@dataclass(frozen=True)
class Cell:
    """What a claim came out as in one setting, as a page shows it.

    ``details``: lines under the numbers, such as the data set.
    """

    judgement: Judgement
    details: tuple[str, ...] = ()


def verdict_badge(verdict: str) -> str:
    """Return a verdict as a badge, ``<span class="verdict holds">holds</span>``.

    Raises:
        ValueError: what is no verdict.
    """
    if verdict not in VERDICTS:
        raise ValueError(f"unknown verdict {verdict!r}; one of {', '.join(VERDICTS)}")
    return f'<span class="verdict {verdict.replace(" ", "-")}">{verdict}</span>'


def claims_table(
    rows: Sequence[tuple[Claim, Mapping[str, Cell | None]]],
    notes: Sequence[str] = (),
    references: str = "../references.html",
    *,
    brief: bool = False,
) -> str:
    """Return claims as a table: statement, threshold and source first, then a column a setting or a table.

    Args:
        rows: for each claim, by the column's title, what it came out as there, None where it has no table;
            all with the same titles.
        notes: lines under the table, such as where each column comes from.
        references: address of the bibliography, relative to the page.
        brief: without source, the paper's own number and note, where the page has them already.
    """
    titles = list(rows[0][1]) if rows else []
    return _template().render(rows=rows, titles=titles, notes=notes, references=references, brief=brief)


@functools.cache
def _template() -> "jinja2.Template":
    import jinja2

    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    environment.filters |= {
        "badge": verdict_badge,
        "citation": citation,
        "estimated": lambda judgement: not math.isnan(judgement.estimate),
        "interval": lambda judgement: interval(judgement.estimate, judgement.low, judgement.high),
        "origin": ORIGINS.__getitem__,
        "prose": _text,
        "wanted": _wanted,
    }
    return environment.from_string(_CLAIMS)


def citation(key: str) -> str:
    """Return a key of the bibliography as a reader's citation: ``zhang-et-al-2017`` gives ``Zhang et al. 2017``."""
    *names, year = key.split("-")
    if not names or not year.isdigit():
        return key
    if names[-2:] == ["et", "al"]:
        return f"{' '.join(names[:-2]).title()} et al. {year}"
    return f"{' & '.join(name.title() for name in names)} {year}"


def number(value: float | None, decimals: int | None = None) -> str:
    """Return a number to three significant digits, or to ``decimals``; a dash where there is none.

    Beyond four digits either way it is written with a power of ten: 0.000012 gives ``1.2 × 10⁻⁵`` in HTML.
    """
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == 0:
        return "0"
    if decimals is None and not 1e-3 <= abs(value) < 1e4:
        mantissa, exponent = f"{value:.1e}".split("e")
        return f"{mantissa}\u00a0×\u00a010<sup>{int(exponent)}</sup>".replace("-", "−")
    return f"{value:.{_decimals(value) if decimals is None else decimals}f}".replace("-", "−")


def interval(estimate: float | None, low: float | None, high: float | None) -> str:
    """Return an estimate with its interval, ``0.981 [0.977, 0.985]``; an exact one without.

    The three have as many decimals as the one that needs fewest for three significant digits.
    """
    if low is None or high is None or math.isnan(low) or math.isnan(high) or low == high:
        return number(estimate)
    ends = [value for value in (estimate, low, high) if value and math.isfinite(value)]
    plain = ends and all(1e-3 <= abs(value) < 1e4 for value in ends)
    decimals = min(map(_decimals, ends)) if plain else None
    low_text, high_text = number(low, decimals), number(high, decimals)
    return f'{number(estimate, decimals)} <span class="interval">[{low_text}, {high_text}]</span>'


def _decimals(value: float) -> int:
    """Return the decimals with which a number has three significant digits."""
    return max(0, 2 - math.floor(math.log10(abs(value))))


def _plain_decimals(threshold: float) -> int | None:
    """Return the decimals with which a threshold was written, 1 for 1.5; None for a very small one or a third."""
    decimals = len(f"{threshold:.10f}".rstrip("0").partition(".")[2])
    return decimals if decimals <= 4 and (abs(threshold) >= 1e-3 or threshold == 0) else None


def _wanted(claim: Claim) -> str:
    return f"{escape(claim.relation)}\u00a0{number(claim.threshold, _plain_decimals(claim.threshold))}"


def _text(text: str) -> str:
    r"""Return text as HTML, its ``$...$`` as maths that the page's MathJax sets."""
    maths = r'<span class="math notranslate nohighlight">\(\1\)</span>'
    return re.sub(r"\$([^$]+)\$", maths, escape(text, quote=False))
