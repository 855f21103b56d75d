"""What a command prints that follows from the sources alone, kept in the store: importing all studies takes seconds."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from genbook.base.errors import ForeseenError
from genbook.base.files import checkout, sha256, store_root, write_text


def text(asked: Sequence[object], made: Callable[[], str]) -> str:
    """What was printed for ``asked`` by exactly these sources, or what ``made`` gives, which is kept."""
    path = store_root() / "printed" / f"{sha256(json.dumps(asked).encode())[:24]}.json"
    key = _sources()
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["key"] == key:
            return str(found["text"])
    said = made()
    with contextlib.suppress(ForeseenError):  # a store that takes no file is no reason not to answer
        write_text(path, json.dumps({"key": key, "text": said}, ensure_ascii=False))
    return said


def _sources() -> str:
    """A hash of this Python's, and of every source's name, size and time: enough to know that one was written."""
    package, root = Path(__file__).resolve().parents[1], checkout()
    files = [*_python(package), *([root / "book" / "chapters.yml"] if root is not None else [])]
    stamps = [(str(path), state.st_size, state.st_mtime_ns) for path in files if (state := path.stat())]
    return sha256(json.dumps([sys.version, sorted(stamps)]).encode())


def _python(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != "__pycache__"]
        yield from (Path(place, name) for name in names if name.endswith(".py"))
