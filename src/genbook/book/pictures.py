"""Pictures for the pages that describe data and measure: drawn at build from the package's own data, nothing else.

With them goes a figure that answers the hand, which stands on its page as HTML.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from genbook import data, figures
from genbook.base.files import disk_errors, make_folder
from genbook.figures import grids, style
from genbook.figures.images import compressed
from genbook.figures.moving import Choice, Live, Slider, link
from genbook.figures.stills import still
from genbook.studies import pictures

#: The classes of clothes, as the authors of Fashion-MNIST name them.
CLOTHES = ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot")
#: Six gradients in a plane, [6, 2]: four that agree more or less, one at right angles, one against them.
ARROWS = np.array([[0.9, 0.35], [0.75, 0.6], [1.0, -0.1], [0.6, 0.1], [-0.25, 0.9], [-0.5, -0.35]])


def draw_pictures(folder: Path) -> None:
    """Put all pictures into ``folder`` as PNG, by their names in `PICTURES`."""
    with plt.rc_context():
        style.use()
        for name, draw in PICTURES.items():
            figure, image = draw(), io.BytesIO()
            figure.savefig(image, format="png", dpi=style.DPI, metadata={"Software": None})
            plt.close(figure)
            with disk_errors(folder):
                (make_folder(folder) / f"{name}.png").write_bytes(compressed(image.getvalue()))


def of_each_class(dataset: str, each: int) -> np.ndarray:
    """The first ``each`` training inputs of every class, [each, classes, *shape]: a row has one of each."""
    found = data.load(dataset)
    chosen = [np.flatnonzero(found.train_labels == kind)[:each] for kind in range(found.n_classes)]
    return found.train_inputs[np.stack(chosen, axis=1)]


def _classes(dataset: str, names: tuple[str, ...], each: int) -> Figure:
    """Images in a column for each class, with its name above."""
    images = of_each_class(dataset, each)[:, :, 0]
    size = images.shape[-1] + 1
    figure, ax = figures.subplots(height=figures.style.WIDTH * each / len(names) + 0.4)
    grids.draw_images(ax, images.reshape(-1, *images.shape[2:]), len(names))
    for k, name in enumerate(names):
        ax.text(k * size + (size - 1) / 2, -0.09 * size, name, ha="center", va="bottom", fontsize=9)
    return figure


def _digits() -> Figure:
    return _classes("digits", tuple(map(str, range(10))), 6)


def _clothes() -> Figure:
    return _classes("fashion-small", CLOTHES, 6)


def _signals() -> Figure:
    """Three signals of each class."""
    signals = of_each_class("mnist1d", 3)
    figure, axes = figures.subplots(2, 5, height=3.0, sharex=True, sharey=True)
    for kind, ax in enumerate(axes.flat):
        for k, shade in enumerate(figures.graded(range(3)).values()):
            ax.plot(signals[k, kind], color=shade, linewidth=1.2)
        ax.set_title(str(kind), loc="center", fontsize=10, pad=2)
        ax.set_axis_off()
    return figure


def _arrows() -> Figure:
    """Six gradients from one point, and their sum."""
    figure, ax = figures.subplots(height=3.16)
    total = ARROWS.sum(0)
    for arrow in ARROWS:
        _arrow(ax, arrow, style.COLORS["train"], 1.6)
    _arrow(ax, total, style.COLORS["test"], 2.6)
    ax.text(total[0] + 0.08, total[1] + 0.02, "their sum", color=style.legible("test"), va="center")
    ax.set(aspect="equal", xlim=(-1.1, 3.6), ylim=(-0.75, 1.85))
    ax.set_axis_off()
    return figure


def _arrow(ax: Axes, tip: np.ndarray, shade: str, width: float) -> None:
    ax.annotate(
        "", (tip[0], tip[1]), (0, 0), arrowprops={"arrowstyle": "-|>", "color": shade, "linewidth": width, "shrinkA": 0}
    )


#: Sets of six gradients, by name: as words, and as arrows.
SETS = {
    "some": ("five that mostly agree", ARROWS),
    "alike": ("all alike", np.tile([1.0, 0.0], (6, 1))),
    "cancel": ("all against each other", np.array([[np.cos(a), np.sin(a)] for a in np.arange(6) * np.pi / 3])),
    "one": (
        "one long, five short",
        np.array([[1.4, 0], *([0.2 * np.cos(a), 0.2 * np.sin(a)] for a in (2, 3, 4, 5, 6))]),
    ),
}
ANGLES = tuple(range(-180, 181, 5))
LENGTHS = tuple(round(0.1 * k, 1) for k in range(16))


def arrows_in_words(arrows: np.ndarray) -> str:
    """What is seen of gradients [m, 2]; `arrows.js` says the same."""
    total, squares = arrows.sum(0), float(np.square(arrows).sum())
    if not squares:
        return "There is no gradient: everything is fitted."
    coherence = float(total @ total) / squares
    return (
        f"m-coherence is {coherence:.2f} of {len(arrows)}, α is {coherence / len(arrows):.2f}; a small step along the "
        f"sum helps {int((arrows @ total > 1e-9).sum())} of the {len(arrows)} examples."
    )


def six_gradients() -> Live:
    """Six gradients that the reader turns, by dragging their tips or by sliders, and how many their sum helps."""
    at = ARROWS[0]
    angle = int(np.abs(np.array(ANGLES) - np.degrees(np.arctan2(at[1], at[0]))).argmin())
    length = int(np.abs(np.array(LENGTHS) - np.hypot(*at)).argmin())
    return Live(
        "arrows",
        ("d3.js", "plots.js", "arrows.js"),
        still(_arrows()),
        [
            Choice("set", "begin with", {name: words for name, (words, _) in SETS.items()}),
            Choice("arrow", "turn the gradient of example", {str(k): str(k) for k in range(1, 7)}),
            Slider("angle", "direction", ANGLES, [f"{a}°" for a in ANGLES], angle),
            Slider("length", "length", LENGTHS, [f"{v:g}" for v in LENGTHS], length),
        ],
        arrows_in_words(ARROWS),
        {
            "sets": {name: drawn.round(3).tolist() for name, (_, drawn) in SETS.items()},
            "angles": ANGLES,
            "lengths": LENGTHS,
        },
        numbers=True,
    )


def live_pages() -> dict[str, str]:
    """Figures that answer the hand, by name: what a page includes of each."""
    with plt.rc_context():
        style.use()
        drawn = six_gradients()
    sets = next(control for control in drawn.controls if control.name == "set")
    caption = (
        "Six gradients and their sum. A small step along the sum helps each example whose arrow makes an acute angle "
        "with it: five of these six. The longer the sum is for the length of the arrows, the more they have in common. "
        "Drag a tip, or choose an arrow and turn it. Set them "
        f"{link('fig-six-gradients', 'all alike', (sets, 'alike'))}, "
        f"{link('fig-six-gradients', 'all against each other', (sets, 'cancel'))}, or "
        f"{link('fig-six-gradients', 'as they were', (sets, 'some'))}."
    )
    return {"six-gradients": as_figure(drawn, "fig-six-gradients", _SIX_ALT, caption)}


def as_figure(drawn: Live, name: str, alt: str, caption: str) -> str:
    """A figure that answers the hand, with its caption, as what a page that is no notebook includes."""
    figure = (
        f'<figure class="plot" id="{name}">{drawn.html(name, alt)}<figcaption><p>{caption}</p></figcaption></figure>'
    )
    return f"```{{raw}} html\n{figure}\n```\n"


_SIX_ALT = (
    "Six arrows from one point. Four of them point more or less to the right, one upwards and one down to the left; "
    "their sum, a longer arrow, points to the upper right."
)

#: By the names of their files.
PICTURES: dict[str, Callable[[], Figure]] = {
    "digits": _digits,
    "fashion-small": _clothes,
    "mnist1d": _signals,
    "two-sets": pictures.two_sets,
    "xor-clusters": pictures.xor_clusters,
    "blocks": pictures.blocks,
    "long-tail": pictures.long_tail,
}
