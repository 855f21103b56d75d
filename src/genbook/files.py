"""Where things lie on disk, and writing them whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from genbook.errors import ForeseenError

_PART = ".part"


class StorageError(ForeseenError, OSError):
    """The disk refused: full, read-only, or not permitted. The message says where and what to do."""

    def __str__(self) -> str:
        """The message without the system's number."""
        return self.strerror or super().__str__()


def repository() -> Path:
    """The root of the checkout that this package runs from; the working directory where it is installed elsewhere."""
    root = Path(__file__).resolve().parents[2]
    return root if (root / "pyproject.toml").is_file() else Path.cwd()


def store_root() -> Path:
    """The folder of tables and executed notebooks: ``GENBOOK_STORE``, by default ``.genbook`` in the repository."""
    named = os.environ.get("GENBOOK_STORE")
    return Path(named).expanduser().resolve() if named else repository() / ".genbook"


def sha256(*chunks: bytes) -> str:
    """SHA-256 of the chunks one after the other, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn the system's refusals to write below ``path`` into one `StorageError` that says what would help."""
    advice = {
        errno.ENOSPC: "the disk is full; free some space",
        errno.EDQUOT: "the disk quota is used up; free some space",
        errno.EROFS: "the disk is read-only; name a folder that can be written",
        errno.EACCES: "writing is not permitted; change the permissions or name another folder",
        errno.EPERM: "writing is not permitted; change the permissions or name another folder",
        errno.ENOTDIR: "part of the path is a file; name a folder",
        errno.EEXIST: "a file stands where a folder is wanted; name another folder",
    }
    try:
        yield
    except StorageError:
        raise
    except OSError as error:
        if error.errno not in advice:
            raise
        hint = " (GENBOOK_STORE names the store's folder)" if path.is_relative_to(store_root()) else ""
        raise StorageError(error.errno, f"cannot write {path}: {advice[error.errno]}{hint}") from error


def make_folder(path: Path) -> Path:
    """Create ``path`` and its parents, raising `StorageError` where that is refused."""
    with disk_errors(path):
        path.mkdir(parents=True, exist_ok=True)
    return path


@contextlib.contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """A temporary name beside ``path`` to write to; renamed to ``path`` when the block ends well, else removed.

    A reader, or a process killed half-way, so sees the old file or the new one and never a part of either. What a kill
    left of an earlier write of ``path`` is removed.
    """
    make_folder(path.parent)
    with disk_errors(path):
        remove_abandoned(path)
        handle, temporary = _temporary(path)
        try:
            yield temporary
            with temporary.open("rb") as written:
                os.fsync(written.fileno())
            temporary.chmod(0o644)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        finally:
            os.close(handle)


def _temporary(path: Path) -> tuple[int, Path]:
    """A new file beside ``path``, locked for as long as its handle is open."""
    while True:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=_PART)
        with contextlib.suppress(OSError):  # a file system without locks: then nobody else gets one either
            fcntl.flock(handle, fcntl.LOCK_EX)
        if os.fstat(handle).st_nlink:
            return handle, Path(name)
        os.close(handle)  # taken for abandoned between its creation and its lock


def remove_abandoned(path: Path) -> None:
    """Remove the temporary files of writes to ``path`` whose writers are dead: the lock of a living one is held."""
    parts: list[Path] = []
    with contextlib.suppress(OSError):  # no such folder, or one that may be written to but not listed
        parts = [part for part in path.parent.glob(f".*{_PART}") if part.name.startswith(f".{path.name}.")]
    for part in parts:
        with contextlib.suppress(OSError):  # locked, finished meanwhile, or swept by another process
            handle = os.open(part, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.path.samestat(os.fstat(handle), os.lstat(part)):
                    part.unlink()
            finally:
                os.close(handle)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8 to ``path``, whole or not at all."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def set_aside(path: Path) -> Path:
    """Rename a damaged file to a free name ``….damaged-N`` beside it and return that name."""
    for number in range(1, 1000):
        aside = path.with_name(f"{path.name}.damaged-{number}")
        if not os.path.lexists(aside):
            with disk_errors(path):
                path.replace(aside)
            return aside
    raise StorageError(errno.EEXIST, f"{path.parent} holds 999 damaged copies of {path.name}; remove them")
