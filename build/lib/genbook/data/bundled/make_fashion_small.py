"""Make ``fashion-small.npz`` of the four files of Fashion-MNIST.

    python -m genbook.data.bundled.make_fashion_small FOLDER

4,000 of its 60,000 training images and 2,000 of its 10,000 test images, as many of each class, drawn by fixed streams;
each image is the mean over squares of 2×2 pixels, 14×14 of 8 bits. The same files give the same arrays, and with the
same zlib the same bytes.
"""

import gzip
import math
import struct
import sys
from pathlib import Path

import numpy as np

from genbook.base.files import atomic, sha256
from genbook.base.seeding import generator
from genbook.data.stratified import stratified_order

FILE = Path(__file__).with_name("fashion-small.npz")
N_TRAIN, N_TEST = 4000, 2000
_UNSIGNED_BYTES = 8  # the code of this type in the header of an idx file


def main() -> None:
    """Write the file for the folder given on the command line and say its SHA-256."""
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    write(Path(sys.argv[1]), FILE)
    print(sha256(FILE.read_bytes()), FILE)


def write(folder: Path, file: Path) -> None:
    """Write the subset of the idx files in ``folder``, packed or not, as ``file``."""
    parts = {}
    for part, name, size in (("train", "train", N_TRAIN), ("test", "t10k", N_TEST)):
        images = read_idx(folder, f"{name}-images-idx3-ubyte")
        labels = read_idx(folder, f"{name}-labels-idx1-ubyte")
        chosen = np.sort(stratified_order(labels, generator(0, f"{part} part of fashion-small"))[:size])
        parts[f"{part}_images"], parts[f"{part}_labels"] = halved(images[chosen]), labels[chosen]
    with atomic(file) as temporary, temporary.open("wb") as opened:
        np.savez_compressed(opened, **parts)


def read_idx(folder: Path, name: str) -> np.ndarray:
    """Return the array in the idx file called ``name`` or ``name.gz``: unsigned bytes, any shape.

    Raises:
        SystemExit: neither is there, or it is no such file.
    """
    plain, packed = folder / name, folder / f"{name}.gz"
    if not (plain.is_file() or packed.is_file()):
        raise SystemExit(f"{folder} has no {name}, nor {packed.name}: want the four files of Fashion-MNIST")
    content = plain.read_bytes() if plain.is_file() else gzip.decompress(packed.read_bytes())
    zero, kind, n_axes = struct.unpack(">HBB", content[:4])
    start = 4 + 4 * n_axes
    shape = struct.unpack(f">{n_axes}I", content[4:start])
    if (zero, kind) != (0, _UNSIGNED_BYTES) or len(content) != start + math.prod(shape):
        raise SystemExit(f"{folder / name}: not an idx file of unsigned bytes, or not whole")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def halved(images: np.ndarray) -> np.ndarray:
    """Return images of half the size, [n, 2 h, 2 w] to [n, h, w], uint8: the mean of each square, rounded."""
    n, height, width = images.shape
    sums = images.reshape(n, height // 2, 2, width // 2, 2).sum(axis=(2, 4), dtype=np.uint16)
    return ((sums + 2) // 4).astype(np.uint8)


if __name__ == "__main__":
    main()
