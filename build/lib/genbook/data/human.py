"""Labels that people gave to CIFAR-10's training images, wrong ones among them."""

import zipfile
from typing import Final, Literal, get_args

import numpy as np

from genbook.base.files import data_root
from genbook.data.sources import DataDamaged, DataNotFound, DataRequestError, Dataset

HumanKind = Literal["aggregate", "random1", "random2", "random3", "worse"]
HUMAN_KINDS: Final[tuple[HumanKind, ...]] = get_args(HumanKind)
_KEYS = dict(
    zip(HUMAN_KINDS, ("aggre_label", "random_label1", "random_label2", "random_label3", "worse_label"), strict=True)
)


def human_labels(dataset: Dataset, kind: HumanKind) -> np.ndarray:
    """Return CIFAR-10N's human labels of CIFAR-10's training images (Wei et al., 2022).

    Three people labelled each image. "random1" to "random3": one person's label (17 to 18 % wrong); "aggregate": their
    majority (9 %); "worse": a wrong one wherever somebody gave one (40 %). Read from ``CIFAR-10N/cifar10n.npz`` below
    the data's root.

    Args:
        dataset: CIFAR-10, as loaded.
        kind: one of `HUMAN_KINDS`.

    Returns:
        [50000] int64, in the order of ``dataset.train_labels``; index it with the indices of a split.

    Raises:
        DataRequestError: another data set, or an unknown kind.
        DataNotFound: the file is not there.
        DataDamaged: it cannot be read, or is for other images than the data set's.
    """
    if dataset.name != "cifar10":
        raise DataRequestError(f"there are human labels for cifar10 only, not for {dataset.name}")
    if kind not in HUMAN_KINDS:
        raise DataRequestError(f"unknown kind of human labels {kind!r}; one of {', '.join(HUMAN_KINDS)}")
    file = data_root() / "CIFAR-10N" / "cifar10n.npz"
    if not file.is_file():
        raise DataNotFound(
            f"the human labels of CIFAR-10N are not there: put them at {file} as integer arrays clean_label, "
            f"{', '.join(_KEYS.values())} of CIFAR-10's training set in torchvision's order "
            "(published at http://noisylabels.com), or set GENBOOK_DATA to the folder that has them"
        )
    try:
        with np.load(file, allow_pickle=False) as stored:
            clean, given = stored["clean_label"], stored[_KEYS[kind]].astype(np.int64)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise DataDamaged(f"{file} is damaged ({error}): put a whole copy in its place") from error
    if not np.array_equal(clean, dataset.train_labels) or given.shape != clean.shape:
        raise DataDamaged(f"{file} is not for these images: its clean_label differs from the labels of {dataset.name}")
    return given
