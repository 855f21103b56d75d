"""One look for all figures: one colour for one thing through the whole book, sizes that fit the page's column.

Figures are drawn dark on transparent. Each of the named colours has a counterpart for the dark page (`DARK`), and so
has, by `on_dark`, any other: a line keeps its colour's name and its contrast on either ground. The named ones descend
from Okabe and Ito's set for colour-blind readers (2008); some are darkened to stand on white.
"""

from collections.abc import Hashable, Sequence
from difflib import get_close_matches
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.colors import Colormap, LinearSegmentedColormap, ListedColormap, to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.rcsetup import cycler

#: One colour for one thing.
COLORS = {
    "real": "#0072B2",
    "random": "#D55E00",
    "clean": "#009E73",
    "corrupted": "#9C2F74",
    "train": "#A87B00",
    "test": "#54459C",
    "theory": "#222222",
    "control": "#8A8A8A",
    "reference": "#767676",
}

#: What is not a thing: letters, the axes with their ticks, the grid.
FRAME = {"text": "#24292F", "axis": "#555555", "grid": "#DCDCDC"}

#: The same on a dark ground. On the page they are CSS variables, ``--fig-real`` and so on (``book/assets/book.css``).
DARK = {
    "real": "#56B4E9",
    "random": "#F5884C",
    "clean": "#2FC08F",
    "corrupted": "#E38BBE",
    "train": "#D8A93C",
    "test": "#AE9BFF",
    "theory": "#ECECEC",
    "control": "#868686",
    "reference": "#989898",
    "text": "#D6D9DE",
    "axis": "#A3A9B2",
    "grid": "#3A3F47",
}

#: Which of them meet in one figure, and so must stay apart for colour-blind readers.
TOGETHER = (
    ("real", "random", "theory", "control"),
    ("clean", "corrupted", "test", "theory"),
    ("train", "test", "theory", "control"),
)

#: Where a figure shows both and colour tells something else, the split is told by the line.
LINES = {"train": (0, (4, 2)), "test": "-", "theory": "-", "control": (0, (1, 1.5))}

#: Width of a figure, in inches at 100 pixels to the inch: a little less than the page's text column, so that the
#: labels can still be read where a telephone shows it at half that size.
WIDTH = 6.6
#: Height of one row of axes, in inches.
HEIGHT = 3.6
#: Pixels per inch of what is drawn as an image: twice the size at which it is shown.
DPI = 200

#: Least contrast of letters with their ground (WCAG 2.1, level AA).
LEGIBLE = 4.5
#: Of the page in the dark.
GROUND = "#121212"
#: `hue-rotate(180deg)` of the CSS filter effects specification.
_HUE_TURN = np.array([[-0.574, 1.43, 0.144], [0.426, 0.43, 0.144], [0.426, 1.43, -0.856]])


def use() -> None:
    """Set the book's style for every figure drawn from here on in this process."""
    mpl.rcParams.update(
        {
            "figure.figsize": (WIDTH, HEIGHT),
            "figure.dpi": DPI / 2,
            "figure.constrained_layout.use": True,
            "savefig.dpi": DPI,
            "savefig.transparent": True,
            "figure.facecolor": "none",
            "axes.facecolor": "none",
            "font.family": "sans-serif",
            "font.sans-serif": ["DejaVu Sans"],
            "font.size": 12,
            "axes.labelsize": 12,
            "axes.titlesize": 12,
            "axes.titleweight": "regular",
            "axes.titlelocation": "left",
            "xtick.labelsize": 11,
            "ytick.labelsize": 11,
            "legend.fontsize": 11,
            "legend.frameon": False,
            "text.color": FRAME["text"],
            "axes.labelcolor": FRAME["text"],
            "axes.edgecolor": FRAME["axis"],
            "xtick.color": FRAME["axis"],
            "ytick.color": FRAME["axis"],
            "xtick.labelcolor": FRAME["text"],
            "ytick.labelcolor": FRAME["text"],
            "axes.linewidth": 0.9,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "axes.grid.axis": "y",
            "axes.axisbelow": True,
            "grid.color": FRAME["grid"],
            "grid.linewidth": 0.8,
            "lines.linewidth": 2.0,
            "axes.prop_cycle": cycler(color=list(COLORS.values())[:6]),
            "lines.markersize": 6.0,
            "lines.solid_capstyle": "round",
            "patch.edgecolor": "white",
            "patch.force_edgecolor": True,
            "xtick.major.size": 4,
            "xtick.major.width": 1.25,
            "xtick.minor.size": 4,
            "xtick.minor.width": 1.0,
            "ytick.major.size": 0,
            "ytick.major.width": 1.25,
            "ytick.minor.size": 4,
            "ytick.minor.width": 1.0,
            "mathtext.fontset": "dejavusans",
        }
    )


