"""Small images in rows and columns, as ink on the page's ground: the data themselves, point by point."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb

_INK = "#222222"


def mosaic(images: np.ndarray, columns: int, gap: int = 1) -> np.ndarray:
    """Lay images [n, height, width] of values in [0, 1] out in rows of ``columns``: colours [H, W, 4].

    A value is how much ink lies on a point, so that the mosaic stands on any ground. ``gap``: points between images.
    """
    count, height, width = images.shape
    rows = -(-count // columns)
    ink = np.zeros((rows * (height + gap) - gap, columns * (width + gap) - gap))
    for k, image in enumerate(images):
        top, left = (k // columns) * (height + gap), (k % columns) * (width + gap)
        ink[top : top + height, left : left + width] = image
    coloured = np.empty((*ink.shape, 4))
    coloured[..., :3], coloured[..., 3] = to_rgb(_INK), ink.clip(0, 1)
    return coloured


def draw_images(ax: Axes, images: np.ndarray, columns: int, gap: int = 1) -> None:
    """Draw images [n, height, width] of values in [0, 1] in rows of ``columns``, and nothing of the axes."""
    ax.imshow(mosaic(images, columns, gap), interpolation="nearest")
    ax.set_axis_off()
