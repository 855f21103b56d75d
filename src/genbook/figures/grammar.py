"""What the specifications of moving figures say again and again, as altair writes it: intervals, axes, line ends."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

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
