"""The pictures of the data: what they show is what the package has, laid out point by point."""

import io
import re

import numpy as np
import pytest
from matplotlib import pyplot as plt
from PIL import Image

from genbook import data
from genbook.base.files import repository
from genbook.book import pictures
from genbook.figures import grids
from genbook.studies.coherence.two_data_sets.run import m_coherence


def test_a_mosaic_holds_every_image_at_its_place_and_nothing_between():
    images = np.random.default_rng(0).random((7, 3, 2))
    ink = grids.mosaic(images, columns=3, gap=2)
    assert ink.shape == (3 * 3 + 2 * 2, 3 * 2 + 2 * 2)
    for k, image in enumerate(images):
        row, column = divmod(k, 3)
        np.testing.assert_array_equal(ink[row * 5 : row * 5 + 3, column * 4 : column * 4 + 2], image)
    assert ink.sum() == pytest.approx(images.sum())


def test_images_are_drawn_in_their_shades():
    figure, ax = plt.subplots(figsize=(1, 1), dpi=40)
    ax.set_position([0, 0, 1, 1])
    image = np.array([[0, 0.25], [0.5, 1]])
    grids.draw_images(ax, image[None], columns=1)
    figure.canvas.draw()
    drawn = 255 - np.asarray(figure.canvas.buffer_rgba())[10::20, 10::20, 0].astype(float)
    plt.close(figure)
    np.testing.assert_allclose(drawn, image * (255 - 0x22), atol=1)


@pytest.mark.parametrize("dataset", ["digits", "fashion-small", "mnist1d"])
def test_a_row_has_one_input_of_each_class_from_the_training_pool(dataset):
    found, shown = data.load(dataset), pictures.of_each_class(dataset, 3)
    assert shown.shape == (3, found.n_classes, *found.shape)
    for kind in range(found.n_classes):
        own = found.train_inputs[found.train_labels == kind]
        np.testing.assert_array_equal(shown[:, kind], own[:3])


def test_five_of_the_six_arrows_are_helped_by_their_sum_as_the_page_says():
    assert (pictures.ARROWS @ pictures.ARROWS.sum(0) > 0).sum() == 5
    assert 1 < m_coherence(pictures.ARROWS) < 6


def test_pages_show_every_picture_once_drawn_alike_each_time(tmp_path):
    pictures.draw_pictures(tmp_path)
    shown = []
    for page in (repository() / "book" / "method").glob("*.md"):
        shown += re.findall(r"\{figure\} \.\./pictures/(\S+)\.png", page.read_text(encoding="utf-8"))
    assert sorted(shown) == sorted(pictures.PICTURES)
    first = {name: (tmp_path / f"{name}.png").read_bytes() for name in shown}
    pictures.draw_pictures(tmp_path)
    for name, before in first.items():
        assert (tmp_path / f"{name}.png").read_bytes() == before, name
        assert 4_000 < len(before) < 60_000
        with Image.open(io.BytesIO(before)) as image:
            assert image.width == 1320
