"""Figures that answer the reader's hand, on the page, in print and in JupyterLab, from one description.

`Moving` is drawn from stored tables: each panel is a specification of Vega-Lite, written with altair. It is compiled
while the chapter is executed. The page carries what it shows at first as SVG, for who has no scripts and for print, the
compiled panels and the data, from which `book/assets/moving/grammar.js` draws anew at every move of a control, and the
controls. JupyterLab draws the specification itself. `Live` is for what is computed in the page by a script of the
book's own. Both go to `genbook.figures.show` like any figure.
"""

from __future__ import annotations

import functools
import html
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from genbook.base.stats import Scale
from genbook.figures import controls as inputs
from genbook.figures import style
from genbook.figures.controls import Choice, Control, Slider, Ticks, link, task
from genbook.figures.draw import intervals

if TYPE_CHECKING:
    import altair as alt

__all__ = ["Choice", "Live", "Moving", "Panel", "Slider", "Table", "Ticks", "chart", "ink", "link", "summaries", "task"]

#: Size of a panel that shares the column with another, in pixels; on a telephone it has the column for itself.
WIDTH, HEIGHT = 330, 290
#: Data of one figure as they stand on the page, in bytes; all figures of a page together have no more.
LIMIT = 150_000
#: The style of text marks that are kept apart.
APART = "apart"
#: Significant digits of the data on the page.
_DIGITS = 4
#: What JupyterLab 4 draws by itself.
MIME = "application/vnd.vegalite.v5+json"
_VEGA_LITE = "6.4"


def ink(name: str) -> str:
    """Return a colour of `style.COLORS` or `style.FRAME` as the page has it, light or dark."""
    return f"var(--fig-{name}, {(style.COLORS | style.FRAME)[name]})"


def chart(data: str) -> alt.Chart:
    """Return an empty chart of the figure's data of that name; types of its encodings must be told (``width:Q``)."""
    import altair as alt

    return alt.Chart(alt.NamedData(data))


#: The names of signals that every specification of Vega has.
_VEGAS_OWN = {"autosize", "background", "cursor", "height", "padding", "width"}


@dataclass(frozen=True)
class Panel:
    """One panel.

    Args:
        chart: it may use the controls' parameters by their names.
        title: above it.
        moves: the slider that is moved to where the panel is pointed at, along its x axis (scale ``x``).
        picks: (field, control) pairs: what is pointed at sets each control to its value of the field, until the pointer
            leaves it; a click keeps it.
        size: of all that belongs to it, in pixels.
    """

    chart: alt.TopLevelMixin
    title: str = ""
    moves: Slider | None = None
    picks: Sequence[tuple[str, str]] = ()
    size: tuple[int, int] = (WIDTH, HEIGHT)


@dataclass(frozen=True)
class Table:
    """The data as a table, at the state that is seen: the things of the mark ``mark`` (its chart's name), by column.

    ``columns``: (field, head, format as ``.1%``, empty for words) each.
    """

    mark: str
    columns: Sequence[tuple[str, str, str]]


