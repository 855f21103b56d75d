"""Labels exchanged between blocks: what shares a block shares a label."""

import numpy as np
import pytest

from genbook.data.blocks import exchange_blocks, like_images

LABELS = np.repeat(np.arange(4), 6)


def images(seed=0):
    """Two clouds, far apart, in each class."""
    rng = np.random.default_rng(seed)
    return 10 * (np.arange(24) % 2)[:, None] + rng.normal(size=(24, 3)), np.arange(24) % 2


@pytest.mark.parametrize("count", [1, 2, 3, 6, 9])
def test_blocks_are_numbered_through_and_keep_to_one_class(count):
    block, names = like_images(images()[0], LABELS, count, 0)
    assert sorted(set(block)) == list(range(len(names))) == list(range(4 * min(count, 6)))
    assert (names[block] == LABELS).all()


def test_blocks_hold_like_images():
    inputs, cloud = images()
    block, names = like_images(inputs, LABELS, 2, 0)
    for one in range(len(names)):
        assert len(set(cloud[block == one])) == 1


def test_what_shares_a_block_shares_a_label_and_labels_are_permuted_over_blocks():
    inputs = images()[0]
    block, names = like_images(inputs, LABELS, 3, 7)
    given = exchange_blocks(inputs, LABELS, 3, 7)
    assert all(len(set(given[block == one])) == 1 for one in set(block))
    assert sorted(given[np.unique(block, return_index=True)[1]]) == sorted(names)
    assert (exchange_blocks(inputs, LABELS, 3, 8) != given).any()


def test_whole_classes_exchange_names_and_single_images_keep_the_class_counts():
    renamed = exchange_blocks(images()[0], LABELS, 1, 3)
    pairs = set(zip(LABELS.tolist(), renamed.tolist(), strict=True))
    assert len(pairs) == len({new for _, new in pairs}) == 4
    alone = exchange_blocks(images()[0], LABELS, 6, 3)
    assert (np.bincount(alone) == 6).all()


def test_blocks_at_random_know_no_class():
    inputs = np.repeat(10.0 * np.arange(4), 100)[:, None] + np.random.default_rng(1).normal(size=(400, 2))
    labels = np.repeat(np.arange(4), 100)

    def purity(alike):
        """Largest fraction of a class that keeps together under one new label, where classes exchange their names."""
        given = exchange_blocks(inputs, labels, 1, 0, alike=alike)
        return max(np.bincount(given[labels == 0]) / 100)

    assert purity(alike=True) == 1
    assert purity(alike=False) < 0.4
    # the same blocks, by size, with the same labels: only what is in them differs
    alike, mixed = (exchange_blocks(inputs, labels, 5, 0, alike=alike) for alike in (True, False))
    assert (np.bincount(alike) == np.bincount(mixed)).all()
