"""Tables on disk: one Parquet part per seed under a content-addressed key, written whole or not at all.

The store knows no study. A key is a folder name chosen by the caller; a part is found by its seed. Provenance lies
inside the Parquet file. Nothing here is pickled.
"""

from __future__ import annotations

import contextlib
import json
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from genbook.errors import ForeseenError
from genbook.files import atomic, disk_errors, make_folder, set_aside, store_root

_PROVENANCE = b"genbook.provenance"


class DamagedTable(ForeseenError):
    """A file that is no whole table with provenance; the message names it."""


class DamagedTableWarning(UserWarning):
    """A damaged part was set aside and will be computed anew."""


@dataclass(frozen=True)
class Part:
    """The tidy rows of one seed (or of several, where published) and where they come from."""

    frame: pd.DataFrame
    provenance: dict[str, Any]


def write_table(path: Path, frame: pd.DataFrame, provenance: dict[str, Any]) -> None:
    """Write ``frame`` with ``provenance`` (plain JSON values) inside to ``path``: atomic, with page checksums."""
    table = pa.Table.from_pandas(frame, preserve_index=False)
    metadata = {**(table.schema.metadata or {}), _PROVENANCE: json.dumps(provenance, sort_keys=True).encode()}
    with atomic(path) as temporary:
        pq.write_table(table.replace_schema_metadata(metadata), temporary, compression="zstd", write_page_checksum=True)


def read_table(path: Path) -> Part:
    """Read what `write_table` wrote; raises `DamagedTable` for a truncated or altered file, or another program's."""
    try:
        table = pq.read_table(path, page_checksum_verification=True)
        provenance = json.loads((table.schema.metadata or {})[_PROVENANCE])
        return Part(table.to_pandas(), provenance)
    except FileNotFoundError:
        raise
    except KeyError:
        raise DamagedTable(f"{path} holds no provenance, so it was not written by genbook") from None
    except (OSError, pa.ArrowException, ValueError) as error:
        raise DamagedTable(f"{path} is damaged: {error}") from error


class Store:
    """The local tables below ``root`` (by default `genbook.files.store_root`)."""

    def __init__(self, root: Path | None = None) -> None:
        """Nothing is created until something is written."""
        self.root = root if root is not None else store_root()

    def part_path(self, key: str, seed: int) -> Path:
        """The file of one seed's rows under ``key`` (``study/digest``)."""
        return self.root / "tables" / key / f"seed-{seed:05d}.parquet"

    def read(self, key: str, seed: int) -> Part | None:
        """The part, or None where it is not there; a damaged file is set aside with a warning that names it."""
        path = self.part_path(key, seed)
        try:
            return read_table(path)
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
        write_table(path, part.frame, part.provenance)
        return path

    def seeds(self, key: str) -> list[int]:
        """Seeds that have a part under ``key``, whole or not."""
        return sorted(
            int(path.stem.removeprefix("seed-")) for path in (self.root / "tables" / key).glob("seed-*.parquet")
        )

    @contextlib.contextmanager
    def claim(self, key: str, seeds: Iterable[int]) -> Iterator[None]:
        """Hold the right to compute these parts; another process that wants one of them waits.

        One lock per part, taken in the order of the seeds, so that two processes never wait for each other and
        shards of one key run side by side. The operating system frees a dead process's locks.
        """
        folder = make_folder(self.root / "locks" / key)
        with contextlib.ExitStack() as held:
            for seed in sorted(set(seeds)):
                with disk_errors(folder):
                    held.enter_context(filelock.FileLock(folder / f"seed-{seed:05d}.lock"))
            yield

    def provenances(self) -> Iterator[dict[str, Any]]:
        """Provenance of every whole part, for run statistics; the rows themselves are not read."""
        for path in sorted((self.root / "tables").glob("*/*/seed-*.parquet")):
            with contextlib.suppress(OSError, pa.ArrowException, KeyError, ValueError):
                yield json.loads(pq.read_metadata(path).metadata[_PROVENANCE])
