"""Figures as SVG whose colours have names, so that light and dark can each have their own.

`drawn` writes a figure with ``var(--fig-real, #0072b2)`` in the place of each of its colours; where there is no such
variable the colour behind the comma is shown. `themed` puts into such an image what each name means in light and in
dark. An image takes its theme from the page around it, by the CSS property ``color-scheme`` of its element; so it can
stay a file, which the browser asks for when the reader comes near it.
"""

from __future__ import annotations

import io
import re

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PathCollection, QuadMesh
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D

from genbook.figures import style

#: Marks what keeps its colours in the dark: there a colour is a value.
_KEPT = "kept"
#: Lies on such areas, or keeps what it surrounds apart from them.
_WHITE = "#ffffff"
#: So many points of one kind weigh less as an image.
_MANY = 400
#: CSS pixels to the inch in which `style.WIDTH` is told.
_PIXELS = style.DPI / 2

_COLOR = re.compile(r"(?<![\w-])(fill|stroke): (#[0-9a-f]{6})\b")
_VARIABLE = re.compile(r"var\(--fig-([\w-]+), (#[0-9a-f]{6})\)")
_NUMBER = re.compile(r"-?\d+\.\d+")
_COORDINATES = re.compile(r'(?<= )(d|x|y|width|height|points)="([^"]*)"')
_MOVED = re.compile(r"translate\([^)]*\)")


def drawn(fig: Figure, salt: str) -> str:
    """Return the figure as SVG, the same for the same figure; ``salt`` keeps its names apart from other figures'."""
    for ax in fig.axes:
        _mark(ax)
    file = io.StringIO()
    # letters as outlines: whether a reader's machine has the font decides neither their look nor their width
    with mpl.rc_context({"svg.fonttype": "path", "svg.hashsalt": salt}):
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        fig.savefig(file, format="svg", dpi=style.DPI, metadata=nothing)
    width, height = (round(inches * _PIXELS) for inches in fig.get_size_inches())
    text = file.getvalue()
    text = re.sub(r"<\?xml.*?\?>|<!DOCTYPE.*?>|<!--.*?-->|<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'(<svg [^>]*?)width="[^"]*" height="[^"]*"', rf'\1width="{width}" height="{height}"', text, count=1)
    text = re.sub(r'(<svg [^>]*?)height="[^"]*" (viewBox="[^"]*" )width="[^"]*"', r"\1\2", text, count=1)
    return _named(_short(text.strip()))


def themed(svg: str) -> str:
    """Return the image with its colours' meaning in light and in dark, that of the page around it; once is enough."""
    if "prefers-color-scheme" in svg:
        return svg
    used = dict(sorted(set(_VARIABLE.findall(svg))))
    light = "".join(f"--fig-{name}: {color};" for name, color in used.items())
    dark = "".join(f"--fig-{name}: {_in_the_dark(name, color)};" for name, color in used.items())
    sheet = f"<style>:root{{{light}}}@media (prefers-color-scheme: dark){{:root{{{dark}}}}}</style>"
    return re.sub(r"<svg [^>]*>", lambda opening: opening[0] + sheet, svg, count=1)


def _mark(ax: Axes) -> None:
    """Have what is heavy drawn as an image, and mark the areas whose colour is a value."""
    for number, artist in enumerate(ax.get_children()):
        artist.set_rasterized(isinstance(artist, QuadMesh | AxesImage) or _points(artist) > _MANY)
        if isinstance(artist, ScalarMappable) and artist.get_array() is not None:
            artist.set_gid(f"{_KEPT}-{number}")


def _points(artist: Artist) -> int:
    """How many markers an artist has."""
    if isinstance(artist, PathCollection):
        return len(np.asarray(artist.get_offsets()))
    if isinstance(artist, Line2D) and artist.get_marker() not in (None, "None", "", " "):
        return len(np.asarray(artist.get_xdata()))
    return 0


def _short(svg: str) -> str:
    """Return the image with coordinates to a twentieth of a pixel, on fewer lines."""

    def rounded(text: str) -> str:
        return _NUMBER.sub(lambda number: f"{float(number[0]):.2f}".rstrip("0").rstrip("."), " ".join(text.split()))

    svg = _COORDINATES.sub(lambda found: f'{found[1]}="{rounded(found[2])}"', svg)
    svg = _MOVED.sub(lambda found: rounded(found[0]), svg)
    return re.sub(r"\n\s*", "\n", svg)


def _named(svg: str) -> str:
    """Return the image with variables for its colours, but where they are kept."""
    names = {color.lower(): name for name, color in {**style.COLORS, **style.FRAME}.items()}
    names = {style.legible(name).lower(): f"{name}-letters" for name in style.COLORS} | names

    def variable(found: re.Match[str]) -> str:
        color = found[2]
        if color == _WHITE:
            return found[0]
        return f"{found[1]}: var(--fig-{names.get(color, color[1:])}, {color})"

    parts, depth, kept = [], 0, None
    for piece in re.split(r"(<g\b[^>]*>|</g>)", svg):
        if piece.startswith("<g"):
            depth += 1
            kept = depth if kept is None and f'id="{_KEPT}' in piece else kept
        elif piece == "</g>":
            kept = None if kept == depth else kept
            depth -= 1
        parts.append(piece if kept is not None else _COLOR.sub(variable, piece))
    return "".join(parts)


def _in_the_dark(name: str, color: str) -> str:
    """A colour's counterpart on a dark ground: what is chosen for a thing, or else its lightness turned over."""
    thing = name.removesuffix("-letters")
    return style.DARK[thing].lower() if thing in style.DARK else style.on_dark(color)
