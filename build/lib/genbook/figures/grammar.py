"""What the specifications of moving figures say again and again, as altair writes it: intervals, axes, line ends."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from scipy import special

from genbook.base.stats import Scale

if TYPE_CHECKING:
    import altair as alt

#: Seeds up to which the quantiles of Student's t are written down.
_MOST_SEEDS = 40
_TO = {"identity": "{0}", "log": "log({0})", "logit": "log({0} / (1 - {0}))"}
_FROM = {"identity": "{0}", "log": "exp({0})", "logit": "1 / (1 + exp(-({0})))"}
#: By how much a continuity grows when it is transformed, at the mean.
_STRETCH = {"identity": "1", "log": "1", "logit": "(2 + exp({0}) + exp(-({0})))"}


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


def percent(field: str, title: str | None = None, most: float = 1.0, step: float = 0.2) -> alt.Y:
    """A vertical axis of fractions from 0 to ``most``, written as percentages."""
    import altair as alt

    ticks = [round(k * step, 4) for k in range(int(most / step + 1e-9) + 1)]
    scale = alt.Scale(domain=[0, most], nice=False, clamp=True)
    return alt.Y(field, scale=scale, axis=alt.Axis(format=".0%", values=ticks), title=title)


def linear(field: str, title: str | None = None, domain: Sequence[float] | None = None, **axis: Any) -> alt.Y:
    """A vertical axis of numbers, over ``domain`` at every state; ``axis``: what altair.Axis takes."""
    import altair as alt

    scale = alt.Scale(domain=list(domain), nice=False) if domain else alt.Scale()
    return alt.Y(field, scale=scale, axis=alt.Axis(**axis), title=title)


def logarithmic(
    field: str, title: str | None, domain: Sequence[float], ticks: Sequence[float], zero: float | None = None
) -> alt.X:
    """A horizontal logarithmic axis with plain numbers at ``ticks``; what lies outside of ``domain`` is set at its end.

    ``zero``: where the axis is linear below it, for data that include 0.
    """
    import altair as alt

    options = {"type": "symlog", "constant": zero} if zero else {"type": "log"}
    scale = alt.Scale(domain=list(domain), nice=False, clamp=True, **options)
    low, high = min(domain), max(domain)
    marks = [tick for tick in ticks if low <= tick <= high]
    return alt.X(field, scale=scale, axis=alt.Axis(values=marks, format=",~g"), title=title)


def about(low: float, high: float, log: bool = False) -> list[float]:
    """A domain around values from ``low`` to ``high``, a twentieth wider on either side."""
    if log:
        return [low / (high / low) ** 0.05, high * (high / low) ** 0.05]
    return [low - 0.05 * (high - low), high + 0.05 * (high - low)]


def by_step(steps: Sequence[float]) -> list[str]:
    """What a slider over numbers of steps says."""
    return [f"{int(step):,} step" + ("" if step == 1 else "s") for step in steps]


def spoken(chart: alt.Chart, expression: str) -> alt.Chart:
    """The words of a figure (`genbook.figures.moving.Moving`): one text a row, one after the other."""
    return chart.transform_calculate(words=expression).mark_text().encode(text="words:N")
