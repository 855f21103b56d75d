"""Drawing primitives on tidy tables: bands over seeds, theory as a line, measurement as points.

Every primitive takes a table with one row per (seed, condition, x) and a ``y`` that is either a column of it or, in the
long form with the columns ``quantity`` and ``value``, the name of a quantity.
"""

from collections.abc import Hashable, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from genbook.base import stats
from genbook.figures import style
from genbook.figures.labels import end_label


def intervals(
    table: pd.DataFrame,
    x: str,
    y: str,
    *,
    unit: str = "seed",
    scale: stats.Scale = "identity",
    continuity: float | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Return estimate, low, high and n of ``y`` over seeds at each ``x``, with x as the index in ascending order.

    Args:
        table: tidy rows; several rows of one seed at one x are averaged first.
        x: a column.
        y: a column or a quantity.
        unit: the column whose values are the replicates.
        scale: on which Student's t is taken, see `genbook.base.stats.t_interval`.
        continuity: half of the step in which y is measured, see `genbook.base.stats.t_interval`.
        level: confidence.

    Raises:
        KeyError: a column or quantity that the table does not have.
        ValueError: no row left.
    """
    rows = select(table, x, y, unit)
    per_unit = rows.groupby([x, unit], observed=True)[y].mean().dropna()
    if per_unit.empty:
        raise ValueError(f"the table has no value of {y!r} to draw")
    by_x = {
        value: stats.t_interval(group.to_numpy(), scale, level, continuity)
        for value, group in per_unit.groupby(level=x, observed=True)
    }
    return pd.DataFrame(
        [(i.estimate, i.low, i.high, i.n) for i in by_x.values()],
        index=pd.Index(by_x, name=x),
        columns=["estimate", "low", "high", "n"],
    )


def select(table: pd.DataFrame, x: str, y: str, *others: str) -> pd.DataFrame:
    """Return the rows of ``y`` as a column of that name, checked for the columns ``x`` and ``others``."""
    if y not in table.columns and {"quantity", "value"} <= set(table.columns):
        quantities = table["quantity"].unique()
        if y not in quantities:
            raise KeyError(f"no quantity {y!r} in the table; there are {', '.join(map(str, quantities))}")
        table = table[table["quantity"] == y].rename(columns={"value": y})
    if missing := [column for column in (x, y, *others) if column not in table.columns]:
        raise KeyError(f"no column {missing[0]!r} in the table; there are {', '.join(map(str, table.columns))}")
    return table


def band(
    ax: Axes,
    table: pd.DataFrame,
    x: str,
    y: str,
    by: str | None = None,
    *,
    colors: Mapping[Hashable, str] | str | None = None,
    labels: Mapping[Hashable, str] | str | None = None,
    line: str | tuple = "-",
    per_seed: bool = False,
    unit: str = "seed",
    scale: stats.Scale = "identity",
    continuity: float | None = None,
) -> None:
    """Draw the mean over seeds as a line, its 95 % interval as a band, one of them for each level of ``by``.

    Args:
        ax: axes to draw on.
        table: tidy rows.
        x: a column.
        y: a column or a quantity.
        by: column of the conditions; None draws one line.
        colors: colour, or name in `style.COLORS`, of each level; by default levels named as in `style.COLORS` get
            theirs and others the ramp "sequence".
        labels: written at the line's right end, by level; by default the level itself. An empty string writes nothing.
            Invert the x axis, if at all, before drawing.
        line: line style, for instance ``style.LINES["train"]``.
        per_seed: draw every seed as a faint line instead of the band.
        unit: the column whose values are the replicates.
        scale: on which the interval is taken.
        continuity: half of the step in which y is measured.
    """
    for level, rows in _levels(table, x, y, by, unit):
        shade = _color_of(level, colors, table, by)
        summary = intervals(rows, x, y, unit=unit, scale=scale, continuity=continuity)
        ax.plot(summary.index, summary["estimate"], color=shade, linestyle=line, zorder=3)
        if per_seed:
            for _, one in rows.groupby(unit, observed=True):
                one = one.sort_values(x)
                ax.plot(one[x], one[y], color=shade, linewidth=0.8, alpha=0.35, zorder=2)
        else:
            known = summary[np.isfinite(summary["low"]) & np.isfinite(summary["high"]) & (summary["n"] > 1)]
            if len(known):
                ax.fill_between(known.index, known["low"], known["high"], color=shade, alpha=0.2, linewidth=0, zorder=2)
        if text := _label_of(level, labels, by):
            _label_end(ax, summary, text, shade)


def points(
    ax: Axes,
    table: pd.DataFrame,
    x: str,
    y: str,
    by: str | None = None,
    *,
    colors: Mapping[Hashable, str] | str | None = None,
    labels: Mapping[Hashable, str] | str | None = None,
    marker: str = "o",
    unit: str = "seed",
    scale: stats.Scale = "identity",
    continuity: float | None = None,
) -> None:
    """Draw measurements as points with their 95 % intervals over seeds; theory goes beside them by `theory`.

    The arguments are those of `band`.
    """
    for level, rows in _levels(table, x, y, by, unit):
        shade = _color_of(level, colors, table, by)
        summary = intervals(rows, x, y, unit=unit, scale=scale, continuity=continuity)
        _bars(ax, summary.index, summary, shade, marker)
        if text := _label_of(level, labels, by):
            _label_end(ax, summary, text, shade)


def dots(
    ax: Axes,
    table: pd.DataFrame,
    condition: str,
    y: str,
    by: str | None = None,
    *,
    order: Sequence[Hashable] | None = None,
    names: Mapping[Hashable, str] | None = None,
    colors: Mapping[Hashable, str] | str | None = None,
    labels: Mapping[Hashable, str] | str | None = None,
    per_seed: bool = True,
    unit: str = "seed",
    scale: stats.Scale = "identity",
    continuity: float | None = None,
) -> None:
    """Draw one dot with its 95 % interval over seeds for each condition, the conditions side by side on the x axis.

    Without ``by`` each condition has its own colour, with it each level of ``by``, set a little apart.

    Args:
        ax: axes to draw on.
        table: tidy rows.
        condition: column whose values stand side by side.
        y: a column or a quantity.
        by: column of a second grouping.
        order: of the conditions; by default their first appearance.
        names: what stands under each condition, by default the condition itself.
        colors: as in `band`.
        labels: as in `band`, for the levels of ``by``.
        per_seed: draw every seed as a faint dot as well.
        unit: the column whose values are the replicates.
        scale: on which the interval is taken.
        continuity: half of the step in which y is measured.
    """
    rows = select(table, condition, y, unit, *([by] if by else []))
    order = list(rows[condition].unique()) if order is None else list(order)
    place = {value: k for k, value in enumerate(order)}
    rows = rows[rows[condition].isin(order)]
    groups = list(_levels(rows, condition, y, by, unit))
    for k, (level, group) in enumerate(groups):
        shift = 0.16 * (k - (len(groups) - 1) / 2)
        summary = intervals(group, condition, y, unit=unit, scale=scale, continuity=continuity)
        for value in summary.index:
            shade = _color_of(level, colors, table, by) if by else _color_of(value, colors, table, condition)
            if per_seed:
                seeds = group.loc[group[condition] == value, y]
                ax.plot(np.full(len(seeds), place[value] + shift - 0.1), seeds, "o", color=shade, ms=3.5, alpha=0.4)
            _bars(ax, [place[value] + shift], summary.loc[[value]], shade, "o")
        if by and (text := _label_of(level, labels, by)):
            last = max(summary.index, key=place.__getitem__)
            end_label(ax, place[last] + shift, summary.loc[last, "estimate"], text, shade)
    ax.set_xticks(range(len(order)), [str((names or {}).get(value, value)) for value in order])
    ax.set_xlim(-0.5, len(order) - 0.5)


def theory(ax: Axes, x: Sequence[float], y: Sequence[float], label: str = "theory", color: str = "theory") -> None:
    """Draw what the theory says as a thin line with its name at the end; ``x`` and ``y`` are [n]."""
    along, up = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if along.shape != up.shape or along.ndim != 1 or along.size == 0:
        raise ValueError(f"a line needs as many x as y and at least one, got shapes {along.shape}, {up.shape}")
    shade = style.COLORS.get(color, color)
    ax.plot(along, up, color=shade, linewidth=1.3, zorder=2.5)
    if label:
        end_label(ax, along[-1], up[-1], label, shade)


def reference(ax: Axes, value: float, label: str, axis: str = "y") -> None:
    """Draw a level to compare with (chance, a threshold) as a dotted grey line across, with its name at the end.

    Args:
        ax: axes to draw on.
        value: where, in data coordinates.
        label: its name.
        axis: "y" for a horizontal line at y = value, "x" for a vertical one.
    """
    shade = style.COLORS["reference"]
    if axis == "y":
        ax.axhline(value, color=shade, linestyle=(0, (1, 1.5)), linewidth=1.3, zorder=1.5)
        end_label(ax, 1, value, label, shade, ax.get_yaxis_transform())
    elif axis == "x":
        ax.axvline(value, color=shade, linestyle=(0, (1, 1.5)), linewidth=1.3, zorder=1.5)
        ax.annotate(
            label,
            (value, 1),
            xycoords=ax.get_xaxis_transform(),
            xytext=(0, 4),
            textcoords="offset points",
            color=shade,
            fontsize=10.5,
            ha="center",
            va="bottom",
        )
    else:
        raise ValueError(f"a reference line crosses the axis 'x' or 'y', got {axis!r}")


def _levels(table: pd.DataFrame, x: str, y: str, by: str | None, unit: str) -> list[tuple[Hashable, pd.DataFrame]]:
    rows = select(table, x, y, unit, *([by] if by else []))
    if by is None:
        return [(y, rows)]
    return [(level, rows[rows[by] == level]) for level in rows[by].unique()]


def _color_of(level: Hashable, colors: Mapping | str | None, table: pd.DataFrame, by: str | None) -> str:
    if isinstance(colors, str):
        chosen = colors
    elif colors is not None:
        if level not in colors:
            raise KeyError(f"no colour given for {level!r}; there are {', '.join(map(repr, colors))}")
        chosen = colors[level]
    elif level in style.COLORS:
        chosen = level
    elif by is None:
        chosen = "test"
    else:
        chosen = style.graded(list(table[by].unique()))[level]
    return style.COLORS.get(chosen, chosen)


def _label_of(level: Hashable, labels: Mapping | str | None, by: str | None) -> str:
    if isinstance(labels, str):
        return labels
    if labels is not None:
        return labels.get(level, "")
    return str(level) if by else ""


def _label_end(ax: Axes, summary: pd.DataFrame, text: str, shade: str) -> None:
    """Label the end that lies on the right: the first row where the x axis has been inverted before drawing."""
    end = 0 if ax.xaxis_inverted() else -1
    end_label(ax, summary.index[end], summary["estimate"].iloc[end], text, shade)


def _bars(ax: Axes, x: Sequence, summary: pd.DataFrame, shade: str, marker: str) -> None:
    known = np.isfinite(summary["low"]) & np.isfinite(summary["high"])
    below = np.where(known, summary["estimate"] - summary["low"], 0)
    above = np.where(known, summary["high"] - summary["estimate"], 0)
    ax.errorbar(
        x,
        summary["estimate"],
        yerr=[below, above],
        fmt=marker,
        color=shade,
        capsize=3,
        elinewidth=1.4,
        capthick=1.4,
        zorder=3,
    )
