"""Labels that change hands in blocks: what shared a block shares a label, whichever label that is."""

from __future__ import annotations

import numpy as np

from genbook.base.errors import comes_with_the_book
from genbook.base.seeding import CORRUPTION, generator


def exchange_blocks(images: np.ndarray, labels: np.ndarray, count: int, seed: int, *, alike: bool = True) -> np.ndarray:
    """The labels [n] after each class was cut into ``count`` blocks and all blocks have exchanged their labels.

    With one block a class whole classes exchange their names; with as many as the class has images every label is
    drawn at random. The class counts stay.

    Args:
        images: [n, d].
        labels: [n].
        count: blocks a class; at most one an image.
        seed: keys the streams of blocks and labels.
        alike: whether a block holds like images of one class (by k-means), or images at random from all classes.
    """
    block, names = like_images(images, labels, count, seed)
    if not alike:
        block = generator(seed, "images by lot").permutation(block)
    return generator(seed, CORRUPTION).permutation(names)[block]


def like_images(images: np.ndarray, labels: np.ndarray, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Cut each class into ``count`` blocks of like images by k-means; at most one block an image.

    Args:
        images: [n, d].
        labels: [n].
        count: blocks a class.
        seed: keys the stream of the first centres.

    Returns:
        The block [n] of each image, and the label of each block.
    """
    with comes_with_the_book("exchange_blocks"):
        from sklearn.cluster import KMeans  # a second of imports that most studies need not wait for

    block, names = np.empty(len(labels), dtype=np.int64), []
    for label in np.unique(labels):
        mine = np.flatnonzero(labels == label)
        if count < len(mine):
            state = int(generator(seed, "blocks").integers(2**31))
            found = KMeans(count, n_init=1, random_state=state).fit_predict(images[mine])
            block[mine] = len(names) + np.unique(found, return_inverse=True)[1]
        else:
            block[mine] = len(names) + np.arange(len(mine))
        names += [label] * (block[mine].max() + 1 - len(names))
    return block, np.array(names)