@dataclass(frozen=True)
class Moving:
    """A figure from stored tables.

    Args:
        data: by name, the tidy rows that the charts are drawn from; the page has them to four digits.
        panels: side by side, one under the other on a telephone.
        controls: what the reader moves.
        words: a chart of text marks that say in words what is seen; a screen reader hears it at each move.
        table: the data as a table.
    """

    data: Mapping[str, pd.DataFrame]
    panels: Sequence[Panel]
    controls: Sequence[Control]
    words: alt.TopLevelMixin
    table: Table
    cache: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse controls whose names mean something else to Vega: one called 'width' would set the figure's."""
        if taken := sorted({control.name for control in self.controls} & _VEGAS_OWN):
            raise ValueError(f"a control cannot be called {taken[0]!r}, which Vega has for itself; choose another name")

    def html(self, name: str, alt: str) -> str:
        """The figure as the page has it; raises `ValueError` where its data are too many for a page."""
        columns = {key: columnar(rows) for key, rows in self.data.items()}
        size = len(_json(columns))
        if size > LIMIT:
            raise ValueError(f"{name}: {size / 1000:.0f} kB of data; a page bears {LIMIT / 1000:.0f}")
        panels = [self._compiled(panel) for panel in self.panels]
        words = _compiled(self.words, self.controls)
        stored = {
            "data": columns,
            "panels": panels,
            "words": words,
            "table": {"mark": f"{self.table.mark}_marks", "columns": [list(column) for column in self.table.columns]},
        }
        rounded = {key: whole(column) for key, column in columns.items()}
        drawn = "".join(
            f'<div class="panel"{_frame_of(panel)}>{_still(spec, rounded, f"{name}-{k}")}</div>'
            for k, (panel, spec) in enumerate(zip(self.panels, panels, strict=True))
        )
        said = re.sub(" +", " ", " ".join(_texts(_svg(words, rounded))))
        return _frame(name, alt, "grammar", ("vega.js", "grammar.js"), drawn, self.controls, said, stored, numbers=True)

    def outputs(self) -> dict[str, Any]:
        """What JupyterLab shows: the panels side by side, with inputs that Vega makes."""
        import altair as alt

        whole_figure = alt.hconcat(*[_sized(panel.chart, panel.size, panel.title) for panel in self.panels])
        spec = _specification(whole_figure, self.controls, bound=True)
        spec["$schema"] = "https://vega.github.io/schema/vega-lite/v5.json"
        rounded = {key: whole(columnar(rows)) for key, rows in self.data.items()}
        return {MIME: _in_plain_colours(spec | {"datasets": rounded})}

    def _compiled(self, panel: Panel) -> dict[str, Any]:
        # all that belongs to it has the panel's size, so that letters are as large in the one beside it
        sized = _sized(panel.chart, panel.size, panel.title).properties(autosize={"type": "fit", "contains": "padding"})
        return _compiled(sized, self.controls)


@dataclass(frozen=True)
class Live:
    """A figure that a script of the book's own computes and draws in the page.

    Args:
        draw: the drawing, ``genbook.live.DRAW(element, data)``.
        scripts: files of ``book/assets/moving/`` in their order, such as ``("d3.js", "toy.js")``.
        still: HTML, usually SVG, of what it shows at first: for who has no scripts, for print, and until it has come.
            The script finds it as ``.panels`` and puts its drawing in the place.
        controls: what the reader moves.
        words: what is seen at first, in words; the script keeps it up in ``.seen``.
        data: what the script gets, as JSON.
        numbers: whether the script tells its numbers as a table (``genbook.table``).
    """

    draw: str
    scripts: Sequence[str]
    still: str
    controls: Sequence[Control]
    words: str
    data: Any = None
    numbers: bool = False

    def html(self, name: str, alt: str) -> str:
        """The figure as the page has it; raises `ValueError` where its data are too many for a page."""
        if (size := len(_json(self.data))) > LIMIT:
            raise ValueError(f"{name}: {size / 1000:.0f} kB of data; a page bears {LIMIT / 1000:.0f}")
        return _frame(
            name, alt, self.draw, self.scripts, self.still, self.controls, self.words, self.data, numbers=self.numbers
        )

    def outputs(self) -> dict[str, Any]:
        """What JupyterLab shows: the first state."""
        return {"text/html": self.still}


def summaries(
    table: pd.DataFrame, x: str, y: str, by: Sequence[str], scale: Scale = "identity", continuity: float | None = None
) -> pd.DataFrame:
    """Return mean and interval over seeds of ``y`` at each ``x``, of each condition: ``estimate``, ``low``, ``high``.

    For what no control of seeds changes; where one does, `genbook.figures.grammar.over_seeds` computes them anew.
    """
    parts = []
    for condition, rows in table.groupby(list(by), observed=True):
        found = intervals(rows, x, y, scale=scale, continuity=continuity).drop(columns="n").reset_index()
        parts.append(found.assign(**dict(zip(by, condition, strict=True))))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=[x, "estimate", "low", "high", *by])


