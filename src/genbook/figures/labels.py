"""Labels at the ends of lines, in the place of a legend: in the line's colour or darker, none covering another."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import scipy
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from matplotlib.transforms import Transform

from genbook.figures import style

#: Marks the annotations that `spread_labels` may move.
_END_LABEL = "end-label"
#: Least distance of two labels at line ends, in units of their font size.
_LINE_SPACING = 1.15
#: From a line's end to its label, and how close two ends are that share a column of labels, in points.
_GAP, _COLUMN = 7, 40
#: Two ends one above the other by no more than this count as one, in points.
_TIE = 0.5
#: Labels widen the margin, and a new layout moves the ends of the lines: so often at most, until no label moves as far
#: as this, in points.
_LAYOUTS, _STILL = 3, 0.1


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
    """Lay the figure out for good: labels at line ends aligned, moved as little as it takes until none covers another.

    Called by `show` once the figure is complete, because where lines end on the page depends on its limits and layout.
    """
    for _ in range(_LAYOUTS):
        if (engine := fig.get_layout_engine()) is not None:
            engine.execute(fig)  # much less than to draw it
        moved = [_spread(column) for ax in fig.axes for column in _label_columns(ax)]
        if max(moved, default=0) < _STILL:
            break
    fig.set_layout_engine("none")


def _label_columns(ax: Axes) -> list[list[tuple[float, float, Annotation]]]:
    """Return the labels at line ends as (x, y, label), x and y in points, grouped where their ends lie close in x."""
    columns: list[list[tuple[float, float, Annotation]]] = []
    for label in (text for text in ax.texts if isinstance(text, Annotation) and text.get_gid() == _END_LABEL):
        # their other coordinates are a transform (`end_label`)
        to_pixels = label.xycoords if isinstance(label.xycoords, Transform) else ax.transData
        x, y = to_pixels.transform(label.xy) * 72 / ax.figure.dpi
        for column in columns:
            if abs(column[0][0] - x) < _COLUMN:
                column.append((x, y, label))
                break
        else:
            columns.append([(x, y, label)])
    return columns


def _spread(column: list[tuple[float, float, Annotation]]) -> float:
    """Move the labels of a column, and return by how much at most, in points."""
    right = max(x for x, _, _ in column)
    column = [column[k] for k in _upwards([y for _, y, _ in column])]
    heights = np.maximum.accumulate([y for _, y, _ in column]).tolist()
    sizes = [_LINE_SPACING * float(label.get_fontsize()) * (1 + label.get_text().count("\n")) for _, _, label in column]
    moved = spread(heights, [(below + above) / 2 for below, above in pairwise(sizes)])
    farthest = 0.0
    for (x, y, label), height in zip(column, moved, strict=True):
        before, after = label.get_position(), (right - x + _GAP, height - y)
        farthest = max(farthest, *(abs(new - old) for new, old in zip(after, before, strict=True)))
        label.set_position(after)
    return farthest


def _upwards(heights: Sequence[float]) -> list[int]:
    """The ends from the lowest to the highest; of those that all but coincide the first drawn is on top."""
    order = sorted(range(len(heights)), key=lambda k: heights[k])
    apart = np.diff([heights[k] for k in order]) > _TIE
    place = np.concatenate([[0], np.cumsum(apart)])
    return [k for _, _, k in sorted((there, -k, k) for there, k in zip(place, order, strict=True))]


def spread(positions: Sequence[float], gaps: Sequence[float]) -> np.ndarray:
    """Return positions that keep the gaps and lie nearest to the given ascending ones, in least squares.

    Subtracting from each position the gaps below it turns "at least so far apart" into "not descending", which pooling
    adjacent violators solves exactly (isotonic regression).

    Args:
        positions: [n], ascending.
        gaps: [n - 1], the least distance of each position from the one before.
    """
    shift = np.concatenate([[0.0], np.cumsum(gaps)])
    return scipy.optimize.isotonic_regression(np.asarray(positions, dtype=float) - shift).x + shift
