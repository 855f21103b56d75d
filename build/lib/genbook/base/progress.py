"""How far a long computation is: who is told, from wherever it runs, and how that is shown.

A computation says so by `report`, a training by itself. Who started it hears of it within `context`, and shows it as a
`bar` in a terminal, or through a `file` to a process that waits.
"""

from __future__ import annotations

import contextlib
import contextvars
import importlib.util
import itertools
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from genbook.base.files import write_text

#: Told the fraction of the work that is done, and a word on what is being done.
Progress = Callable[[float, str], None]

#: Names the file into which a chapter's kernel writes how far it is, for `genbook run` to show.
FILE_VARIABLE = "GENBOOK_PROGRESS_FILE"
_EVERY_SECONDS = 0.2  # between two updates: telling must cost nothing
_STALE_SECONDS = 5


@dataclass(frozen=True)
class Context:
    """What surrounds a computation: who is told, and a folder in which each training in turn keeps its checkpoint."""

    progress: Progress | None = None
    folder: Path | None = None
    _numbers: Iterator[int] = field(default_factory=itertools.count, compare=False)

    def checkpoint(self) -> Path | None:
        """The file of the next training: a study that is run again trains in the same order."""
        return None if self.folder is None else self.folder / f"training-{next(self._numbers)}.safetensors"


_CURRENT: contextvars.ContextVar[Context | None] = contextvars.ContextVar("progress context", default=None)


def current() -> Context:
    """The context that is set, or one that does nothing."""
    return _CURRENT.get() or Context()


@contextlib.contextmanager
def context(progress: Progress | None = None, folder: Path | None = None) -> Iterator[None]:
    """Within the block, computations report to ``progress``, and trainings keep their state in ``folder``."""
    token = _CURRENT.set(Context(progress, folder))
    try:
        yield
    finally:
        _CURRENT.reset(token)


def report(fraction: float, words: str) -> None:
    """Tell who surrounds this computation that ``fraction`` of it (0 to 1) is done."""
    tell = current().progress
    if tell is not None:
        tell(fraction, words)


@contextlib.contextmanager
def bar(title: str, show: bool | Progress | None = None) -> Iterator[Progress]:
    """A bar on standard error with the fraction done, the time left and what is being done.

    Args:
        title: what stands before the bar.
        show: whether to draw it; None draws it in a terminal alone. A function is told instead. Nothing is drawn where
            rich, which draws, is not installed: it comes with ``genbook[book]``.
    """
    if callable(show):
        yield show
        return
    if not (sys.stderr.isatty() if show is None else show) or importlib.util.find_spec("rich") is None:
        yield lambda fraction, words: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Bar(*columns, console=Console(file=sys.stderr), transient=True) as shown:
        task = shown.add_task(title, total=1.0)
        yield _now_and_then(lambda done, words: shown.update(task, completed=done, description=f"{title}: {words}"))


@contextlib.contextmanager
def file(title: str) -> Iterator[Progress]:
    """Progress for the process that waits, in the file that ``GENBOOK_PROGRESS_FILE`` names; silent without it.

    A notebook's output is part of the book, so nothing is printed into it.
    """
    path = os.environ.get(FILE_VARIABLE)
    if not path:
        yield lambda fraction, words: None
        return

    def write(done: float, words: str) -> None:
        write_text(Path(path), json.dumps({"title": title, "fraction": done, "words": words}))

    yield _now_and_then(write)


def read(path: Path) -> tuple[float, str]:
    """The fraction done and the title that `file` wrote to ``path``; 0 and "" where it said nothing of late."""
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        if time.time() - path.stat().st_mtime < _STALE_SECONDS:
            return said["fraction"], said["title"]
    except (OSError, ValueError):
        pass
    return 0.0, ""


def _now_and_then(tell: Progress) -> Progress:
    """``tell``, but not more often than anybody looks; the end is always told."""
    last = 0.0

    def seldom(fraction: float, words: str) -> None:
        nonlocal last
        if fraction >= 1 or time.monotonic() - last >= _EVERY_SECONDS:
            last = time.monotonic()
            tell(fraction, words)

    return seldom
