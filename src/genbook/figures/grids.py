"""Small images in rows and columns, as ink on the page's ground: the data themselves, point by point."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import PathPatch
from matplotlib.path import Path

#: The grey of full ink, which is the style's.
_INK = 0x22 / 255
#: Shades that are told apart, as many as the digits have.
_SHADES = 16


def mosaic(images: np.ndarray, columns: int, gap: int = 1) -> np.ndarray:
    """Lay images [n, height, width] out in rows of ``columns`` with ``gap`` points of zeros between them, [H, W]."""
    count, height, width = images.shape
    rows = -(-count // columns)
    ink = np.zeros((rows * (height + gap) - gap, columns * (width + gap) - gap))
    for k, image in enumerate(images):
        top, left = (k // columns) * (height + gap), (k % columns) * (width + gap)
        ink[top : top + height, left : left + width] = image
    return ink


def draw_images(ax: Axes, images: np.ndarray, columns: int, gap: int = 1) -> None:
    """Draw images [n, height, width] of values in [0, 1] in rows of ``columns``, and nothing of the axes.

    A value is how much ink lies on a point; where it is zero there is nothing, and the page is seen.
    """
    ink = mosaic(images, columns, gap)
    shades = np.round(_SHADES * ink.clip(0, 1)).astype(int)
    for shade in range(1, _SHADES + 1):
        if (at := np.argwhere(shades == shade)).size:
            # sharp rims: soft ones would show as a net of lines between points
            grey = np.full(3, 1 - (1 - _INK) * shade / _SHADES)
            ax.add_patch(PathPatch(_squares(at), facecolor=grey, linewidth=0, antialiased=False))
    ax.set(xlim=(0, ink.shape[1]), ylim=(ink.shape[0], 0), aspect="equal")
    ax.set_axis_off()


def _squares(at: np.ndarray) -> Path:
    """Unit squares with their corners at rows and columns [n, 2], as one path."""
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]])
    codes = [Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY]
    return Path((at[:, None, ::-1] + corners).reshape(-1, 2), np.tile(codes, len(at)))
