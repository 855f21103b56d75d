"""Tables on disk: one Parquet part per seed under a content-addressed key, written whole or not at all, read on proof.

The store knows no study. A key is a folder name chosen by the caller; a part is found by its seed. Provenance lies
inside the Parquet file, and beside it a seal: SHA-256 of the rows and of all else that the file says, its key
included. Whoever reads says what the part must be; one that is not so, or not as it was written, is set aside. The
seal tells apart what was mixed up, edited or worn out, not what was forged by someone who knows how it is made. Nothing
here is pickled.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import stat
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from genbook.base.errors import ForeseenError
from genbook.base.files import atomic, disk_errors, make_folder, set_aside, sha256, store_root

_PROVENANCE = b"genbook.provenance"
_SEAL = b"genbook.seal"
_KEY = re.compile(r"[A-Za-z0-9_-]+/[A-Za-z0-9_-]+")


class DamagedTable(ForeseenError):
    """A file that is not the table it stands for, whole and as written; the message names it and what differs."""


class DamagedTableWarning(UserWarning):
    """A part that could not be believed was set aside and will be computed anew."""


@dataclass(frozen=True)
class Part:
    """The tidy rows of one seed (or of several, where published) and where they come from."""

    frame: pd.DataFrame
    provenance: dict[str, Any]


def _canonical(value: Any) -> str:
    """JSON values as one text, whatever the order of their keys."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _rows_digest(table: pa.Table) -> str:
    """SHA-256 of names, types and values of the columns in their order; the same before writing and after reading.

    What Arrow leaves open does not count: chunks, and what stands where a value is missing.
    """
    digest = hashlib.sha256(_canonical([[field.name, str(field.type)] for field in table.schema]).encode())
    for column in table.columns:
        values = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
        digest.update(values.is_valid().to_numpy(zero_copy_only=False))
        values = values.drop_null()
        if pa.types.is_boolean(values.type):
            values = values.cast(pa.uint8())  # the bits beyond the last one are anyone's
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, pa.schema([("values", values.type)])) as stream:
            stream.write_batch(pa.record_batch([values], names=["values"]))
        digest.update(sink.getvalue())
    return digest.hexdigest()


def _seal(key: str, rows: str, metadata: Mapping[bytes, bytes]) -> bytes:
    """What a file says to prove itself: its key, the digest of its rows, and one over these and all its metadata."""
    rest = sorted((name, value) for name, value in metadata.items() if name in (_PROVENANCE, b"pandas"))
    whole = sha256(_canonical([key, rows]).encode(), *(part for pair in rest for part in pair))
    return _canonical({"key": key, "rows": rows, "whole": whole}).encode()


def _check_seal(metadata: Mapping[bytes, bytes]) -> tuple[str, str]:
    """The key and the digest of the rows that a file was sealed with; `DamagedTable` where its metadata changed since.

    The message says what is wrong, not in which file.
    """
    if _SEAL not in metadata:
        raise DamagedTable("holds no digest of its rows: an older version of genbook wrote it, or another program")
    try:
        seal = json.loads(metadata[_SEAL])
        key, rows = seal["key"], seal["rows"]
    except (ValueError, KeyError, TypeError):
        raise DamagedTable("holds a digest that cannot be read") from None
    if _seal(key, rows, metadata) != metadata[_SEAL]:
        raise DamagedTable("is not as it was written: its provenance, its key or the types of its columns changed")
    return key, rows


def encoded(frame: pd.DataFrame, provenance: dict[str, Any], key: str) -> bytes:
    """A Parquet file of ``frame`` with ``provenance`` (plain JSON values), sealed as the table of ``key``.

    Raises ValueError for a column of categories.
    """
    table = pa.Table.from_pandas(frame, preserve_index=False)
    for field in table.schema:
        if pa.types.is_dictionary(field.type):
            raise ValueError(f"column {field.name!r} holds categories, which do not come back whole: write it as text")
    metadata = {**(table.schema.metadata or {}), _PROVENANCE: _canonical(provenance).encode()}
    metadata[_SEAL] = _seal(key, _rows_digest(table), metadata)
    file = pa.BufferOutputStream()
    pq.write_table(table.replace_schema_metadata(metadata), file, compression="zstd", write_page_checksum=True)
    return file.getvalue().to_pybytes()


def read_table(path: Path, key: str, expected: Mapping[str, Any], digest: str | None = None) -> Part:
    """Read the table of ``key`` that ``path`` holds as `encoded` gave it.

    ``expected``: what its provenance must say, by name. ``digest``: SHA-256 of the whole file, where a list vouches for
    it; such a file may have been written before tables had seals.

    Raises `FileNotFoundError`, and `DamagedTable` for a file that is truncated, altered, another program's, a link, or
    another table than was asked for; the message names what differs.
    """
    with _naming(path):
        file, provenance, rows = _proven(path, key, expected, digest)
        # A file holds the types for pandas twice: those that were checked are used.
        table = file.read(use_threads=False).replace_schema_metadata(file.schema_arrow.metadata)
        if rows is not None and rows != _rows_digest(table):
            raise DamagedTable("does not hold the rows that were written: values, columns or types changed")
        return Part(table.to_pandas(), provenance)


