"""Pieces of HTML that look the same on every page: verdict badges and tables of claims (styled by book.css)."""

import functools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any, get_args

from genbook.base.claims import Claim, Judgement, Verdict

if TYPE_CHECKING:
    import jinja2

VERDICTS: tuple[Verdict, ...] = get_args(Verdict)

#: What stands before a claim's source, by the claim's origin.
ORIGINS = {"paper": "", "consequence": "follows from ", "ours": "this book's own, after "}

# No line of them is blank: that would end the block of HTML in a page that is Markdown.
_CLAIMS = """\
<div class="claims-frame"><table class="claims">
<thead><tr><th scope="col">Claim</th>
{%- for title in titles %}<th scope="col">{{ title }}</th>{% endfor %}</tr></thead>
<tbody>
{%- for row in rows %}
{%- set claim = row.claim %}
<tr{% if row.anchor %} id="{{ row.anchor }}"{% endif %} data-relation="{{ claim.relation }}" \
data-scale="{{ claim.scale }}" data-threshold="{{ claim.threshold }}" data-origin="{{ claim.origin }}" \
data-fate="{{ row.fate }}"><th scope="row">
<span class="statement">{{ claim.statement | prose | safe }}</span>
<span class="details">holds if&nbsp;<span class="wanted">{{ claim | wanted | safe }}</span> \
{{ claim.threshold_text | prose | safe }}</span>
{%- if brief %}<span class="details"><code>{{ claim.id }}</code></span>{% else %}
<details class="evidence"><summary><code>{{ claim.id }}</code></summary><ul>
{%- if row.control %}<li>Control, <em>{{ claim.control }}</em>: {{ row.control | controlled | safe }}</li>{% endif %}
{%- if claim.source %}<li>{{ claim.origin | origin }}<a href="{{ root }}references.html#{{ claim.source }}">
{{- claim.source | citation }}</a>
{%- if claim.reported %}; reported there: {{ claim.reported | prose | safe }}{% endif %}</li>{% endif %}
{%- if claim.note %}<li>{{ claim.note | prose | safe }}</li>{% endif %}
{%- if row.links %}<li>
{%- for words, address in row.links.items() %}{{ " · " if not loop.first -}}
<a href="{{ address }}">{{ words }}</a>{% endfor -%}
</li>{% endif %}
{%- if row.again %}<li>Again: <code>{{ row.again }}</code></li>{% endif %}</ul></details>{% endif %}</th>
{%- for title, cell in row.cells.items() %}
<td data-label="{{ title }}"{{ cell | ends | safe }}>{% if cell %}{{ cell.judgement.verdict | badge | safe }}
{%- if cell.judgement | estimated %}<span class="numbers">{{ cell.judgement | interval | safe }}</span>{% endif %}
{%- for detail in cell.details %}<span class="details">{{ detail }}</span>{% endfor %}{% endif %}</td>
{%- endfor %}</tr>
{%- endfor %}
</tbody>
{%- if notes %}
<tfoot><tr><th colspan="{{ 1 + titles | length }}"><details class="evidence">
<summary>Where these columns come from</summary><ul>
{%- for note in notes %}<li>{{ note }}</li>{% endfor %}</ul></details></th></tr></tfoot>
{%- endif %}</table></div>"""


_OVERVIEW = """\
<details class="all-claims"><summary>All {{ rows | length }} claims on one list</summary>
<div class="claims-frame"><table class="overview">
<thead><tr><th scope="col">Claim</th>{% for title in titles %}<th scope="col">{{ title }}</th>{% endfor %}</tr></thead>
<tbody>
{%- for row in rows %}
<tr><th scope="row"><a href="#{{ row.anchor }}">{{ row.claim.statement | prose | safe }}</a></th>
{%- for title, cell in row.cells.items() %}
<td data-label="{{ title }}">{% if cell %}{{ cell.judgement.verdict | badge | safe }}{% endif %}</td>
{%- endfor %}</tr>
{%- endfor %}
</tbody></table></div></details>"""

