"""The words in which a moving figure is described, in the terms of Vega-Lite and on altair: rows, channels, marks.

A description reads from the data to the page. `rows` takes a table and keeps what stands at the controls' state; `x`,
`y`, `percent` and `by` say what a column becomes; `line`, `band`, `points`, `whiskers`, `rule`, `level` and `label` are
marks, each with its place and an ink; `spoken` says in a sentence what is seen. What they return is altair's own, so
that anything that they do not say can be said to it:

    stop = Slider("stop", "stop after", steps, by_step(steps))
    across, accuracy = x("step", "gradient steps", [1, 3000], (1, 10, 100, 1000), log=True), percent("estimate")
    seen = rows("courses", step=stop)
    alt.layer(band(rows("courses"), across, accuracy, "test"), points(seen, across, accuracy, "test"))
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from scipy import special

from genbook.base.stats import Scale
from genbook.figures.controls import Choice, Slider, Ticks
from genbook.figures.moving import APART, chart, ink

if TYPE_CHECKING:
    import altair as alt

#: Seeds up to which the quantiles of Student's t are written down.
_MOST_SEEDS = 40
_TO = {"identity": "{0}", "log": "log({0})", "logit": "log({0} / (1 - {0}))"}
_FROM = {"identity": "{0}", "log": "exp({0})", "logit": "1 / (1 + exp(-({0})))"}
#: By how much a continuity grows when it is transformed, at the mean.
_STRETCH = {"identity": "1", "log": "1", "logit": "(2 + exp({0}) + exp(-({0})))"}


# --- rows -----------------------------------------------------------------------------------------------------------


def rows(data: str, **places: Any) -> alt.Chart:
    """A chart of the figure's data of that name, of the rows at these places (`at`)."""
    return at(chart(data), **places)


def at(drawn: alt.Chart, **places: Any) -> alt.Chart:
    """The rows of a chart whose columns stand where the controls do: ``at(courses, step=stop, noise=0.4)``.

    ``places``: by column, a slider or a choice, at whose value it must be; ticks, among which; or a value.
    """
    for column, place in places.items():
        drawn = drawn.transform_filter(_stands(column, place))
    return drawn


def _stands(column: str, place: Any) -> str:
    there = f"datum['{column}']"
    if isinstance(place, Slider):
        return f"{there} == {place.name}"
    if isinstance(place, Choice):  # an option is text, whatever the column holds
        return f"toString({there}) == {place.name}"
    if isinstance(place, Ticks):
        return place.has(column)
    return f"{there} == {json.dumps(place)}"


def over_seeds(
    chart: alt.Chart,
    value: str,
    by: Sequence[str],
    scale: Scale = "identity",
    continuity: float | None = None,
) -> alt.Chart:
    """Reduce a chart's rows to ``estimate``, ``low``, ``high``, ``n`` of a column, over all that ``by`` does not name.

    The rows that the chart's filters leave count, one for each seed. The interval is `genbook.base.stats.t_interval`'s;
    one seed alone has none.
    """
    inside = f"datum['{value}']"
    if scale == "logit" and continuity is not None:
        inside = f"clamp({inside}, {continuity}, {1 - continuity})"
    quantiles = [0, 0, *(round(float(special.stdtrit(n - 1, 0.975)), 6) for n in range(2, _MOST_SEEDS + 1))]
    back, mean = _FROM[scale], "datum.mean_there"
    half = f"{json.dumps(quantiles)}[datum.n] * datum.spread_there / sqrt(datum.n)"
    if continuity is not None:
        half = f"max({half}, {continuity} * {_STRETCH[scale].format(mean)})"
    estimate = "datum.raw" if scale == "logit" else back.format(mean)
    low, high = back.format(f"{mean} - datum.half"), back.format(f"{mean} + datum.half")
    if scale == "logit":
        low, high = f"min({low}, datum.raw)", f"max({high}, datum.raw)"
    return (
        chart.transform_filter(f"isValid(datum['{value}'])")
        .transform_calculate(there=_TO[scale].format(inside))
        .transform_aggregate(
            mean_there="mean(there)", spread_there="stdev(there)", raw=f"mean({value})", n="count()", groupby=list(by)
        )
        .transform_calculate(half=f"datum.n > 1 ? {half} : NaN")
        .transform_calculate(estimate=estimate)
        .transform_calculate(low=f"datum.n > 1 ? {low} : datum.estimate", high=f"datum.n > 1 ? {high} : datum.estimate")
    )


