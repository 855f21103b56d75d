"""The staged book rendered by Jupyter Book, and the pages put in the place of the old ones when they are whole."""

from __future__ import annotations

import contextlib
import datetime
import errno
import filecmp
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from genbook.base.errors import ForeseenError
from genbook.base.files import StorageError, content, disk_errors, make_folder, repository, sha256, write_text
from genbook.base.processes import lifeline
from genbook.base.scratch import scratch
from genbook.book.inputs import installed

#: What Sphinx is extended by (see _config.yml).
_EXTENSIONS = ("html_pages", "incremental", "maths", "search_data", "stylesheets")
#: In a folder that a build made: what it was made from.
_CONTENT = ".genbook-content"


class BuildError(ForeseenError):
    """The book could not be built; the message holds what Sphinx said, or which claims did not fail where they must."""


def render(out: Path, key: str, beside: Callable[[Path], None] | None = None) -> None:
    """Have Jupyter Book make ``html`` of ``source``, both below ``out``, beginning with the pages that are there.

    ``beside`` is given the folder of the new pages before they take the place of the old ones, to put files there.
    The pages and what Sphinx has read (``known``) belong together and were made for one frame: where one of the three
    is not as the last build left it, all is read and written.
    """
    frame, fresh = _frame_key(out / "source"), out / "fresh"
    shutil.rmtree(fresh, ignore_errors=True)
    again = said(out / "known") == f"{said(out / 'html')} {frame}"
    with gone_at_the_end(fresh):
        if again:
            copy_tree(out / "known", fresh / "_build")
            copy_tree(out / "html", fresh / "_build" / "html")
        _jupyter_book(out / "source", fresh, again)
        if beside is not None:
            beside(fresh / "_build" / "html")
        write_text(fresh / "_build" / "html" / _CONTENT, key)
        write_text(fresh / "_build" / _CONTENT, f"{key} {frame}")
        _swap(fresh / "_build" / "html", out / "html")
        _swap(fresh / "_build", out / "known")


@contextlib.contextmanager
def gone_at_the_end(folder: Path) -> Iterator[None]:
    """Remove ``folder`` when the block ends, however it does: on a full disk what is half made takes room from all."""
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def copy_tree(source: Path, target: Path, **words: Any) -> None:
    """`shutil.copytree` that ends at the first refusal with `StorageError`: its own error has lost what was refused."""
    refused: list[OSError] = []

    def copied(one: str, other: str) -> str:
        try:
            if not refused:
                return shutil.copy2(one, other)
        except OSError as error:
            refused.append(error)
        raise refused[0]

    with disk_errors(target):
        try:
            shutil.copytree(source, target, copy_function=copied, **words)
        except shutil.Error as error:
            raise refused[0] if refused else error from None


def said(folder: Path) -> str:
    """What ``folder`` was made from, as the build noted; empty where it did not."""
    with contextlib.suppress(OSError, ValueError):
        return (folder / _CONTENT).read_text(encoding="utf-8")
    return ""


def mirror(staged: Path, source: Path) -> None:
    """Make ``source`` what ``staged`` is and remove that; a file that is the same already keeps its time.

    By their times Sphinx knows which sources have changed.
    """
    with disk_errors(source):
        for path in [path for path in source.rglob("*") if not path.is_dir()]:
            if not (staged / path.relative_to(source)).is_file():
                path.unlink()
        for path in [path for path in staged.rglob("*") if path.is_file()]:
            target = make_folder(source / path.relative_to(staged).parent) / path.name
            if not target.is_file() or not filecmp.cmp(path, target, shallow=False):
                path.replace(target)
        shutil.rmtree(staged)


def _frame_key(source: Path) -> str:
    """A hash of what every page depends on: which pages and files there are, their order, style, sources, software."""
    names = sorted(path.relative_to(source).as_posix() for path in source.rglob("*"))
    shared = [repository() / "_config.yml", source / "_toc.yml", source / "references.bib"]
    shared += [*(source / "assets").rglob("*"), *(source / "templates").rglob("*"), Path(__file__)]
    shared += [Path(__file__).with_name(f"{name}.py") for name in _EXTENSIONS]
    return sha256(json.dumps([names, installed(), content(shared, source)]).encode())


def _jupyter_book(source: Path, out: Path, again: bool = False) -> None:
    """Run Jupyter Book with warnings as errors; raises `BuildError` with its last lines.

    ``again``: ``out`` has a build of these sources as they were, and what has not changed stays.
    """
    script = "import sys; from genbook.base.processes import end_with; end_with(int(sys.argv.pop(1))); "
    script += "import genbook.book; from jupyter_book.cli.main import main; main()"
    command = ["build", str(source), "--path-output", str(out)]
    command += ["--config", str(repository() / "_config.yml"), "--toc", str(source / "_toc.yml")]
    command += ["-W", "-n", "--keep-going", "-q", *([] if again else ["--all"])]
    with lifeline() as own, scratch() as temporary:  # Sphinx leaves a file there of each error
        start = [sys.executable, "-c", script, str(own.fileno())]
        done = subprocess.run(
            [*start, *command],
            pass_fds=[own.fileno()],
            env={**os.environ, "TMPDIR": str(temporary)},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode and os.strerror(errno.ENOSPC) in done.stderr + done.stdout:
        raise StorageError(errno.ENOSPC, f"cannot write {out}: the disk is full; free some space")
    if done.returncode or not (out / "_build" / "html" / "index.html").is_file():
        said = [line for line in (done.stderr + done.stdout).splitlines() if re.search("WARNING|ERROR|rror:", line)]
        raise BuildError("Jupyter Book did not build:\n" + "\n".join(said[-20:] or [done.stderr[-2000:]]))


def _swap(fresh: Path, target: Path) -> None:
    """Put ``fresh`` in the place of ``target``."""
    for left in target.parent.glob(".old-*"):  # by a build that was killed in this place
        shutil.rmtree(left, ignore_errors=True)
    stamp = datetime.datetime.now(datetime.UTC).strftime("%H%M%S%f")
    old = target.with_name(f".old-{stamp}")
    if target.exists():
        target.replace(old)
    fresh.replace(target)
    shutil.rmtree(old, ignore_errors=True)
