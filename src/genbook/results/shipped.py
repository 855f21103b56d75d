"""Tables that come with the book, part by part, for exactly one state of code and data: read instead of computed.

They lie in ``book/results/tables``, laid out as in the store. A key says the whole spec, the version, the data and the
code (`genbook.results.table.key_of`), so what was computed by other code is never found; ``genbook ship`` puts present
parts in its place. With ``GENBOOK_FRESH=1`` they are left alone, and everything is computed.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from genbook.base.files import atomic, sha256
from genbook.results import published
from genbook.results.table import Table, key_of
from genbook.tables import manifest
from genbook.tables.store import DamagedTable, Part, Store, encoded, read_table

#: Seconds that a study's profile is said to take, all settings included, from which its tables come with the book.
DEAR = 25.0


def left_alone() -> bool:
    """Whether everything is to be computed."""
    return os.environ.get("GENBOOK_FRESH", "") not in ("", "0")


def seeds(key: str) -> set[int]:
    """The seeds of ``key`` that come with the book."""
    return set() if left_alone() else set(_store().seeds(key))


def part(key: str, seed: int, identity: Mapping[str, Any]) -> Part | None:
    """The part, or None where it does not come with the book.

    Raises `DamagedTable` for a file that is not listed, not as it was listed, or another table than its place says.
    """
    path = _store().part_path(key, seed)
    if left_alone() or not path.is_file():
        return None
    digest = manifest.read(published.root()).get(path.relative_to(published.root()).as_posix())
    if digest is None:
        raise DamagedTable(f"{path} is not listed in {published.root() / manifest.NAME}: genbook ship lists its files")
    return read_table(path, key, {**identity, "seed": seed}, digest)


def ship(tables: Iterable[Table]) -> list[Path]:
    """Let these tables come with the book, and no others; returns the files of their parts.

    Where the disk refuses one, the parts of before stay and are listed, and none of these is there.
    """
    listed, new, parts = manifest.read(published.root()), list[Path](), list[Path]()
    try:
        for path, content in _encoded(tables):
            parts.append(path)
            if not _is_as_listed(path, listed):
                new.append(path)
                with atomic(path) as temporary:
                    temporary.write_bytes(content)
    except BaseException:
        for path in new:
            path.unlink(missing_ok=True)
        raise
    kept = {path.parent for path in parts}
    for folder in (_store().root / "tables").glob("*/*"):
        if folder not in kept:
            shutil.rmtree(folder)
    manifest.list_below(published.root(), _store().root / "tables")
    return parts


def _encoded(tables: Iterable[Table]) -> Iterator[tuple[Path, bytes]]:
    """Each part's place and what is written there."""
    for table in tables:
        key = key_of(table.study, table.spec)
        for provenance in table.provenances:
            rows = table.frame[table.frame["seed"] == provenance["seed"]].reset_index(drop=True)
            yield _store().part_path(key, provenance["seed"]), encoded(rows, provenance, key)


def _is_as_listed(path: Path, listed: Mapping[str, str]) -> bool:
    """Whether the part is there already: its key says all that it was computed from."""
    name = path.relative_to(published.root()).as_posix()
    return path.is_file() and listed.get(name) == sha256(path.read_bytes())


def _store() -> Store:
    return Store(published.root())