# --- channels -------------------------------------------------------------------------------------------------------


def x(
    field: str,
    title: str | None = None,
    domain: Sequence[float] | None = None,
    ticks: Sequence[float] | None = None,
    *,
    log: bool = False,
    zero: float | None = None,
    clamp: bool = True,
    **axis: Any,
) -> alt.X:
    """A horizontal axis of numbers, the same at every state.

    Args:
        field: the column.
        title: below it.
        domain: its two ends; the larger one first where it falls.
        ticks: where it is marked, as far as they lie in the domain.
        log: whether it is logarithmic.
        zero: where a logarithmic axis is linear below it, for data that include 0.
        clamp: whether what lies outside of the domain is set at its end.
        axis: what altair.Axis takes; numbers are written plainly unless ``format`` says otherwise, which is d3's, or
            ``powers`` for ticks that are powers of ten.
    """
    import altair as alt

    scale, marked = _numbers(domain, ticks, log, zero, clamp, axis)
    return alt.X(f"{field}:Q", scale=scale, axis=marked, title=title)


def y(
    field: str,
    title: str | None = None,
    domain: Sequence[float] | None = None,
    ticks: Sequence[float] | None = None,
    *,
    log: bool = False,
    zero: float | None = None,
    clamp: bool = True,
    **axis: Any,
) -> alt.Y:
    """A vertical axis of numbers; as `x`."""
    import altair as alt

    scale, marked = _numbers(domain, ticks, log, zero, clamp, axis)
    return alt.Y(f"{field}:Q", scale=scale, axis=marked, title=title)


#: Digits of an exponent.
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def _numbers(
    domain: Sequence[float] | None,
    ticks: Sequence[float] | None,
    log: bool,
    zero: float | None,
    clamp: bool,
    axis: dict[str, Any],
) -> tuple[alt.Scale, alt.Axis]:
    import altair as alt

    held: dict[str, Any] = {"type": "symlog", "constant": zero} if zero else {"type": "log"} if log else {}
    ends = [] if domain is None else [float(end) for end in domain if math.isfinite(end)]
    if len(ends) == 2:  # of no data there is no domain
        held |= {"domain": ends} | ({"clamp": True} if clamp else {})
    axis = {"format": ",.6~g", **axis}  # without a precision d3 would round to the step between ticks
    if axis["format"] == "powers":
        exponents = [round(math.log10(tick)) for tick in ticks or ()]
        words = {f"1e{exponent:+d}": f"10{str(exponent).translate(_RAISED)}" for exponent in exponents}
        axis |= {"format": "~e", "labelExpr": f"{json.dumps(words)}[datum.label]"}
    if ticks is not None:
        axis["values"] = [tick for tick in ticks if len(ends) < 2 or min(ends) <= tick <= max(ends)]
    return alt.Scale(nice=False, **held), alt.Axis(**axis)


def percent(field: str, title: str | None = None, most: float = 1.0, step: float = 0.2) -> alt.Y:
    """A vertical axis of fractions from 0 to ``most``, written as percentages."""
    ticks = [round(k * step, 4) for k in range(int(most / step + 1e-9) + 1)]
    return y(field, title, [0, most], ticks, format=".0%")


def by(
    channel: Any, field: str, of: Mapping[Any, Any], words: Mapping[Any, str] | None = None, columns: int | None = None
) -> Any:
    """A channel, such as altair.Shape, by the values of a column: ``by(alt.Shape, "kind", {"real": "circle"})``.

    ``words``: what the key above the panel calls them, if not their values; an empty one means that there is no key.
    ``columns``: of the key.
    """
    import altair as alt

    told: dict[str, Any] = {}
    if words is not None:
        told["labelExpr"] = f"{json.dumps({str(k): v for k, v in words.items()})}[datum.label]"
    if columns is not None:
        told["columns"] = columns
    key = None if words == {} else alt.Legend(**told)
    return channel(f"{field}:N", scale=alt.Scale(domain=list(of), range=list(of.values())), legend=key)


