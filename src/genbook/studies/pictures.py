"""Drawings of the data that studies make or change: what their networks are given, before anything is learned."""

from __future__ import annotations

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from genbook import data, figures
from genbook.base.seeding import generator
from genbook.data.blocks import like_images
from genbook.figures import grids, style
from genbook.studies.coherence.two_data_sets.run import inputs_of
from genbook.studies.noise.long_tail import theory
from genbook.studies.noise.long_tail.spec import LongTailSpec
from genbook.studies.xor.xor_clusters.clusters import draw_clusters, labels
from genbook.studies.xor.xor_clusters.spec import XorClustersSpec

_NEW = np.array([[0.0, 0.0, 0.0, 0.0, -1.0, -1.0]])
_ROWS = ("first", "second", "third", "fourth", "new")


def two_sets() -> Figure:
    """The inputs of L and M: a square for each number that is not zero."""
    figure, axes = figures.subplots(1, 2, height=2.5)
    for ax, name in zip(axes, "LM", strict=True):
        _squares(ax, np.concatenate([inputs_of(name), _NEW]))
        ax.set_title(name)
        ax.set_yticks(range(len(_ROWS)), _ROWS if name == "L" else [""] * len(_ROWS))
    return figure


def _squares(ax: Axes, inputs: np.ndarray) -> None:
    for (row, column), value in np.ndenumerate(inputs):
        if value:
            shade, text = ("real", "+1") if value > 0 else ("random", "−1")
            ax.add_patch(
                plt.Rectangle((column - 0.44, row - 0.44), 0.88, 0.88, color=style.legible(shade), linewidth=0)
            )
            ax.text(column, row, text, ha="center", va="center", color="white", fontsize=10)
    ax.axhline(len(inputs) - 1.5, color=style.COLORS["reference"], linewidth=1, linestyle=":")
    ax.set(xlim=(-0.5, inputs.shape[1] - 0.5), ylim=(len(inputs) - 0.5, -0.5), aspect="equal")
    ax.set_xticks(range(inputs.shape[1]), [f"$x_{k + 1}$" for k in range(inputs.shape[1])])
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)


def xor_clusters(spec: XorClustersSpec | None = None) -> Figure:
    """Points of the four clusters in the plane of their means; those whose label is flipped are open circles."""
    spec = spec or XorClustersSpec()
    rng, reach = generator(0, "picture of XOR clusters"), 1.45 * spec.strength
    places = draw_clusters(spec.n_train, spec.first_pair, rng)
    points = spec.strength * places + rng.standard_normal(places.shape)
    positive, wrong = labels(spec, places, 0) > 0, np.arange(len(places)) < spec.flipped()
    figure, ax = figures.subplots(height=3.9)
    for line in (ax.axhline, ax.axvline):
        line(0, color=style.COLORS["reference"], linewidth=0.8, zorder=1)
    for truth, name, other in ((True, "real", "random"), (False, "random", "real")):
        mine = positive == truth
        ax.plot(*points[mine & ~wrong].T, "o", color=style.COLORS[name], markersize=4, markeredgewidth=0)
        flipped = {"markeredgecolor": style.COLORS[other], "markerfacecolor": "none", "markersize": 6}
        ax.plot(*points[mine & wrong].T, "o", markeredgewidth=1.4, **flipped)
    at, off = spec.strength, 0.2 * spec.strength
    for x, y, mean, place in (
        (at, off, r"+\mu_1", (1, 0)),
        (-at, off, r"-\mu_1", (-1, 0)),
        (0.35 * at, at, r"+\mu_2", (0, 1)),
        (0.35 * at, -at, r"-\mu_2", (0, -1)),
    ):
        text, shade = f"${mean}$", "theory"
        if spec.labels != "at random":
            above = labels(spec, np.array([place], dtype=float), 0)[0] > 0
            text, shade = f"${mean}$: label ${'+' if above else '-'}$", "real" if above else "random"
        ax.text(x, y, text, ha="center" if y == off else "left", va="center", color=style.legible(shade), fontsize=11)
    ax.set(aspect="equal", xlabel=r"along $\mu_1$", ylabel=r"along $\mu_2$", xlim=(-reach, reach), ylim=(-reach, reach))
    ax.grid(visible=False)
    ax.locator_params(nbins=5)
    return figure


def blocks(dataset: str = "digits", classes: tuple[int, int] = (1, 9), count: int = 3, shown: int = 6) -> Figure:
    """Two classes of images, each cut into ``count`` blocks of like images; the first few of each block."""
    found = data.load(dataset)
    chosen = np.flatnonzero(np.isin(found.train_labels, classes))
    images, kinds = found.train_inputs[chosen], found.train_labels[chosen]
    block, names = like_images(images.reshape(len(images), -1), kinds, count, 0)
    figure, axes = figures.subplots(count, len(classes), height=0.87 * count)
    for k, ax in enumerate(axes.T.flat):
        grids.draw_images(ax, images[block == k][:shown, 0], shown)
        ax.set_title(f"class {names[k]}, block {k % count + 1}", fontsize=10, pad=3)
    return figure


def long_tail(spec: LongTailSpec | None = None) -> Figure:
    """How often a training set shows each cluster of a mixture (dots), what is to be expected, and what it lacks."""
    spec = spec or LongTailSpec()
    p = theory.frequencies(spec.frequencies, spec.clusters, spec.exponent)
    counts = generator(0, "picture of a long tail").multinomial(spec.n_train, p)
    rank, shown = np.arange(1, spec.clusters + 1), counts > 0
    figure, ax = figures.subplots(height=3.2)
    ax.plot(rank[shown], counts[shown], "o", color=style.COLORS["train"], markersize=4, alpha=0.8)
    ax.plot(rank, spec.n_train * p, color=style.COLORS["theory"], linewidth=1.3)
    ax.plot(rank[~shown], np.full((~shown).sum(), 0.35), "|", color=style.COLORS["corrupted"], markersize=7)
    figures.log_axis(ax)
    figures.log_axis(ax, "y")
    ax.text(1, 0.35, "never seen", color=style.legible("corrupted"), va="center", fontsize=11)
    ax.set(xlabel="clusters, from the most frequent on", ylabel="times in the training set", ylim=(0.25, None))
    return figure