_BAR = """\
<div class="fates" role="img" aria-label="{{ label }}">
{%- for fate, count in counts.items() %}
{%- if count %}<span class="{{ fate | replace(' ', '-') }}" style="flex-grow: {{ count }}"></span>{% endif %}
{%- endfor %}</div>"""

_LEGEND = """\
<ul class="fates-legend">
{%- for fate in fates %}<li><span class="{{ fate | replace(' ', '-') }}"></span>{{ fate }}</li>{% endfor -%}
</ul>"""

_SQUARES = """\
<div class="units"><span class="of">{{ title }}</span><span class="row">
{%- for fate, address, words in links %}<a class="{{ fate | replace(' ', '-') }}" href="{{ address }}" \
title="{{ words }}" aria-label="{{ words }}"></a>{% endfor -%}
</span></div>"""


@dataclass(frozen=True)
class Cell:
    """What a claim came out as in one setting, as a page shows it.

    ``details``: lines under the numbers, such as the data set.
    """

    judgement: Judgement
    details: tuple[str, ...] = ()


@dataclass(frozen=True)
class Shown:
    """A claim as a row of a table.

    ``cells``: by the column's title, what it came out as there, None where it has no table. ``control``: what it came
    out as in its control. ``anchor``: the row's address on its page, such as `anchor_of` gives; empty where the page
    has the claim in another row. ``links``: by their words, addresses of what belongs to it: its figure, the source of
    its statistic. ``again``: the command that computes it again. ``fate``: what became of it
    in discovery and replication together, for who counts the rows.
    """

    claim: Claim
    cells: Mapping[str, Cell | None]
    control: Judgement | None = None
    anchor: str = ""
    links: Mapping[str, str] = field(default_factory=dict)
    again: str = ""
    fate: str = ""


def anchor_of(study: str, claim: str) -> str:
    """The address of a claim on the page of its chapter and on the scoreboard, ``claim-random_labels-all-fit``."""
    return f"claim-{study}-{claim}"


def verdict_badge(verdict: str) -> str:
    """Return a verdict as a badge, ``<span class="verdict holds">holds</span>``.

    Raises:
        ValueError: what is no verdict.
    """
    if verdict not in VERDICTS:
        raise ValueError(f"unknown verdict {verdict!r}; one of {', '.join(VERDICTS)}")
    return f'<span class="verdict {verdict.replace(" ", "-")}">{verdict}</span>'


def claims_table(rows: Sequence[Shown], notes: Sequence[str] = (), root: str = "../", *, brief: bool = False) -> str:
    """Return claims as a table: statement and threshold first, then a column a setting or a table.

    What a claim rests on (control, source, the paper's own number, note, links) is folded under its id.

    Args:
        rows: the claims, all with the same columns.
        notes: lines under the table, such as where each column comes from.
        root: address of the book's first folder, relative to the page.
        brief: without what is folded, where the page has it already.
    """
    titles = list(rows[0].cells) if rows else []
    return _template(_CLAIMS).render(rows=rows, titles=titles, notes=notes, root=root, brief=brief)


def overview(rows: Sequence[Shown]) -> str:
    """Return claims as a folded list with their verdicts, each a link to where the page has it whole."""
    titles = list(rows[0].cells) if rows else []
    return _template(_OVERVIEW).render(rows=rows, titles=titles)


def fates_bar(counts: Mapping[Any, int]) -> str:
    """Return how many claims came to each fate as one bar, its parts as long as the counts (styled by book.css)."""
    label = ", ".join(f"{count} {fate}" for fate, count in counts.items() if count)
    return _template(_BAR).render(counts=counts, label=label or "nothing judged")


def fates_legend(fates: Sequence[str]) -> str:
    """Return which colour of a bar or square stands for which fate."""
    return _template(_LEGEND).render(fates=fates)


