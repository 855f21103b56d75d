"""The temporary folder of a run: one for all that it writes on the way, swept by a later run if this one was killed."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import filelock

from genbook.base.files import StorageError

#: How the folders of runs begin; nothing else in the temporary folder is ever touched.
PREFIX = "genbook-"
_LOCK = "owner.lock"
#: Seconds after which a folder without a lock is taken as left behind.
_OLD = 24 * 3600
#: Bytes that the system takes as the path of a socket, without the closing zero.
_SOCKET_PATH = 103 if sys.platform == "darwin" else 107
#: What comes after the temporary folder's own name: '/genbook-abcdefgh', '/abcdefgh' (one chapter), '/kernel-12345'.
_BELOW = 40


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """An empty folder for the temporary files of this run, short enough for sockets in it; gone when the block ends.

    While it is there its owner holds a lock in it, which the operating system frees when the owner dies, however that
    happens. So whoever makes such a folder first removes those of dead owners.
    """
    base = _base()
    sweep(base)
    with _storage_errors(base):
        # Locked under a name that no sweep looks for, so that none can come between.
        new = Path(tempfile.mkdtemp(prefix=f".new-{PREFIX}", dir=base))
        lock = filelock.FileLock(new / _LOCK)
        try:
            lock.acquire()
            folder = new.rename(new.with_name(new.name.removeprefix(".new-")))
        except BaseException:  # the folder took the last inode, say, and there was none for its lock
            shutil.rmtree(new, ignore_errors=True)
            raise
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        lock.release()


def sweep(base: Path) -> list[Path]:
    """Remove the folders below ``base`` that this user's runs have left behind; return them."""
    swept = []
    for folder in base.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError, filelock.Timeout):  # somebody's who lives, or swept by another meanwhile
            state = folder.stat()
            if state.st_uid != os.getuid() or not folder.is_dir():
                continue
            if (folder / _LOCK).is_file():
                with filelock.FileLock(folder / _LOCK, blocking=False):
                    shutil.rmtree(folder, ignore_errors=True)
            elif time.time() - state.st_mtime > _OLD:  # written by a process that outlived its run
                shutil.rmtree(folder, ignore_errors=True)
            else:
                continue
            swept.append(folder)
    return swept


def subfolder(folder: Path) -> Path:
    """A new folder with a short name below a run's own."""
    return Path(tempfile.mkdtemp(prefix="", dir=folder))


def _base() -> Path:
    """The temporary folder, or a shorter one where a socket's path would not fit; raises `StorageError`."""
    candidates = [_named(), os.environ.get("XDG_RUNTIME_DIR"), "/tmp", "/var/tmp"]
    longest = _SOCKET_PATH - _BELOW
    for candidate in filter(None, candidates):
        if len(os.fsencode(candidate)) <= longest and os.access(candidate, os.W_OK | os.X_OK):
            return Path(candidate)
    raise StorageError(
        errno.ENAMETOOLONG,
        f"no temporary folder can be used ({', '.join(filter(None, candidates))}): the sockets of a kernel need one "
        f"that can be written, with a name of at most {longest} characters; name it with TMPDIR",
    )


def _named() -> str | None:
    """What Python takes as the temporary folder; None where nothing can be written anywhere."""
    try:
        return tempfile.gettempdir()
    except FileNotFoundError:
        return None


@contextlib.contextmanager
def _storage_errors(base: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        said = f"cannot write the temporary folder {base}: {error.strerror}; name another one with TMPDIR"
        raise StorageError(error.errno, said) from error
