"""The store as something to look at, to tidy and to hand on: which tables it holds, which of them serve, as an archive.

A part serves where the present code, version and data would compute it under the same key; whatever else lies in the
store is never read again. An archive is a tar file of parts and nothing else. What is taken from one is believed only
when it has proved itself: its rows by its seal, and its key by the spec, version, data and code that it names. Nothing
in it is executed.
"""

from __future__ import annotations

import io
import re
import shutil
import tarfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from genbook import studies
from genbook.base.files import StorageError, atomic, disk_errors
from genbook.base.scratch import scratch
from genbook.base.spec import ParameterError
from genbook.results.table import key_of
from genbook.studies import Study
from genbook.tables.store import DamagedTable, Part, Store, read_table

_MEMBER = re.compile(r"(?P<key>[A-Za-z0-9_-]+/[A-Za-z0-9_-]+)/seed-(?P<seed>[0-9]{5,10})\.parquet")
#: No part of the book comes near; more is no table of ours.
_MOST_BYTES = 256 * 2**20


@dataclass(frozen=True)
class Kept:
    """A part in the store. ``wrong``: why it serves no more, '' where it does; its provenance where it can be read."""

    path: Path
    provenance: dict[str, Any] | None
    wrong: str
    bytes: int

    @property
    def study(self) -> str:
        """Whose table it is, by its place."""
        return self.path.parent.parent.name


def kept(names: Collection[str] = ()) -> Iterator[Kept]:
    """All parts of the store, or those of the studies named; raises `ParameterError` for an unknown study."""
    return map(_looked_at, paths(names))


def paths(names: Collection[str] = ()) -> list[Path]:
    """Their files, which are not looked into; raises as `kept` does."""
    for name in names:
        studies.get(name)
    return [path for path in Store().paths() if not names or path.parent.parent.name in names]


def prune(names: Collection[str] = ()) -> list[Kept]:
    """Remove the parts that serve no more, of all studies or those named; returns them as they were.

    Locks and checkpoints of keys without a part go too.
    """
    gone = [part for part in kept(names) if part.wrong]
    for part in gone:
        part.path.unlink(missing_ok=True)
    root = Store().root
    for kind in ("tables", "locks", "checkpoints"):
        for folder in (root / kind).glob("*/*"):
            there = root / "tables" / folder.parent.name / folder.name
            if folder.is_dir() and not any(there.glob("seed-*.parquet")) and (not names or folder.parent.name in names):
                shutil.rmtree(folder, ignore_errors=True)
    return gone


def export(archive: Path, names: Collection[str] = ()) -> int:
    """Write the parts that serve, of all studies or those named, into a new tar file; returns their number.

    Equal parts give an equal file. Raises `ParameterError` where there is none.
    """
    parts = [part.path for part in kept(names) if not part.wrong]
    if not parts:
        raise ParameterError("the store holds no part that the present code would read; make book computes them")
    root = Store().root / "tables"
    with atomic(archive) as temporary, tarfile.open(temporary, "w") as file:
        for path in parts:
            content = path.read_bytes()
            member = tarfile.TarInfo(path.relative_to(root).as_posix())
            member.size = len(content)
            file.addfile(member, io.BytesIO(content))
    return len(parts)


@dataclass(frozen=True)
class Taken:
    """What became of an archive's members: those put into the store, those that were there, those refused and why."""

    new: tuple[str, ...]
    there: tuple[str, ...]
    refused: dict[str, str]


def take(archive: Path) -> Taken:
    """Put the parts of ``archive`` that serve here into the store; one that is there already stays.

    Raises `ParameterError` for what is no tar file, `StorageError` where the disk refuses. Nothing is ever written
    outside of the store, and a member that is no part of a table (a link, a device, another name) is refused.
    """
    new: list[str] = []
    there: list[str] = []
    refused: dict[str, str] = {}
    try:
        with tarfile.open(archive, "r:") as file, scratch() as folder:
            for member in file:
                brought = _brought(file, member, folder)
                if isinstance(brought, str):
                    refused[member.name] = brought
                elif Store().part_path(brought.key, brought.seed).exists():
                    there.append(member.name)
                else:
                    Store().write(*brought)
                    new.append(member.name)
    except StorageError:
        raise
    except (tarfile.TarError, OSError, EOFError) as error:
        raise ParameterError(f"{archive} cannot be read as an archive of genbook store export: {error}") from None
    return Taken(tuple(new), tuple(there), refused)


class _Brought(NamedTuple):
    """A part that an archive holds, and where it belongs in the store."""

    key: str
    seed: int
    part: Part


def _brought(file: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> _Brought | str:
    """The part that ``member`` is, once it has proven itself in ``folder``, or why it is refused."""
    found = _MEMBER.fullmatch(member.name)
    content = None if (wrong := _unfit(member)) else file.extractfile(member)
    if found is None or content is None:
        return wrong
    with disk_errors(folder):
        (folder / "part.parquet").write_bytes(content.read())
    key, seed = found["key"], int(found["seed"])
    part, wrong = _proven(folder / "part.parquet", key, seed)
    return wrong if part is None or wrong else _Brought(key, seed, part)


def _unfit(member: tarfile.TarInfo) -> str:
    if not member.isreg():
        return "is no plain file"
    if not _MEMBER.fullmatch(member.name):
        return "is not named STUDY/KEY/seed-SEED.parquet"
    return "" if member.size <= _MOST_BYTES else f"has {member.size} bytes, at most {_MOST_BYTES} are a table"


def _looked_at(path: Path) -> Kept:
    size = path.stat().st_size
    found = _MEMBER.fullmatch(f"{path.parent.parent.name}/{path.parent.name}/{path.name}")
    if found is None:
        return Kept(path, None, "is no part of a table", size)
    part, wrong = _proven(path, found["key"], int(found["seed"]))
    return Kept(path, None if part is None else part.provenance, wrong, size)


def _proven(path: Path, key: str, seed: int) -> tuple[Part | None, str]:
    """The part in ``path``, and why it would not be read under ``key`` by the present code ('' where it would)."""
    try:
        part = read_table(path, key, {"seed": seed})
    except (DamagedTable, FileNotFoundError) as damage:
        return None, str(damage).removeprefix(f"{path} ")
    name = key.partition("/")[0]
    if name not in studies.names():
        return part, f"is of a study that this book has not: {name}"
    return part, _outdated(studies.get(name), part, key)


def _outdated(study: Study, part: Part, key: str) -> str:
    """Why the present code would not look for the part under its key: computed anew from what it says of itself."""
    try:
        spec = study.spec.build(**part.provenance["spec"])
    except (ParameterError, KeyError, TypeError):
        return "was computed with parameters that its study no longer takes"
    try:
        present = key_of(study, spec)
    except (ParameterError, LookupError, OSError):
        return "is of data that are not here"
    return "" if present == key else "is of other code, another version or other data"
