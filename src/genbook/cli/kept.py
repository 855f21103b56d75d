"""What commands print that took long to find out, kept in the store until anything that it follows from changes.

Importing all studies takes seconds, and so does judging hundreds of claims whose tables have long been there.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from genbook.base.errors import ForeseenError
from genbook.base.files import checkout, sha256, store_root, write_text

_LIBRARIES = ("numpy", "pandas", "scipy", "pyarrow", "torch")


def of_sources(asked: Sequence[object], made: Callable[[], str]) -> str:
    """What was printed for ``asked`` by exactly these sources, or what ``made`` gives, which is kept."""
    return _kept(asked, made, _sources)


def of_tables(asked: Sequence[object], made: Callable[[], str]) -> str:
    """The same for what follows from the tables too, stored and published, from the data sets and the libraries."""
    return _kept(asked, made, _tables)


def _kept(asked: Sequence[object], made: Callable[[], str], follows_from: Callable[[], str]) -> str:
    path = store_root() / "printed" / f"{sha256(json.dumps(asked).encode())[:24]}.json"
    key = follows_from()
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["key"] == key and found["digest"] == sha256(key.encode(), found["text"].encode()):
            return str(found["text"])
    said = made()
    # What was computed or written meanwhile may or may not be in what was said.
    if follows_from() == key:
        whole = {"key": key, "digest": sha256(key.encode(), said.encode()), "text": said}
        with contextlib.suppress(ForeseenError):  # a store that takes no file is no reason not to answer
            write_text(path, json.dumps(whole, ensure_ascii=False))
    return said


def _sources() -> str:
    """A hash of this Python's, and of every source's stamp: enough to know that one was written."""
    package, root = Path(__file__).resolve().parents[1], checkout()
    book = [] if root is None else [root / "book" / name for name in ("chapters.yml", "primary.yml")]
    return _hash([sys.version], [*_python(package), *book])


def _tables() -> str:
    """The same with all tables, the data sets, and the libraries that read and judge them."""
    versions = [importlib.metadata.version(name) for name in _LIBRARIES]
    variables = sorted(f"{name}={value}" for name, value in os.environ.items() if name.startswith("GENBOOK_"))
    published = (checkout() or store_root()) / "book" / "results"
    files = [file for folder in (store_root() / "tables", published) for file in _files(folder)]
    return _hash([_sources(), *versions, *variables, *_data()], files)


def _data() -> Iterator[str]:
    """The fingerprint of each data set that is there; below their root there may be much that is none."""
    from genbook import data

    for name in data.NAMES:
        with contextlib.suppress(ForeseenError):  # damaged: to who asks for it that is said then
            yield f"{name} {data.fingerprint(name) if data.available(name) else 'absent'}"


def _hash(words: Sequence[str], files: Sequence[Path]) -> str:
    """Of words and files: name, size, time and inode, and when the system last changed any of these."""
    stamps = []
    for path in files:
        with contextlib.suppress(OSError):  # gone since it was listed: then it is not there
            state = path.stat()
            stamps.append((str(path), state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino))
    return sha256(json.dumps([*words, sorted(stamps)]).encode())


def _python(folder: Path) -> Iterator[Path]:
    return (path for path in _files(folder) if path.suffix == ".py")


def _files(folder: Path) -> Iterator[Path]:
    """All files below ``folder`` but locks and what is being written."""
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != "__pycache__"]
        yield from (Path(place, name) for name in names if not name.endswith((".lock", ".part")))
