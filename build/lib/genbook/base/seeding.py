"""Random streams keyed by a seed and a purpose.

Every random decision of a run draws from the stream of its own purpose, so that each source of variation can be frozen
while the others vary (Bouthillier et al., 2021, "Accounting for variance in machine learning benchmarks"), and so that
a replica is the same alone and in company. The draws happen on the CPU: the streams of CPU and GPU generators differ.
"""

import hashlib
import operator
from typing import Final, Literal, get_args

import numpy as np

Purpose = Literal["training subset", "validation", "corruption", "order", "initialisation"]
"""The sources of variation that a run draws from its seed, by name."""

PURPOSES: Final[tuple[Purpose, ...]] = get_args(Purpose)
TRAINING_SUBSET, VALIDATION, CORRUPTION, ORDER, INITIALISATION = PURPOSES


def generator(seed: int, purpose: str) -> np.random.Generator:
    """Return the random stream of one purpose of one seed, at its beginning.

    Streams of different (seed, purpose) pairs are independent: the seed is the entropy of a NumPy ``SeedSequence``, the
    SHA-256 of the purpose its spawn key. The same pair gives the same PCG64 stream in every process, on every platform.

    Args:
        seed: a non-negative integer of any size (NumPy integers are taken too, booleans are not).
        purpose: one of ``PURPOSES``, or any other non-empty text for a stream that only one study needs.

    Raises:
        TypeError: the seed is not an integer, or the purpose not a string.
        ValueError: the seed is negative, or the purpose empty.
    """
    if not isinstance(purpose, str):
        raise TypeError(f"a purpose is a text such as {TRAINING_SUBSET!r}, got {purpose!r}")
    if not purpose.strip():
        raise ValueError(f"a purpose must not be empty; those in use are {', '.join(map(repr, PURPOSES))}")
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(_as_seed(seed), spawn_key=_words(purpose))))


def _as_seed(seed: int) -> int:
    if isinstance(seed, (bool, np.bool_)):
        raise TypeError(f"a seed is a non-negative integer, got {seed!r}")
    try:
        number = operator.index(seed)
    except TypeError:
        raise TypeError(f"a seed is a non-negative integer, got {seed!r}") from None
    if number < 0:
        raise ValueError(f"a seed is a non-negative integer, got {number}")
    return number


def _words(purpose: str) -> tuple[int, ...]:
    digest = hashlib.sha256(purpose.encode()).digest()
    return tuple(int.from_bytes(digest[i : i + 4], "little") for i in range(0, len(digest), 4))