def squares(title: str, links: Sequence[tuple[str, str, str]]) -> str:
    """Return a row of squares, one a claim: (fate, address, what is said of it)."""
    return _template(_SQUARES).render(title=title, links=links)


@functools.cache
def _template(text: str) -> "jinja2.Template":
    import jinja2

    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    environment.filters |= {
        "badge": verdict_badge,
        "citation": citation,
        "controlled": _controlled,
        "ends": _ends,
        "estimated": lambda judgement: not math.isnan(judgement.estimate),
        "interval": lambda judgement: interval(judgement.estimate, judgement.low, judgement.high),
        "origin": ORIGINS.__getitem__,
        "prose": _text,
        "wanted": wanted,
    }
    return environment.from_string(text)


def _controlled(judgement: Judgement) -> str:
    """What came out in a control: quietly that it failed, as it must, and loudly anything else."""
    told = {"fails": "fails, as it must", "not judged": "not judged", "not run": "not run"}
    words = told.get(judgement.verdict, f"{verdict_badge(judgement.verdict)}, where it must fail")
    if math.isnan(judgement.estimate):
        return words
    return f"{interval(judgement.estimate, judgement.low, judgement.high)}: {words}"


def _ends(cell: Cell | None) -> str:
    """The ends of an interval as data of a table's cell, where they and the threshold decide the verdict."""
    if cell is None or cell.judgement.verdict not in ("holds", "fails", "undecided") or cell.judgement.censored:
        return ""
    low, high = cell.judgement.low, cell.judgement.high
    return f' data-low="{low:.6g}" data-high="{high:.6g}"' if math.isfinite(low) and math.isfinite(high) else ""


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

    The three have as many decimals as the one that needs fewest for three significant digits, and more only where one
    of them would be rounded to zero.
    """
    if low is None or high is None or math.isnan(low) or math.isnan(high) or low == high:
        return number(estimate)
    finite = [abs(value) for value in (estimate, low, high) if value and math.isfinite(value)]
    negligible = 1e-9 * max(finite, default=0.0)  # beside the others no more than an error of rounding
    estimate, low, high = (
        0.0 if value is not None and abs(value) <= negligible else value for value in (estimate, low, high)
    )
    sizes = [size for size in finite if size > negligible]
    plain = sizes and 1e-3 <= max(sizes) < 1e4 and min(sizes) >= 1e-4
    decimals = max(min(map(_decimals, sizes)), _decimals(min(sizes)) - 2) if plain else None
    low_text, high_text = number(low, decimals), number(high, decimals)
    return f'{number(estimate, decimals)} <span class="interval">[{low_text}, {high_text}]</span>'


def _decimals(value: float) -> int:
    """Return the decimals with which a number has three significant digits."""
    return max(0, 2 - math.floor(math.log10(abs(value))))


def _plain_decimals(threshold: float) -> int | None:
    """Return the decimals with which a threshold was written, 1 for 1.5; None for a very small one or a third."""
    decimals = len(f"{threshold:.10f}".rstrip("0").partition(".")[2])
    return decimals if decimals <= 4 and (abs(threshold) >= 1e-3 or threshold == 0) else None


def wanted(claim: Claim) -> str:
    """Return on which side of which threshold a claim holds, ``&gt; 0.5``, as HTML."""
    return f"{escape(claim.relation)}\u00a0{number(claim.threshold, _plain_decimals(claim.threshold))}"


def _text(text: str) -> str:
    r"""Return text as HTML, its ``$...$`` as maths that the build sets (`genbook.book.maths`)."""
    maths = r'<span class="math notranslate nohighlight">\(\1\)</span>'
    text = re.sub(r"(?<=\d)[ \u00a0\u202f]%", "%", text)  # English sets no space before the sign
    return re.sub(r"\$([^$]+)\$", maths, escape(text, quote=False))