def color(name: str) -> str:
    """Return the book's colour for a thing, as ``#rrggbb``.

    Raises:
        KeyError: a thing that has none; the message names the nearest and lists all.
    """
    try:
        return COLORS[name]
    except KeyError:
        near = get_close_matches(name, COLORS, n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise KeyError(f"no colour for {name!r}{hint}; there are {', '.join(COLORS)}") from None


def legible(name: str) -> str:
    """Return the colour of a thing, or any colour, as dark as letters must be: 4.5 to 1 on white, ``#rrggbb``."""
    red, green, blue = to_rgb(COLORS.get(name, name))
    while contrast(shade := to_hex((red, green, blue))) < LEGIBLE:
        red, green, blue = 0.97 * red, 0.97 * green, 0.97 * blue
    return shade


def on_dark(color: str) -> str:
    """Return the counterpart of any colour on the dark page, ``#rrggbb``: of its hue, its lightness turned over.

    It stands out from the dark ground as much as the colour does from white, or as letters must.
    """
    shade = np.clip(_HUE_TURN @ (1 - np.array(to_rgb(color))), 0, 1)
    while contrast(to_hex(shade), GROUND) < min(LEGIBLE, contrast(color)):
        shade = shade + 0.03 * (1 - shade)
    return to_hex(shade)


def contrast(color: str, ground: str = "#ffffff") -> float:
    """Return a colour's contrast with a ground, 1 to 21, as the Web Content Accessibility Guidelines define it."""
    darker, lighter = sorted(_luminance(one) for one in (color, ground))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(color: str) -> float:
    channels = np.array(to_rgb(color))
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def graded(values: Sequence[Hashable], kind: str = "sequence") -> dict[Hashable, str]:
    """Return a colour for each of several graded conditions, as {value: ``#rrggbb``} in the order given.

    Args:
        values: the levels, in their order.
        kind: "random fraction" runs from the colour of real to that of random labels by the value itself, in [0, 1];
            "width", "learning rate" and "sequence" each have a ramp of their own, divided evenly by rank.

    Raises:
        ValueError: an unknown kind, or a random fraction outside [0, 1].
    """
    if kind not in _RAMPS:
        raise ValueError(f"unknown kind of grading {kind!r}; one of {', '.join(_RAMPS)}")
    if kind == "random fraction":
        positions = np.asarray(values, dtype=float)
        if ((positions < 0) | (positions > 1)).any():
            raise ValueError(f"random fractions lie between 0 and 1, got {list(values)}")
    else:
        positions = np.linspace(0, 1, len(values)) if len(values) > 1 else np.ones(1)
    return {value: to_hex(_RAMPS[kind](position)) for value, position in zip(values, positions, strict=True)}


def subplots(rows: int = 1, columns: int = 1, *, height: float | None = None, **options: Any) -> tuple[Figure, Any]:
    """Return a figure as wide as the column, and its axes (one or an array), as `matplotlib.pyplot.subplots` does.

    Args:
        rows: of axes.
        columns: of axes; more than two are hard to read on a telephone.
        height: of the whole figure in inches; `HEIGHT` for each row by default.
        options: passed to `matplotlib.pyplot.subplots`.
    """
    return plt.subplots(rows, columns, figsize=(WIDTH, height or HEIGHT * rows), **options)


def _through(*colors: str) -> Colormap:
    return LinearSegmentedColormap.from_list("ramp", colors)


_RAMPS = {
    # dark in the middle: blue and orange mixed evenly are grey, and their neighbours look alike
    "random fraction": _through(COLORS["real"], "#33428A", "#5A1A5E", "#A0333A", COLORS["random"]),
    # the parts of seaborn's crest and flare, and of viridis, that stand clear of a white ground
    "width": _through("#53a190", "#35878d", "#1e6d8a", "#235081", "#2c3172"),
    "learning rate": _through("#e5745f", "#d04962", "#a5396e", "#772d6f", "#4b2362"),
    "sequence": ListedColormap(mpl.colormaps["viridis"](np.linspace(0.0, 0.6, 256))),
}