def inks(
    field: str, of: Mapping[Any, str], words: Mapping[Any, str] | None = None, columns: int | None = None
) -> alt.Color:
    """Colours by the values of a column, named as in `genbook.figures.style`; ``words``, ``columns``: as in `by`."""
    import altair as alt

    return by(alt.Color, field, {value: ink(name) for value, name in of.items()}, words, columns)


def about(low: float, high: float, log: bool = False) -> list[float]:
    """A domain around values from ``low`` to ``high``, a twentieth wider on either side."""
    if log:
        return [low / (high / low) ** 0.05, high * (high / low) ** 0.05]
    return [low - 0.05 * (high - low), high + 0.05 * (high - low)]


# --- marks ----------------------------------------------------------------------------------------------------------
# Each takes rows, their place along both axes, and an ink: a name, or a channel such as `inks` makes. Other channels
# (``detail``, ``opacity``, ``shape``, ``order``) and properties of the mark go by their names in Vega-Lite.


def line(drawn: alt.Chart, x: alt.X, y: alt.Y, ink: Any, **more: Any) -> alt.Chart:
    """A line through rows, or one for each colour."""
    return _marked("line", drawn, [x, y], ink, more)


def points(drawn: alt.Chart, x: alt.X, y: alt.Y, ink: Any, *, name: str = "", **more: Any) -> alt.Chart:
    """A point for each row; ``name``: under which `genbook.figures.moving.Table` finds them."""
    found = _marked("point", drawn, [x, y], ink, {"opacity": 1, **more})
    return found.properties(name=name) if name else found


def band(
    drawn: alt.Chart, x: alt.X, y: alt.Y, ink: Any, *, faint: float = 0.2, **more: Any
) -> alt.LayerChart | alt.FacetChart:
    """A line through estimates in the band of their intervals, from ``low`` to ``high``."""
    import altair as alt

    between = _marked("area", drawn, [x, _of(y, "low")], ink, {**_same(more), "y2": "high:Q", "opacity": faint})
    return alt.layer(between, line(drawn, x, y, ink, **more))


def whiskers(
    drawn: alt.Chart, x: alt.X, y: alt.Y, ink: Any, *, name: str = "", **more: Any
) -> alt.LayerChart | alt.FacetChart:
    """A point for each estimate, and its interval as a rule from ``low`` to ``high``."""
    import altair as alt

    between = _marked("rule", drawn, [x, _of(y, "low")], ink, {"y2": "high:Q", "strokeWidth": 1.5})
    return alt.layer(between, points(drawn, x, y, ink, name=name, **more))


def rule(drawn: alt.Chart, along: Any, ink: Any = "reference", **more: Any) -> alt.Chart:
    """A line across the panel where these rows stand along an axis, one for all at the same place."""
    return _marked("rule", drawn.transform_aggregate(groupby=[_field(along)]), [along], ink, more)


def level(data: str, value: float, ink: Any = "reference", **more: Any) -> alt.Chart:
    """A level line across the panel, at a value that no control moves."""
    import altair as alt

    return _marked("rule", chart(data), [], ink, {"y": alt.datum(value), **more})


def label(drawn: alt.Chart, x: alt.X, y: Any, text: str, ink: Any = "text", **more: Any) -> alt.Chart:
    """Words beside rows, which move aside where they would lie on each other, or give way, at every state.

    ``text``: the words, with columns in braces as in `spoken`; ``align``, ``dx``, ``dy``: on which side, and how far.
    """
    kept = {"style": APART, "text": "said:N", **more}
    return _marked("text", drawn.transform_calculate(said=sentence(text)), [x, y], ink, kept)


def ends(drawn: alt.Chart, x: alt.X, *, of: Sequence[str], first: bool = False) -> alt.Chart:
    """The rows at the ends of lines: the largest place along ``x`` (``first``: the smallest) for each of ``of``."""
    field = _field(x)
    drawn = drawn.transform_joinaggregate(groupby=list(of), end_there=f"{'min' if first else 'max'}({field})")
    return drawn.transform_filter(f"datum['{field}'] == datum.end_there")


#: Channels of an encoding that marks take by name; what else is named is a property of the mark.
_CHANNELS = ("detail", "order", "shape", "size", "strokeDash", "text", "y", "y2", "opacity")


