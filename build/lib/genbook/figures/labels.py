"""Labels at the ends of lines, in the place of a legend: in the line's colour or darker, none covering another."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from matplotlib.transforms import Transform
from scipy.optimize import isotonic_regression

from genbook.figures import style

#: Marks the annotations that `spread_labels` may move.
_END_LABEL = "end-label"
#: Least distance of two labels at line ends, in units of their font size.
_LINE_SPACING = 1.15
#: From a line's end to its label, and how close two ends are that share a column of labels, in points.
_GAP, _COLUMN = 7, 40
#: Height within which the ends of lines count as one, in points.
_TIE = 8


def end_label(ax: Axes, x: float, y: float, text: str, color: str, coordinates: Transform | str = "data") -> None:
    """Write ``text`` to the right of the point (x, y); `spread_labels` keeps such labels from covering each other."""
    ax.annotate(
        text,
        (x, y),
        xycoords=coordinates,
        xytext=(_GAP, 0),
        textcoords="offset points",
        color=style.legible(color),
        fontsize=11,
        va="center",
        annotation_clip=False,
        gid=_END_LABEL,
        zorder=5,
    )


def spread_labels(fig: Figure) -> None:
    """Align the labels at line ends, and move them up and down as little as it takes until none covers another.

    Called by `show` once the figure is complete, because where lines end on the page depends on its limits and layout.
    """
    for _ in range(2):  # labels widen the margin, and a new layout moves the lines' ends
        fig.draw_without_rendering()
        for ax in fig.axes:
            for column in _label_columns(ax):
                _spread(column)


def _label_columns(ax: Axes) -> list[list[tuple[float, float, Annotation]]]:
    """Return the labels at line ends as (x, y, label), x and y in points, grouped where their ends lie close in x."""
    columns: list[list] = []
    for label in (text for text in ax.texts if text.get_gid() == _END_LABEL):
        to_pixels = ax.transData if label.xycoords == "data" else label.xycoords
        x, y = to_pixels.transform(label.xy) * 72 / ax.figure.dpi
        for column in columns:
            if abs(column[0][0] - x) < _COLUMN:
                column.append((x, y, label))
                break
        else:
            columns.append([(x, y, label)])
    return columns


def _spread(column: list[tuple[float, float, Annotation]]) -> None:
    right = max(x for x, _, _ in column)
    # ends that all but coincide are labelled in the order in which they were drawn, the first on top
    order = sorted(range(len(column)), key=lambda k: (round(column[k][1] / _TIE), -k))
    column = [column[k] for k in order]
    heights = np.maximum.accumulate([y for _, y, _ in column])
    sizes = [_LINE_SPACING * label.get_fontsize() * (1 + label.get_text().count("\n")) for _, _, label in column]
    moved = spread(heights, [(below + above) / 2 for below, above in pairwise(sizes)])
    for (x, y, label), height in zip(column, moved, strict=True):
        label.set_position((right - x + _GAP, height - y))


def spread(positions: Sequence[float], gaps: Sequence[float]) -> np.ndarray:
    """Return positions that keep the gaps and lie nearest to the given ascending ones, in least squares.

    Subtracting from each position the gaps below it turns "at least so far apart" into "not descending", which pooling
    adjacent violators solves exactly (isotonic regression).

    Args:
        positions: [n], ascending.
        gaps: [n - 1], the least distance of each position from the one before.
    """
    shift = np.concatenate([[0.0], np.cumsum(gaps)])
    return isotonic_regression(np.asarray(positions, dtype=float) - shift).x + shift
