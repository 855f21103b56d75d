"""Data sets as they lie on disk, the subsets that a seed draws from them, and the corruption of their labels.

    >>> dataset = load("digits")  # which, with all data, comes with `genbook[book]`
    >>> data = split(dataset, seed=0, n_train=1000)
    >>> noisy = corrupt(data.train.labels, 0.15, "uniform", seed=0, n_classes=dataset.n_classes)
    >>> float(noisy.changed.mean())  # the fraction of the labels that are wrong
    0.15

Nothing is downloaded unless `fetch` is called.
"""

from genbook.base.files import data_root
from genbook.data.blocks import exchange_blocks
from genbook.data.corruption import Corrupted, CorruptionKind, corrupt, shuffle_labels
from genbook.data.human import HUMAN_KINDS, HumanKind, human_labels
from genbook.data.sources import (
    N_CLASSES,
    NAMES,
    SIGNALS,
    DataDamaged,
    DataNotFound,
    DataRequestError,
    Dataset,
    DatasetName,
    available,
    fetch,
    fingerprint,
    load,
)
from genbook.data.splits import Examples, Split, split

__all__ = [
    "HUMAN_KINDS",
    "NAMES",
    "N_CLASSES",
    "SIGNALS",
    "Corrupted",
    "CorruptionKind",
    "DataDamaged",
    "DataNotFound",
    "DataRequestError",
    "Dataset",
    "DatasetName",
    "Examples",
    "HumanKind",
    "Split",
    "available",
    "corrupt",
    "data_root",
    "exchange_blocks",
    "fetch",
    "fingerprint",
    "human_labels",
    "load",
    "shuffle_labels",
    "split",
]