def columnar(rows: pd.DataFrame) -> dict[str, Any]:
    """Return a table by columns, numbers to four digits; a column of few levels as those and where each stands."""
    found: dict[str, Any] = {}
    for name in rows.columns:
        column = [_short(value) for value in rows[name]]
        levels = list(dict.fromkeys(column))
        if len(levels) * 3 < len(column):
            places = {level: k for k, level in enumerate(levels)}
            found[str(name)] = {"of": levels, "at": [places[value] for value in column]}
        else:
            found[str(name)] = column
    return found


def whole(columns: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of what `columnar` has written."""
    lists = {k: c if isinstance(c, list) else [c["of"][at] for at in c["at"]] for k, c in columns.items()}
    return [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]


def _short(value: Any) -> Any:
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        if not np.isfinite(value):
            return None
        rounded = float(f"{value:.{_DIGITS}g}")
        return int(rounded) if rounded.is_integer() and abs(rounded) < 1e9 else rounded
    return str(value)


def _frame(
    name: str,
    alt: str,
    draw: str,
    scripts: Sequence[str],
    drawn: str,
    controls: Sequence[Control],
    said: str,
    stored: Any,
    *,
    numbers: bool,
) -> str:
    """The parts of every moving figure, in the order in which they are met."""
    data = "" if stored is None else f'<script type="application/json">{_json(stored)}</script>'
    table = '<details class="seen-numbers" hidden><summary>The numbers that are seen</summary></details>'
    return (
        f'<div class="moving" data-draw="{draw}" data-scripts="{" ".join(scripts)}">'
        f'<div class="panels" role="img" aria-label="{html.escape(alt)}">{drawn}</div>'
        f"{inputs.group(controls, name, 'What the figure shows')}"
        f'<p class="seen" role="status">{html.escape(said)}</p>{table if numbers else ""}{data}</div>'
    )


def _json(value: Any) -> str:
    """JSON that may stand in a script element: it does not end there, no comment begins; what is no number is null."""
    finite = json.loads(json.dumps(value), parse_constant=lambda name: None)
    return json.dumps(finite, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c")


def _frame_of(panel: Panel) -> str:
    """How large it grows, and what it does where it is pointed at."""
    # where it stands alone in a row it would grow to the row's width, and its letters with it
    held = f' style="max-width: {round(1.15 * panel.size[0])}px"'
    if panel.moves:
        steps = html.escape(json.dumps(list(panel.moves.values)))
        return held + f' data-moves="{panel.moves.name}_index" data-steps="{steps}"'
    if panel.picks:
        return held + f' data-picks="{html.escape(json.dumps(list(panel.picks)))}"'
    return held


# --- specifications -------------------------------------------------------------------------------------------------


def _sized(drawn: Any, size: tuple[int, int], title: str) -> Any:
    drawn = drawn.properties(width=size[0], height=size[1])
    return drawn.properties(title=title) if title else drawn


def _config() -> dict[str, Any]:
    """The look of the book's figures."""
    text = {"labelColor": ink("text"), "titleColor": ink("text"), "labelFontSize": 11, "titleFontSize": 12}
    axis = {"domainColor": ink("axis"), "tickColor": ink("axis"), "gridColor": ink("grid"), "titleFontWeight": "normal"}
    return {
        "aria": False,
        "background": "transparent",
        "font": "DejaVu Sans, sans-serif",
        "padding": {"left": 2, "right": 4, "top": 2, "bottom": 2},
        "view": {"stroke": None},
        "axis": {**text, **axis, "labelOverlap": "greedy", "tickSize": 4, "titlePadding": 6},
        "axisX": {"grid": False},
        "axisY": {"ticks": False, "labelPadding": 5},
        "legend": {**text, "title": None, "orient": "top", "symbolSize": 40, "symbolOpacity": 1},
        "title": {"anchor": "start", "fontWeight": "normal", "fontSize": 12, "color": ink("text")},
        "text": {"color": ink("text"), "fontSize": 11},
        "line": {"strokeWidth": 2},
        "point": {"filled": True, "size": 36},
    }


def _specification(drawn: alt.TopLevelMixin, controls: Sequence[Control], bound: bool) -> dict[str, Any]:
    """A chart as Vega-Lite, in the book's look, with the controls' parameters."""
    spec = drawn.to_dict()
    moved = [parameter for control in controls for parameter in control.parameters(bound)]
    return {**spec, "config": _config(), "params": [*spec.get("params", []), *moved]}


def _compiled(drawn: alt.TopLevelMixin, controls: Sequence[Control]) -> dict[str, Any]:
    """A chart as a specification of Vega, without its data."""
    import vl_convert

    spec = _specification(drawn, controls, bound=False)
    compiled = dict(vl_convert.vegalite_to_vega(spec, vl_version=_VEGA_LITE))
    compiled.pop("$schema", None)
    _keep_apart(compiled["marks"])
    return compiled


def _keep_apart(marks: Sequence[dict[str, Any]]) -> None:
    """Let labels of the style `APART` move aside where they would lie on each other, or give way, as Vega alone can."""
    for mark in marks:
        if mark["type"] == "text" and APART in mark.get("style", ()):
            drawn = mark["encode"]["update"]
            aside = [drawn.pop(name, {"value": 0})["value"] for name in ("dx", "dy")]
            sides = ("right", "left") if drawn.get("align", {}).get("value") == "left" else ("left", "right")
            anchors = [f"{above}{side}" for side in sides for above in ("top-", "", "bottom-")]
            mark["transform"] = [
                {
                    "type": "label",
                    "size": {"signal": "[width, height]"},
                    "anchor": anchors,
                    "offset": [max(map(abs, aside))],
                    "avoidBaseMark": False,
                    "padding": None,
                }
            ]
        _keep_apart(mark.get("marks", ()))


def _svg(spec: Mapping[str, Any], rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """What a compiled chart shows of these rows at first."""
    import vl_convert

    data = [{**source, "values": rows[source["name"]]} if source["name"] in rows else source for source in spec["data"]]
    return vl_convert.vega_to_svg({**spec, "data": data})


def _still(spec: Mapping[str, Any], rows: Mapping[str, Sequence[Mapping[str, Any]]], prefix: str) -> str:
    """The SVG for the page: ids of its own, short coordinates, and nothing that the alternative text says."""
    svg = _svg(spec, rows)
    svg = re.sub(r'((?:id="|url\(#))([\w-]+)', rf"\1{prefix}-\2", svg)
    svg = re.sub(r' (?:role|aria-[a-z]+|xmlns:xlink|version)="[^"]*"', "", svg)
    svg = re.sub("<[^>]+>", lambda tag: _BEYOND.sub("", tag[0]), svg)  # what stands between tags is read
    return _DOTS.sub(_as_one, svg)


#: Of a number what comes after its second decimal.
_BEYOND = re.compile(r"(?<=\d\.\d\d)\d+")


#: Many circles of one look, one after the other.
_DOTS = re.compile(
    r'<path transform="translate\([-\d.,]+\)" d="M([\d.]+),0A\1,\1,0,1,1,-\1,0A\1,\1,0,1,1,\1,0" fill="([^"]+)"'
    r'( stroke-width="[\d.]+")?( opacity="[\d.]+")?/>'
    r'(?:<path transform="translate\([-\d.,]+\)" d="M\1,0[^"]+" fill="\2"\3\4/>){9,}'
)


def _as_one(dots: re.Match[str]) -> str:
    """A cloud of dots as one path of round points: a tenth of the text."""
    radius, fill, _, opacity = dots.groups()
    places = "".join(f"M{x},{y}h0" for x, y in re.findall(r"translate\(([-\d.]+),([-\d.]+)\)", dots[0]))
    round_points = f'fill="none" stroke="{fill}" stroke-width="{2 * float(radius):g}" stroke-linecap="round"'
    return f'<path d="{places}" {round_points}{opacity or ""}/>'


def _texts(svg: str) -> list[str]:
    return [html.unescape(text) for text in re.findall(r"<text[^>]*>([^<]*)</text>", svg)]


@functools.cache
def _variable() -> re.Pattern[str]:
    return re.compile(r"var\(--[\w-]+, (#[0-9A-Fa-f]{6})\)")


def _in_plain_colours(spec: Any) -> Any:
    """A specification for a page that does not know the book's variables."""
    return json.loads(_variable().sub(r"\1", json.dumps(spec)))
