"""Pictures of the data for the pages that describe them: drawn at build from the package's own data, nothing else."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from genbook import data, figures
from genbook.base.files import make_folder
from genbook.figures import grids, style
from genbook.figures.images import compressed
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
        ax.text(k * size + (size - 2) / 2, -0.09 * size, name, ha="center", va="bottom", fontsize=9)
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
    figure, ax = figures.subplots(height=3.6)
    total = ARROWS.sum(0)
    for arrow in ARROWS:
        _arrow(ax, arrow, style.COLORS["train"], 1.6)
    _arrow(ax, total, style.COLORS["test"], 2.6)
    ax.text(total[0] + 0.08, total[1] + 0.02, "their sum", color=style.legible("test"), va="center")
    ax.set(aspect="equal", xlim=(-1.1, 3.6), ylim=(-0.75, 1.85))
    ax.set_axis_off()
    return figure


def _arrow(ax: Axes, tip: np.ndarray, shade: str, width: float) -> None:
    ax.annotate("", tip, (0, 0), arrowprops={"arrowstyle": "-|>", "color": shade, "linewidth": width, "shrinkA": 0})


PICTURES: dict[str, Callable[[], Figure]] = {
    "digits": _digits,
    "fashion-small": _clothes,
    "mnist1d": _signals,
    "two-sets": pictures.two_sets,
    "xor-clusters": pictures.xor_clusters,
    "blocks": pictures.blocks,
    "long-tail": pictures.long_tail,
    "six-gradients": _arrows,
}
