"""The data sets by name: where they lie, whether they are there, what they contain, and their fingerprint."""

import contextlib
import difflib
import functools
import hashlib
import importlib.metadata
import io
import json
import random
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, get_args

import numpy as np

from genbook.base.errors import ForeseenError, comes_with_the_book
from genbook.base.files import atomic, data_root, sha256, write_text
from genbook.base.seeding import generator
from genbook.data.stratified import stratified_order

DatasetName = Literal["digits", "fashion-small", "mnist1d", "fashion-mnist", "mnist", "cifar10"]
#: Of one axis; the others are images.
SIGNALS: Final = ("mnist1d",)
NAMES: Final[tuple[DatasetName, ...]] = get_args(DatasetName)
N_CLASSES: Final = 10  # of every one of them

_DIGITS_POOL = 1300
_FASHION_SMALL = Path(__file__).parent / "bundled" / "fashion-small.npz"
_FASHION_SMALL_SHA256 = "047bf8dd53991fcfe7a46d954223ea8e9a2678d53983f1a67496c57c0c03fb9e"
_FASHION_SMALL_KEYS = ("train_images", "train_labels", "test_images", "test_labels")
_MNIST1D_KEYS = ("x", "y", "x_test", "y_test")
_IDX_FILES = tuple(f"{part}-{kind}-ubyte" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1"))
_CIFAR_FILES = ("batches.meta", *(f"data_batch_{i}" for i in range(1, 6)), "test_batch")
# torchvision's class and the files without which it does not load, relative to the root.
_TORCHVISION = {
    "fashion-mnist": ("FashionMNIST", tuple(f"FashionMNIST/raw/{name}" for name in _IDX_FILES)),
    "mnist": ("MNIST", tuple(f"MNIST/raw/{name}" for name in _IDX_FILES)),
    "cifar10": ("CIFAR10", tuple(f"cifar-10-batches-py/{name}" for name in _CIFAR_FILES)),
}


class DataRequestError(ForeseenError, ValueError):
    """What was asked of a data set cannot be given: no such name, not so many examples, no such kind of label."""

    status = 2


class DataNotFound(ForeseenError, FileNotFoundError):
    """A data set is not below the data's root. The message says what to type."""


class DataDamaged(ForeseenError, OSError):
    """The files of a data set are there but cannot be read as what they should be."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set with its fixed training pool and test part.

    Attributes:
        name: one of `NAMES`.
        train_inputs: [N, *shape] float32; images in [0, 1], MNIST-1D in the units of its generator.
        train_labels: [N] int64, from 0 to n_classes - 1.
        test_inputs: [M, *shape] float32.
        test_labels: [M] int64.
        n_classes: the number of classes.
        fingerprint: SHA-256 of the four arrays as stored (images before scaling), 64 hexadecimal digits.
    """

    name: DatasetName
    train_inputs: np.ndarray
    train_labels: np.ndarray
    test_inputs: np.ndarray
    test_labels: np.ndarray
    n_classes: int
    fingerprint: str

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one input: (channels, height, width) for images, (40,) for MNIST-1D."""
        return self.train_inputs.shape[1:]


def available(name: str) -> bool:
    """Whether `load` would find the data set, by looking for its files only; those that need none always are.

    Raises:
        DataRequestError: the name is not one of `NAMES`.
    """
    return all(path.is_file() and path.stat().st_size > 0 for path in _files(name))


def load(name: str) -> Dataset:
    """Return a data set, from the data's root where it has files there. Downloads nothing.

    - "digits": 1,797 scans of 8x8 pixels (scikit-learn), 1,300 as pool and a fixed stratified 497 as test part;
    - "fashion-small": 4,000 + 2,000 images of Fashion-MNIST at 14x14, which come with the package (see `bundled`);
    - "mnist1d": 4,000 + 1,000 signals of length 40 (Greydanus, 2020), generated on first use and kept below the root;
    - "fashion-mnist", "mnist": 60,000 + 10,000 images of 28x28; "cifar10": 50,000 + 10,000 of 3x32x32 (torchvision).

    The arrays are read-only, and shared by calls for the same data set.

    Raises:
        DataRequestError: the name is not one of `NAMES`.
        DataNotFound: the data set has files, and they are not there.
        DataDamaged: they are there and do not contain what they should.
    """
    _refuse_missing(name)
    return _load(name, data_root(), _stamp(name))


def fingerprint(name: str) -> str:
    """Return the data set's SHA-256 as `Dataset.fingerprint` has it, without loading it where it is known.

    It is kept in ``fingerprints.json`` below the root, for the present sizes and times of the files; a root that cannot
    be written only costs a load in each process.

    Raises:
        as `load`.
    """
    _refuse_missing(name)
    known = _known_fingerprints().get(name)
    if isinstance(known, dict) and known.get("stamp") == _stamp(name) and len(str(known.get("sha256"))) == 64:
        return known["sha256"]
    value = load(name).fingerprint
    _remember_fingerprint(name, value)
    return value


def fetch(name: str) -> Path:
    """Put the data set below the data's root, downloading it where it has to be, and return the root.

    Raises:
        DataRequestError: the name is not one of `NAMES`.
        DataNotFound: the download failed or could not be written; the message gives the reason.
        DataDamaged: the files that are there do not contain what they should.
    """
    if name in _TORCHVISION and not available(name):
        try:
            for train in (True, False):
                _torchvision_class(name)(data_root(), train=train, download=True)
        except (OSError, RuntimeError) as error:
            reason = " ".join(str(error).split())
            raise DataNotFound(
                f"{name} could not be downloaded to {data_root()} (set by GENBOOK_DATA): {reason}"
            ) from error
    load(name)
    return data_root()


def _files(name: str) -> list[Path]:
    if name not in NAMES:
        near = difflib.get_close_matches(str(name).lower(), NAMES, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise DataRequestError(f"unknown data set {name!r}; {hint}There are {', '.join(NAMES)}")
    return [data_root() / file for file in _TORCHVISION[name][1]] if name in _TORCHVISION else []


def _refuse_missing(name: str) -> None:
    if not available(name):
        raise DataNotFound(
            f"{name} is not in {data_root()}: type `genbook data fetch {name}` to download it, "
            "or set GENBOOK_DATA to the folder that has it"
        )


def _stamp(name: str) -> str:
    """Return a text that changes when the data set may have: its files' sizes and times, or what makes it."""
    if name == "digits":
        return f"scikit-learn {_version('scikit-learn', name)} {_this_code()}"
    if name == "fashion-small":
        return f"{_FASHION_SMALL_SHA256} {_this_code()}"
    files = [_mnist1d_file()] if name == "mnist1d" else _files(name)
    states = [file.stat() for file in files if file.exists()]
    return " ".join([*(f"{state.st_size}:{state.st_mtime_ns}" for state in states), _this_code()])


@functools.cache
def _this_code() -> str:
    return sha256(Path(__file__).read_bytes(), Path(__file__).with_name("stratified.py").read_bytes())[:16]


# Two: the data set of a study and that of its replication.
@functools.lru_cache(maxsize=2)
def _load(name: DatasetName, root: Path, stamp: str) -> Dataset:
    arrays, scale = _READERS[name](name)
    digest = _sha256_of(arrays)
    train_inputs, train_labels, test_inputs, test_labels = (
        (np.divide(array, scale, dtype=np.float32) if array.ndim > 1 else array.astype(np.int64)) for array in arrays
    )
    n_classes = int(train_labels.max()) + 1
    for array in (train_inputs, train_labels, test_inputs, test_labels):
        array.flags.writeable = False
    return Dataset(name, train_inputs, train_labels, test_inputs, test_labels, n_classes, digest)


def _sha256_of(arrays: tuple[np.ndarray, ...]) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        # Little-endian, whatever the machine: the same data have the same fingerprint everywhere.
        array = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
        digest.update(f"{array.dtype.str} {array.shape}\n".encode())
        digest.update(array)
    return digest.hexdigest()


def _read_digits(name: str) -> tuple[tuple[np.ndarray, ...], float]:
    with comes_with_the_book("digits"):
        from sklearn.datasets import load_digits

    digits = load_digits()
    inputs, labels = digits.images.astype(np.uint8)[:, None], digits.target.astype(np.uint8)
    order = stratified_order(labels, generator(0, "test part of digits"))
    pool, test = np.sort(order[:_DIGITS_POOL]), np.sort(order[_DIGITS_POOL:])
    return (inputs[pool], labels[pool], inputs[test], labels[test]), 16.0


def _read_fashion_small(name: str) -> tuple[tuple[np.ndarray, ...], float]:
    try:
        content = _FASHION_SMALL.read_bytes()
    except OSError as error:
        raise DataDamaged(
            f"{name} cannot be read ({error}): install genbook again, it comes with the package"
        ) from error
    if (found := sha256(content)) != _FASHION_SMALL_SHA256:
        raise DataDamaged(
            f"{_FASHION_SMALL} is damaged (its SHA-256 is {found[:12]}…, not {_FASHION_SMALL_SHA256[:12]}…): "
            "install genbook again, it comes with the package"
        )
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        train, train_labels, test, test_labels = (stored[key] for key in _FASHION_SMALL_KEYS)
    return (train[:, None], train_labels, test[:, None], test_labels), 255.0


def _read_torchvision(name: str) -> tuple[tuple[np.ndarray, ...], float]:
    arrays: list[np.ndarray] = []
    try:
        for train in (True, False):
            part = _torchvision_class(name)(data_root(), train=train, download=False)
            inputs, labels = np.asarray(part.data), np.asarray(part.targets, dtype=np.uint8)
            # Channels first, as the layers take them.
            arrays += [inputs.transpose(0, 3, 1, 2) if inputs.ndim == 4 else inputs[:, None], labels]
            if not (len(inputs) == len(labels) > 0 and labels.max() < 10):
                raise ValueError(f"{len(inputs)} images, {len(labels)} labels")
    # What damaged files make torchvision's readers raise; it checks CIFAR-10's MD5 before it unpickles anything.
    except (AssertionError, EOFError, IndexError, KeyError, OSError, RuntimeError, ValueError) as error:
        raise _damaged(name, error) from error
    return tuple(arrays), 255.0


def _damaged(name: str, error: Exception) -> DataDamaged:
    folder = _files(name)[0].parent
    return DataDamaged(
        f"{name} in {folder} is damaged ({error}): remove that folder and type `genbook data fetch {name}`"
    )


def _torchvision_class(name: str) -> Callable:
    with comes_with_the_book(name):
        from torchvision import datasets

    return getattr(datasets, _TORCHVISION[name][0])


def _read_mnist1d(name: str) -> tuple[tuple[np.ndarray, ...], float]:
    file = _mnist1d_file()
    if file.exists():
        try:
            # np.load leaves a file that is no archive open; it is closed here
            with file.open("rb") as opened, np.load(opened, allow_pickle=False) as stored:
                arrays = tuple(stored[key] for key in _MNIST1D_KEYS)
                if _sha256_of(arrays) == str(stored["sha256"]):
                    return arrays, 1.0
            damage = "its content is not what was written"
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            damage = str(error)
        warnings.warn(f"{file} is damaged ({damage}) and is generated anew", RuntimeWarning, stacklevel=2)
    arrays = _generate_mnist1d()
    # A root that cannot be written costs a generation in each process, and nothing else.
    with contextlib.suppress(OSError), atomic(file) as temporary, temporary.open("wb") as opened:
        np.savez(opened, sha256=np.array(_sha256_of(arrays)), **dict(zip(_MNIST1D_KEYS, arrays, strict=True)))
    return arrays, 1.0


def _mnist1d_file() -> Path:
    return data_root() / "mnist1d" / f"mnist1d-{_version('mnist1d', 'mnist1d')}.npz"


def _version(package: str, name: str) -> str:
    with comes_with_the_book(name):
        return importlib.metadata.version(package)


def _generate_mnist1d() -> tuple[np.ndarray, ...]:
    """Generate MNIST-1D with its authors' settings, leaving the global random generators that it seeds as they were."""
    with comes_with_the_book("mnist1d"):
        from mnist1d.data import make_dataset

    python_state, numpy_state = random.getstate(), np.random.get_state()
    try:
        made = make_dataset()
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)
    inputs, test_inputs = (made[key].astype(np.float32) for key in ("x", "x_test"))
    return inputs, made["y"].astype(np.uint8), test_inputs, made["y_test"].astype(np.uint8)


_READERS = {
    "digits": _read_digits,
    "fashion-small": _read_fashion_small,
    "mnist1d": _read_mnist1d,
    "fashion-mnist": _read_torchvision,
    "mnist": _read_torchvision,
    "cifar10": _read_torchvision,
}


def _known_fingerprints() -> dict[str, dict[str, str]]:
    try:
        known = json.loads((data_root() / "fingerprints.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _remember_fingerprint(name: str, value: str) -> None:
    known = {**_known_fingerprints(), name: {"stamp": _stamp(name), "sha256": value}}
    # It is only a short cut: without it the data set is loaded again.
    with contextlib.suppress(OSError):
        write_text(data_root() / "fingerprints.json", json.dumps(known, indent=1, sort_keys=True) + "\n")
