"""Figures as SVG: the same each time, their colours named for light and dark, what shows a value left alone."""

import re
import xml.etree.ElementTree as ET

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genbook import figures
from genbook.figures import style, svg


def colors(image):
    """All that is filled or stroked, as it is written."""
    return set(re.findall(r"(?:fill|stroke): ([^;\"]+\)|#\w+)", image))


def test_a_figure_is_the_same_each_time_and_can_be_read(ax):
    ax.plot([0, 1], [0, 1], color=style.COLORS["real"])
    first, again = svg.drawn(ax.figure, "fig-a"), svg.drawn(ax.figure, "fig-a")
    assert first == again
    for image in (first, svg.themed(first)):
        assert ET.fromstring(image).get("viewBox") == "0 0 475.2 259.2"


def test_every_colour_has_a_name_and_keeps_itself_behind_it(ax):
    for name in style.COLORS:
        ax.plot([0, 1], [0, 1], color=style.COLORS[name])
    figures.end_label(ax, 1, 1, "of its own colour", style.COLORS["train"])
    ax.plot([0, 1], [1, 0], color="#12AB34")
    found = colors(svg.drawn(ax.figure, "fig-a"))
    assert {f"var(--fig-{name}, {color.lower()})" for name, color in style.COLORS.items()} <= found
    assert {f"var(--fig-{name}, {style.FRAME[name].lower()})" for name in ("text", "axis", "grid")} <= found
    assert f"var(--fig-train-letters, {style.legible('train')})" in found
    assert "var(--fig-12ab34, #12ab34)" in found
    assert not any(color.startswith("#") for color in found)


def test_a_theme_says_what_each_name_means(ax):
    ax.plot([0, 1], [0, 1], color=style.COLORS["real"])
    ax.plot([0, 1], [1, 0], color="#12AB34")
    image = svg.themed(svg.drawn(ax.figure, "fig-a"))
    light, dark = re.search(
        r"<style>:root\{(.*?)\}@media \(prefers-color-scheme: dark\)\{:root\{(.*?)\}\}", image
    ).groups()
    assert "--fig-real: #0072b2;" in light
    assert f"--fig-real: {style.DARK['real'].lower()};" in dark
    assert f"--fig-12ab34: {style.on_dark('#12ab34')};" in dark
    used = set(re.findall(r"var\(--fig-([\w-]+)", image))
    for said in (light, dark):
        assert set(re.findall(r"--fig-([\w-]+):", said)) == used
    assert svg.themed(image) == image


def test_where_a_colour_is_a_value_it_stays_and_its_frame_follows_the_theme(ax):
    drawn = ax.scatter([0, 1], [0, 1], c=[0, 1], cmap="viridis", marker="s")
    ax.plot([0], [0], "x", color="white")
    ax.figure.colorbar(drawn, ax=ax, label="accuracy")
    found = colors(svg.drawn(ax.figure, "fig-a"))
    assert {color for color in found if color.startswith("#")} == {"#440154", "#fde725", "#ffffff"}
    assert "var(--fig-text, #24292f)" in found


@pytest.mark.parametrize("draw", ["scatter", "plot"])
def test_very_many_points_become_an_image_and_few_do_not(ax, draw):
    points = np.random.default_rng(0).uniform(size=(2, svg._MANY + 1))
    for count, is_image in ((svg._MANY, False), (svg._MANY + 1, True)):
        ax.clear()
        getattr(ax, draw)(*points[:, :count], marker="o")
        assert ("<image" in svg.drawn(ax.figure, "fig-a")) == is_image


def test_coordinates_keep_a_hundredth_and_scales_all_their_digits(ax):
    ax.plot([0, 1], [0.123456, 0.98765])
    image = svg.drawn(ax.figure, "fig-a")
    assert not re.search(r' d="[^"]*\.\d{3}', image)
    assert "scale(0.11 -0.11)" in image


@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_in_the_dark_a_colour_stands_out_as_it_does_on_white_or_as_letters_must(channels):
    color = mpl.colors.to_hex(np.array(channels) / 255)
    least = min(style.LEGIBLE, style.contrast(color))
    assert style.contrast(style.on_dark(color), style.GROUND) > least - 0.05
