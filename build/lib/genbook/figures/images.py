"""Images made small: a figure has few colours, and 256 of them are a quarter of the bytes and look the same."""

from __future__ import annotations

import io

import numpy as np

#: Difference in a channel, of 255, on white, from which a point of the image is seen to have changed...
_SEEN = 24
#: ...and the fraction of such points, on the rims of letters, that is let pass.
_LET_PASS = 5e-4


def compressed(png: bytes) -> bytes:
    """Return a PNG with a palette where that is not seen, or else without loss, if it is smaller than it was."""
    from PIL import Image

    with Image.open(io.BytesIO(png)) as opened:
        image = opened.convert("RGBA")
    few = image.quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    differs = np.abs(_on_white(image) - _on_white(few.convert("RGBA"))).max(axis=2) > _SEEN
    buffer = io.BytesIO()
    (few if differs.mean() <= _LET_PASS else image).save(buffer, format="png", optimize=True)
    return min(png, buffer.getvalue(), key=len)


def _on_white(image) -> np.ndarray:
    """Return the colours, [height, width, 3], that a transparent image has on white."""
    points = np.asarray(image, dtype=np.float32)
    opaque = points[..., 3:] / 255
    return points[..., :3] * opaque + 255 * (1 - opaque)
