"""Arrangements of axes: small multiples on one scale, logarithmic axes with plain numbers, percentages."""

from collections.abc import Callable, Hashable, Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator, PercentFormatter

from genbook.figures import style


def layer(
    table: pd.DataFrame,
    by: str,
    draw: Callable[[Axes, pd.DataFrame], None],
    *,
    columns: int = 2,
    titles: Mapping[Hashable, str] | None = None,
    height: float | None = None,
) -> Figure:
    """Return small multiples: one axes for each level of ``by``, drawn by ``draw(ax, rows)``, all on the same scales.

    Args:
        table: tidy rows.
        by: column whose levels get an axes each, in the order of their first appearance.
        draw: what to draw of one level's rows.
        columns: axes side by side.
        titles: by level; by default the level itself.
        height: of one row in inches.
    """
    if by not in table.columns:
        raise KeyError(f"no column {by!r} in the table; there are {', '.join(map(str, table.columns))}")
    levels = list(table[by].unique())
    if not levels:
        raise ValueError(f"the table has no level of {by!r} to draw")
    columns = min(columns, len(levels))
    rows = -(-len(levels) // columns)
    fig, axes = style.subplots(
        rows, columns, height=(height or 0.75 * style.HEIGHT) * rows, sharex=True, sharey=True, squeeze=False
    )
    for ax, level in zip(axes.flat, levels, strict=False):
        draw(ax, table[table[by] == level])
        ax.set_title(str((titles or {}).get(level, level)))
        ax.label_outer()
    for ax in axes.flat[len(levels) :]:
        ax.remove()
    return fig


def log_axis(ax: Axes, axis: str = "x", zero: float | None = None) -> None:
    """Set a logarithmic axis with plain numbers at its decades.

    Args:
        ax: axes to change.
        axis: "x" or "y".
        zero: the least positive value, for data that include 0 (a step before training): the axis is linear below it.
    """
    set_scale, this = {"x": (ax.set_xscale, ax.xaxis), "y": (ax.set_yscale, ax.yaxis)}[axis]
    if zero is None:
        set_scale("log")
        this.set_major_locator(LogLocator(base=10, numticks=8))
    else:
        set_scale("symlog", linthresh=zero, linscale=0.4)
    ax.autoscale_view(scalex=axis == "x", scaley=axis == "y")  # a label at a line's end has fixed the linear margins
    this.set_minor_locator(NullLocator())
    this.set_major_formatter(FuncFormatter(lambda value, _: plain_number(value)))


def ticks(ax: Axes, values: Sequence[float], axis: str = "x", labels: Sequence[str] | None = None) -> None:
    """Mark those of ``values`` that lie on the axis "x" or "y" as drawn, as plain numbers or by ``labels``."""
    this, limits = {"x": (ax.xaxis, ax.get_xlim()), "y": (ax.yaxis, ax.get_ylim())}[axis]
    words = [plain_number(value) for value in values] if labels is None else labels
    kept = {value: text for value, text in zip(values, words, strict=True) if min(limits) <= value <= max(limits)}
    this.set_ticks(list(kept), list(kept.values()))
    this.set_minor_locator(NullLocator())


def percent_axis(ax: Axes, axis: str = "y") -> None:
    """Write fractions on the axis "x" or "y" as percentages."""
    {"x": ax.xaxis, "y": ax.yaxis}[axis].set_major_formatter(PercentFormatter(1, decimals=0))


def plain_number(value: float) -> str:
    """Return a tick's number as people write it: 0.01, 1, 1,000, and powers of ten beyond four digits either way."""
    if value == 0 or 1e-3 <= abs(value) < 1e5:
        return f"{value:,.10g}"
    mantissa, exponent = f"{value:.0e}".split("e")
    power = rf"10^{{{int(exponent)}}}"
    return rf"${power}$" if mantissa == "1" else rf"${mantissa}\times {power}$"
