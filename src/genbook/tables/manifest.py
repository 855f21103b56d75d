"""The list of a folder's files with their SHA-256, in the format of ``sha256sum``; what it lacks is not believed.

``sha256sum --check SHA256SUMS`` in the folder checks it without this package, and

    python -m genbook.tables.manifest FOLDER

lists all files anew, for whoever has changed one by hand and means it.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import filelock

from genbook.base.errors import ForeseenError
from genbook.base.files import atomic, disk_errors, make_folder, sha256, store_root, write_text

NAME = "SHA256SUMS"
_LINE = re.compile(r"([0-9a-f]{64}) [ *](\S.*)")


class ManifestError(ForeseenError):
    """Files that are not what their folder's list says; the message names each."""


def read(folder: Path) -> dict[str, str]:
    """By name relative to ``folder``, the listed SHA-256; empty without a list. Raises `ManifestError`."""
    try:
        lines = (folder / NAME).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ManifestError(f"{folder / NAME} cannot be read: {error}") from error
    listed: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        found = _LINE.fullmatch(line)
        if found is None or found[2] in listed:
            wrong = "wants a SHA-256, two spaces and a name" if found is None else f"lists {found[2]} again"
            raise ManifestError(f"{folder / NAME}, line {number}: {wrong}")
        listed[found[2]] = found[1]
    return listed


def check(folder: Path) -> None:
    """Raise `ManifestError` where a file of ``folder`` is not listed, is missing, or differs; hidden ones aside."""
    listed, there = read(folder), files(folder)
    mistakes = [f"{name} is missing" for name in listed if name not in there]
    mistakes += [f"{name} is not listed" for name in there if name not in listed]
    mistakes += [
        f"{name} is not the file that was listed"
        for name, path in there.items()
        if name in listed and (path.is_symlink() or sha256(path.read_bytes()) != listed[name])
    ]
    if mistakes:
        advice = f"put it back from git or, where the change is meant, run python -m genbook.tables.manifest {folder}"
        raise ManifestError("\n".join([*(f"{folder / NAME}: {mistake}" for mistake in sorted(mistakes)), advice]))


def enter(folder: Path, path: Path) -> None:
    """List ``path``, which lies in ``folder``, with its present content; other lines stay as they are."""
    lock = make_folder(store_root() / "locks") / f"{NAME}.lock"
    with disk_errors(lock), filelock.FileLock(lock):
        _write(folder, read(folder) | {path.relative_to(folder).as_posix(): sha256(path.read_bytes())})


def put(folder: Path, path: Path, content: bytes) -> None:
    """Write ``content`` to ``path``, which lies in ``folder``, and list it; where the disk refuses one, neither is."""
    lock = make_folder(store_root() / "locks") / f"{NAME}.lock"
    with disk_errors(lock), filelock.FileLock(lock):
        listed = read(folder) | {path.relative_to(folder).as_posix(): sha256(content)}
        with atomic(path) as temporary:
            with temporary.open("wb") as opened:
                opened.write(content)
                opened.flush()
                os.fsync(opened.fileno())  # it has its room before the list changes
            _write(folder, listed)


def list_below(folder: Path, below: Path) -> None:
    """List every file in ``below``, a folder in ``folder``, with its present content, and no other there."""
    lock, place = make_folder(store_root() / "locks") / f"{NAME}.lock", f"{below.relative_to(folder).as_posix()}/"
    with disk_errors(lock), filelock.FileLock(lock):
        others = {name: digest for name, digest in read(folder).items() if not name.startswith(place)}
        here = {name: path for name, path in files(folder).items() if name.startswith(place)}
        _write(folder, others | {name: sha256(path.read_bytes()) for name, path in here.items()})


def list_anew(folder: Path) -> None:
    """List every file of ``folder`` with its present content, and no other."""
    _write(folder, {name: sha256(path.read_bytes()) for name, path in files(folder).items()})


def files(folder: Path) -> dict[str, Path]:
    """The files of ``folder`` by their names relative to it, without the list itself and what is hidden."""
    paths = (path for path in folder.rglob("*") if path.is_symlink() or path.is_file())
    named = {path.relative_to(folder): path for path in paths}
    return {
        name.as_posix(): path
        for name, path in sorted(named.items())
        if name.as_posix() != NAME and not any(part.startswith(".") for part in name.parts)
    }


def _write(folder: Path, listed: dict[str, str]) -> None:
    write_text(folder / NAME, "".join(f"{digest}  {name}\n" for name, digest in sorted(listed.items())))


def main() -> None:
    """List all files of the folder that is named; a mistake is one message."""
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_dir():
        sys.exit("python -m genbook.tables.manifest FOLDER: want a folder, such as book/results")
    try:
        list_anew(Path(sys.argv[1]).resolve())
    except ForeseenError as error:
        sys.exit(f"genbook: {error}")


if __name__ == "__main__":
    main()
