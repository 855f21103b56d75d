"""Progress of a long computation: a bar in a terminal, a line in a notebook, a file for the process that waits."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from genbook.base.files import write_text

#: A progress callback: the share of the work that is done, and a word on what is being done.
Progress = Callable[[float, str], None]

#: Names the file into which a chapter's kernel writes how far it is, for `genbook run` to show.
PROGRESS_FILE = "GENBOOK_PROGRESS_FILE"
_EVERY_SECONDS = 0.25


@contextlib.contextmanager
def notebook_progress(title: str) -> Iterator[Progress]:
    """Progress of a chapter's computation: silent but for the file that ``GENBOOK_PROGRESS_FILE`` names.

    A notebook's output is part of the book, so nothing is printed into it.
    """
    path, last = os.environ.get(PROGRESS_FILE), 0.0

    def report(share: float, what: str) -> None:
        nonlocal last
        if path and time.monotonic() - last >= _EVERY_SECONDS:
            last = time.monotonic()
            write_text(Path(path), json.dumps({"title": title, "share": share, "what": what}))

    yield report


@contextlib.contextmanager
def terminal_progress(title: str) -> Iterator[Progress]:
    """A rich bar on standard error with the share done and the time left; silent where that is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda share, what: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Bar(*columns, console=console, transient=True) as bar:
        task = bar.add_task(title, total=1.0)
        yield lambda share, what: bar.update(task, completed=share, description=f"{title}: {what}")