def read_provenance(path: Path, key: str, expected: Mapping[str, Any], digest: str) -> dict[str, Any]:
    """What `read_table` would give as provenance of a file that a list vouches for; its rows are not decoded."""
    with _naming(path):
        return _proven(path, key, expected, digest)[1]


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Turn what goes wrong in reading ``path`` into a `DamagedTable` that names it."""
    try:
        yield
    except FileNotFoundError:
        raise
    except DamagedTable as damage:
        raise DamagedTable(f"{path} {damage}") from None
    except (OSError, pa.ArrowException, ValueError) as error:
        raise DamagedTable(f"{path} is damaged: {error}") from error


def _proven(
    path: Path, key: str, expected: Mapping[str, Any], digest: str | None
) -> tuple[pq.ParquetFile, dict[str, Any], str | None]:
    """The opened file, its provenance, and the digest that its rows must have (None without a seal)."""
    content = _content(path)
    if digest is not None and sha256(content) != digest:
        raise DamagedTable(f"is not as it was published: its SHA-256 is {sha256(content)}, the list has {digest}")
    file = pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True)
    metadata = file.schema_arrow.metadata or {}
    if _PROVENANCE not in metadata:
        raise DamagedTable("holds no provenance, so it was not written by genbook")
    rows = None
    if digest is None or _SEAL in metadata:
        sealed, rows = _check_seal(metadata)
        if sealed != key:
            raise DamagedTable(f"is the table of {sealed}, not of {key}")
    provenance = json.loads(metadata[_PROVENANCE])
    if astray := _differing(provenance, expected):
        raise DamagedTable(f"is another table than was asked for: {astray}")
    return file, provenance, rows


def _content(path: Path) -> bytes:
    """The bytes of a plain file; a link is not followed, and nothing that could block is waited for."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise DamagedTable("is a symbolic link, not a table") from None
        raise
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise DamagedTable("is no plain file")
    with open(handle, "rb") as file:
        return file.read()


def _differing(provenance: Any, expected: Mapping[str, Any]) -> str:
    """Which entries are not as expected, with both values: empty where all are."""
    said = provenance if isinstance(provenance, dict) else {}
    return ", ".join(
        f"its {name} is {_canonical(said[name]) if name in said else 'missing'}, not {_canonical(wanted)}"
        for name, wanted in expected.items()
        if name not in said or _canonical(said[name]) != _canonical(wanted)
    )


class Store:
    """The local tables below ``root`` (by default `genbook.base.files.store_root`)."""

    def __init__(self, root: Path | None = None) -> None:
        """Nothing is created until something is written."""
        self.root = root if root is not None else store_root()

    def part_path(self, key: str, seed: int) -> Path:
        """The file of one seed's rows under ``key`` (``study/digest``); raises ValueError for a key that is none."""
        return self._folder("tables", key) / f"seed-{seed:05d}.parquet"

    def _folder(self, kind: str, key: str) -> Path:
        if not _KEY.fullmatch(key):  # such as '../elsewhere', which would lead out of the store
            raise ValueError(f"{key!r} is no key: want study/digest, in letters, digits, '_' and '-'")
        return self.root / kind / key

    def read(self, key: str, seed: int, expected: Mapping[str, Any]) -> Part | None:
        """The part, or None where it is not there.

        ``expected``: what its provenance must say beside its seed. A file that is damaged or is another table is set
        aside with a warning that names it and says what differs.
        """
        path = self.part_path(key, seed)
        try:
            return read_table(path, key, {**expected, "seed": seed})
        except FileNotFoundError:
            return None
        except DamagedTable as damage:
            with contextlib.suppress(FileNotFoundError):  # another process may have set it aside already
                aside = set_aside(path)
                warnings.warn(f"{damage}; kept as {aside.name}, computed anew", DamagedTableWarning, stacklevel=2)
            return None

    def write(self, key: str, seed: int, part: Part) -> Path:
        """Store one seed's rows; a reader sees all of them or none."""
        path = self.part_path(key, seed)
        content = encoded(part.frame, part.provenance, key)
        with atomic(path) as temporary:
            temporary.write_bytes(content)
        return path

    def seeds(self, key: str) -> list[int]:
        """Seeds that have a part under ``key``, whole or not."""
        return sorted(
            int(path.stem.removeprefix("seed-")) for path in self._folder("tables", key).glob("seed-*.parquet")
        )

    @contextlib.contextmanager
    def claim(self, key: str, seeds: Iterable[int]) -> Iterator[None]:
        """Hold the right to compute these parts; another process that wants one of them waits.

        One lock per part, taken in the order of the seeds, so that two processes never wait for each other and
        shards of one key run side by side. The operating system frees a dead process's locks.
        """
        folder = make_folder(self._folder("locks", key))
        with contextlib.ExitStack() as held:
            for seed in sorted(set(seeds)):
                with disk_errors(folder):
                    held.enter_context(filelock.FileLock(folder / f"seed-{seed:05d}.lock"))
            yield

    def provenances(self) -> Iterator[dict[str, Any]]:
        """Provenance of every part that is sealed under its key, for run statistics; the rows are not read."""
        for path in sorted((self.root / "tables").glob("*/*/seed-*.parquet")):
            with contextlib.suppress(OSError, pa.ArrowException, KeyError, ValueError, DamagedTable):
                metadata = pq.read_metadata(path).metadata
                key, _ = _check_seal(metadata)
                provenance = json.loads(metadata[_PROVENANCE])
                if path == self.part_path(key, provenance["seed"]):
                    yield provenance
