"""Where things lie on disk, and writing them whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import platformdirs

from genbook.base.errors import ForeseenError

try:
    import fcntl
except ModuleNotFoundError:  # Windows, where no open file is renamed: what a killed writer left stays there
    fcntl = None  # type: ignore[assignment]

_PART = ".part"


class StorageError(ForeseenError, OSError):
    """The disk refused: full, read-only, or not permitted. The message says where and what to do."""

    def __str__(self) -> str:
        """The message without the system's number."""
        return self.strerror or super().__str__()


class NotACheckout(ForeseenError):
    """What was asked for lies in the repository, and this genbook was installed without it."""

    status = 2


@functools.cache
def checkout() -> Path | None:
    """The root of the checkout that this package runs from; None where it is installed elsewhere."""
    root = Path(__file__).resolve().parents[3]
    return root if (root / "pyproject.toml").is_file() and (root / "notebooks").is_dir() else None


def repository() -> Path:
    """The root of the checkout; raises `NotACheckout` where the package is installed elsewhere, without its book."""
    root = checkout()
    if root is None:
        raise NotACheckout(
            f"the chapters and the book's pages lie in genbook's repository, and the genbook installed in "
            f"{Path(__file__).parent} has none around it: clone the repository, type `make book` there and use its "
            ".venv/bin/genbook (studies, claims, tables and `genbook params STUDY` work without it)"
        )
    return root


def named_folder(variable: str) -> Path | None:
    """The folder that an environment variable names, absolute; None where it is unset or empty.

    Raises `StorageError` for what no folder's name can be: another user's home that is not known, links in a circle.
    """
    named = os.environ.get(variable)
    if not named:
        return None
    try:
        return Path(named).expanduser().resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise StorageError(errno.EINVAL, f"{variable} = {named!r} leads to no folder: {error}") from None


def store_root() -> Path:
    """The folder of tables and executed notebooks, named by ``GENBOOK_STORE``.

    By default ``.genbook`` in the checkout, or ``genbook/store`` in the user's cache folder where there is no checkout:
    the same one wherever the command is typed.
    """
    if (named := named_folder("GENBOOK_STORE")) is not None:
        return named
    root = checkout()
    return root / ".genbook" if root is not None else _cache() / "store"


def data_root() -> Path:
    """The folder of the data sets: ``GENBOOK_DATA``, by default ``genbook/data`` in the user's cache folder."""
    return named_folder("GENBOOK_DATA") or _cache() / "data"


def _cache() -> Path:
    """Our folder in the user's cache folder: what lies there can be had again."""
    return platformdirs.user_cache_path("genbook", appauthor=False)


def sha256(*chunks: bytes) -> str:
    """SHA-256 of the chunks one after the other, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()


def content(paths: Iterable[Path], root: Path) -> str:
    """A hash of the files among ``paths``, by their names as seen from ``root`` and what is in them, in any order."""
    files = sorted((os.path.relpath(path, root), path) for path in paths if path.is_file())
    return sha256(*(f"{name}\n{sha256(path.read_bytes())}\n".encode() for name, path in files))


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn the system's refusals to write below ``path`` into one `StorageError` that says what would help."""
    permission = "writing is not permitted; change the permissions or name another folder"
    advice = {
        errno.ENOSPC: "the disk is full; free some space",
        errno.EDQUOT: "the disk quota is used up; free some space",
        errno.EROFS: "the disk is read-only; name a folder that can be written",
        errno.EACCES: permission,
        errno.EPERM: permission,
        errno.ENOTDIR: "part of the path is a file; name a folder",
        errno.EEXIST: "a file stands where a folder is wanted; name another folder",
        errno.ENAMETOOLONG: "the name is too long; name another one",
        errno.ELOOP: "its links lead in a circle; name another folder",
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


@contextlib.contextmanager
def _folder_errors(folder: Path) -> Iterator[None]:
    """`disk_errors` for what is made in ``folder``; 'not found' is what /proc says to whoever wants to write there."""
    with disk_errors(folder):
        try:
            yield
        except FileNotFoundError as error:
            raise StorageError(error.errno, f"cannot write {folder}: nothing can be made there") from error


def make_folder(path: Path) -> Path:
    """Create ``path`` and its parents, raising `StorageError` where that is refused."""
    with _folder_errors(path):
        path.mkdir(parents=True, exist_ok=True)
    return path


def check_writable(folder: Path) -> None:
    """Raise `StorageError` where no file can be made in ``folder``, creating it if need be."""
    make_folder(folder)
    with _folder_errors(folder), tempfile.TemporaryFile(dir=folder):
        pass


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
            with temporary.open("r+b") as written:
                os.fsync(written.fileno())
            temporary.chmod(0o644)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        finally:
            if handle is not None:
                os.close(handle)


def _temporary(path: Path) -> tuple[int | None, Path]:
    """A new file beside ``path``, locked for as long as its handle is open; None where there are no such locks."""
    while True:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=_PART)
        if fcntl is None:
            os.close(handle)
            return None, Path(name)
        with contextlib.suppress(OSError):  # a file system without locks: then nobody else gets one either
            fcntl.flock(handle, fcntl.LOCK_EX)
        if os.fstat(handle).st_nlink:
            return handle, Path(name)
        os.close(handle)  # taken for abandoned between its creation and its lock


def remove_abandoned(path: Path) -> None:
    """Remove the temporary files of writes to ``path`` whose writers are dead: the lock of a living one is held."""
    if fcntl is None:
        return
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