def _marked(mark: str, drawn: alt.Chart, channels: list[Any], shade: Any, more: Mapping[str, Any]) -> alt.Chart:
    encoded = {name: value for name, value in more.items() if name in _CHANNELS and _is_channel(value)}
    properties = {name: value for name, value in more.items() if name not in encoded}
    if isinstance(shade, str):
        properties["color"] = ink(shade)
    else:
        encoded["color"] = shade
    return getattr(drawn, f"mark_{mark}")(**properties).encode(*channels, **encoded)


def _is_channel(value: Any) -> bool:
    """Whether it is encoded (a column, a channel, a datum) and not one value for all rows."""
    return not isinstance(value, (int, float, list)) and not (isinstance(value, str) and ":" not in value)


def _same(more: Mapping[str, Any]) -> dict[str, Any]:
    """Of what is said of a line, that which holds for the band around it."""
    return {name: value for name, value in more.items() if name in ("detail", "clip")}


def _of(channel: Any, field: str) -> Any:
    """The same axis for another column."""
    other = channel.copy()
    other.shorthand = f"{field}:Q"
    return other


def _field(channel: Any) -> str:
    return str(channel.shorthand).partition(":")[0]


# --- words ----------------------------------------------------------------------------------------------------------


def spoken(
    drawn: alt.Chart,
    words: str | Mapping[str, str],
    *,
    by: str = "",
    first: str = "",
    between: str = "",
    last: str = "",
) -> alt.Chart:
    """What a screen reader says of a figure (`genbook.figures.moving.Moving`): one sentence a row, in their order.

    Args:
        drawn: the rows.
        words: the sentence, with columns in braces as in Python: ``"{estimate:.1%} of new images are right"``; the
            format is d3's, or ``steps`` for a number of steps. Or a sentence for each value of the column ``by``.
        by: the column that tells which sentence.
        first, between, last: what stands before the first row, after each but the last, and after the last.
    """
    if not isinstance(words, str):
        drawn = drawn.transform_filter(f"indexof({json.dumps(list(words))}, toString(datum['{by}'])) >= 0")
        options = ", ".join(f"{json.dumps(key)}: {sentence(text)}" for key, text in words.items())
        said = f"{{{options}}}[toString(datum['{by}'])]"
    else:
        said = sentence(words)
    drawn = drawn.transform_window(row_there="row_number()").transform_joinaggregate(rows_there="count()")
    begun = f"(datum.row_there == 1 ? {sentence(first)} : '')"
    ended = f"(datum.row_there == datum.rows_there ? {sentence(last)} : {sentence(between)})"
    return drawn.transform_calculate(words=f"{begun} + {said} + {ended}").mark_text().encode(text="words:N")


def sentence(words: str) -> str:
    """The expression of Vega that fills columns into a sentence: ``"{step:steps}: {name}"``."""
    parts = []
    for told, column, form in re.findall(r"([^{]+)|\{([^{}:]+)(?::([^{}]+))?\}", words):
        there = f"datum['{column}']"
        if told:
            parts.append(json.dumps(told, ensure_ascii=False))
        elif form == "steps":
            parts.append(f"format({there}, ',') + ({there} == 1 ? ' step' : ' steps')")
        else:
            parts.append(f"format({there}, '{form}')" if form else there)
    return " + ".join(parts) or "''"


def estimated(head: str, form: str) -> list[tuple[str, str, str]]:
    """Columns of a table of numbers (`genbook.figures.moving.Table`): an estimate and the ends of its interval."""
    return [("estimate", head, form), ("low", "from", form), ("high", "to", form)]


def by_step(steps: Sequence[float]) -> list[str]:
    """What a slider over numbers of steps says."""
    return [f"{int(step):,} step" + ("" if step == 1 else "s") for step in steps]


def step_slider(name: str, label: str, steps: Sequence[float], near: float | None = None) -> Slider:
    """A slider over numbers of steps; it begins at the one nearest to ``near`` by its logarithm, or at the last."""
    import numpy as np

    places = sorted(int(step) for step in steps)
    start = -1 if near is None or not near > 0 else int(np.abs(np.log(np.maximum(places, 0.5) / near)).argmin())
    return Slider(name, label, places, by_step(places), start)
