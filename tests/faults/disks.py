"""A disk that is full at each kind of write, of bytes or of files, and one that takes no writes: small file systems."""

import contextlib
import importlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import nbformat

from genbook.base.files import sha256
from genbook.results import published
from genbook.tables import manifest
from tests.faults import small_book
from tests.faults.forked import STUDY, command, left, place, rows
from tests.faults.report import Figures


@dataclass(frozen=True)
class Disk:
    """What is mounted: its file system, its MiB, how many files it can hold, and where."""

    point: Path
    kind: str
    mib: int
    inodes: int = 1024


@contextlib.contextmanager
def disk(folder, kind="tmpfs", mib=4):
    """A small file system below ``folder``, in memory or 'ext4' in a file; None where none can be mounted."""
    one = Disk(folder / "disk", kind, mib)
    one.point.mkdir()
    if os.geteuid() or shutil.which("mount") is None or not _mounted(one):
        one.point.rmdir()
        yield None
        return
    try:
        yield one
    finally:
        subprocess.run(["umount", "-l", str(one.point)], check=True)
        one.point.rmdir()


def _mounted(one):
    words = ["-t", "tmpfs", "-o", f"size={one.mib}m,nr_inodes={one.inodes}", "tmpfs"]
    if one.kind == "ext4":
        image = one.point.with_name("image")
        image.write_bytes(bytes(one.mib * 2**20))
        make = ["mkfs.ext4", "-q", "-F", "-m", "0", "-O", "^has_journal", "-N", str(one.inodes), str(image)]
        if shutil.which(make[0]) is None or subprocess.run(make, capture_output=True, check=False).returncode:
            return False
        words = ["-o", "loop", str(image)]
    return not subprocess.run(["mount", *words, str(one.point)], capture_output=True, check=False).returncode


def possible(kind="tmpfs"):
    """Whether such a file system can be mounted here."""
    with place() as folder, disk(folder, kind) as mounted:
        return mounted is not None


def remount(point, mode):
    subprocess.run(["mount", "-o", f"remount,{mode}", str(point)], check=True)


@dataclass(frozen=True)
class Write:
    """A kind of write: the command that does it, what was there before, and how little room is tried.

    In all words {disk} is the full disk, {other} a store beside it that has everything. ``before``: a command that
    makes the old state, with ``old`` in its environment. ``patched`` is called in the command's process. ``free``: KiB.
    """

    words: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=lambda: {"GENBOOK_STORE": "{disk}/store"})
    before: tuple[str, ...] = ()
    old: Mapping[str, str] = field(default_factory=dict)
    patched: Callable[[], None] = lambda: None
    free: tuple[int, ...] = (0, 4, 16, 48)
    inodes: tuple[int, ...] = (0, 1, 3)
    mib: int = 4


def _toys():
    """Toy chapters in place of the book's."""
    importlib.import_module("tests.toy_command")


def _results_on_disk():
    """Published tables below the folder that ``RESULTS`` names."""
    published.root = lambda: Path(os.environ["RESULTS"])


def _list_by_hand():
    """The command that lists all files of that folder, in place of genbook's, once there is one more."""
    _results_on_disk()
    more = Path(os.environ["RESULTS"], "more.csv")
    if os.environ["STATE"] == "old":
        more.write_text("more")
        return
    sys.argv = ["manifest", os.environ["RESULTS"]]
    manifest.main()
    sys.exit(0)


def _printed_to_disk():
    """Standard output goes into a file on the disk, as a shell has it done."""
    os.dup2(os.open(os.environ["PRINTED"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 1)
    sys.stdout = os.fdopen(os.dup(1), "w")


_TABLE = ("table", STUDY, "--profile", "smoke", "-p", "seeds")
_CHAPTER = {"TOY_NOTEBOOKS": "{folder}/notebooks", "GENBOOK_STORE": "{folder}/any"}
#: Of files that were put there by hand, and so are not listed until it is written.
_LIST = "the list of published tables"
_PUBLISHED = {"GENBOOK_STORE": "{other}", "RESULTS": "{disk}/results"}
_PUBLISH = ("publish", STUDY, "--profile", "smoke", "--setting", "discovery", "-p", "seeds")
#: By what is written, the command that writes it.
WRITES = {
    "parts and checkpoints of a table": Write((*_TABLE, "2"), before=(*_TABLE, "1")),
    "a shard's parts": Write(("compute", "{shard}")),
    "a table as a file": Write((*_TABLE, "2", "--out", "{disk}/table.csv"), {"GENBOOK_STORE": "{other}"}),
    "what is printed into a file": Write(
        (*_TABLE, "2"),
        {"GENBOOK_STORE": "{other}", "PRINTED": "{disk}/printed"},
        patched=_printed_to_disk,
        free=(0,),
        inodes=(),
    ),
    "an archive of the store": Write(("store", "export", "{disk}/store.tar", STUDY), {"GENBOOK_STORE": "{other}"}),
    "what an archive brings": Write(("store", "import", "{archive}"), before=(*_TABLE, "1")),
    "what an archive brings, on its way": Write(
        ("store", "import", "{archive}"),
        {"GENBOOK_STORE": "{folder}/new", "TMPDIR": "{disk}/tmp"},
        free=(0, 4),
    ),
    "verdicts that are kept": Write(
        ("claims", STUDY, "--profile", "smoke", "-p", "seeds", "2", "--json"),
        before=("claims", STUDY, "--profile", "smoke", "-p", "seeds", "1", "--json"),
    ),
    "a chapter that the build keeps": Write(
        ("run", "0"),
        {**_CHAPTER, "GENBOOK_STORE": "{disk}/store"},
        before=("run", "0"),
        patched=_toys,
        free=(0, 16, 200),
        inodes=(0, 1),
    ),
    "a copy of a chapter": Write(
        ("run", "0", "--out", "{disk}/mine.ipynb"),
        _CHAPTER,
        before=("run", "0", "--out", "{disk}/mine.ipynb"),
        patched=_toys,
        free=(0, 16, 200),
        inodes=(0,),
    ),
    "what a kernel needs on its way": Write(
        ("run", "0", "--out", "{folder}/mine.ipynb"),
        {**_CHAPTER, "TMPDIR": "{disk}/tmp"},
        patched=_toys,
        free=(0, 16, 200),
        inodes=(0, 1, 3, 8),
    ),
    "a published table": Write(
        (*_PUBLISH, "2"),
        _PUBLISHED,
        (*_PUBLISH, "1", "--name", "other"),
        patched=_results_on_disk,
        free=(0, 12, 8, 16),  # with one more, between it and its line in the list, too
    ),
    "tables that are gathered": Write(
        ("gather", STUDY, "--profile", "smoke", "--seeds", "2"),
        _PUBLISHED,
        (*_PUBLISH, "1"),
        patched=_results_on_disk,
    ),
    _LIST: Write(
        (),
        {**_PUBLISHED, "STATE": "new"},
        (*_PUBLISH, "1"),
        {"STATE": "old"},
        patched=_list_by_hand,
        free=(0,),
        inodes=(0,),
    ),
    "pages with their tables": Write(
        ("build", "--out", "{disk}/book"),
        {"GENBOOK_STORE": "{other}", "TABLE": "{archive}", "WORDS": "Pears. " * 2000},
        before=("build", "--out", "{disk}/book"),
        old={"WORDS": "Apples."},
        patched=small_book.stand_in,
        free=(1300, 2800, 0),
        inodes=(0, 200),
        mib=12,
    ),
}
#: Those that differ the most in how they write.
SOME = ("parts and checkpoints of a table", "a table as a file", "what an archive brings", "a published table")
#: One of these is in the message: genbook's words, or in its message on the temporary folder the system's.
_FULL = ("the disk is full", "No space left on device")
#: What is looked at before and after: these are whole, or not there.
_PRODUCTS = (".parquet", ".csv", ".tar", ".ipynb", ".html")


def full(kinds=("tmpfs", "ext4"), writes=tuple(WRITES), most=None):
    """Each kind of write on a disk with little room left: it says so once, leaves nothing, and works with room.

    What the disk did not refuse does not count; every kind must have been refused at least once. ``most``: so many
    amounts of room for each kind in memory; on ext4, where a write may be refused later than it is made, the first two.
    """
    figures = Figures("disk full at each kind of write")
    with figures.timed(), place() as folder:
        places = _prepared(folder)
        for kind in kinds:
            for what in writes:
                write = WRITES[what]
                with disk(folder, kind, write.mib) as one:
                    if one is None:
                        break
                    tried = [("KiB", free) for free in write.free[: most if kind == "tmpfs" else 2]]
                    if kind == "tmpfs":
                        tried += [("files", free) for free in write.inodes[:most]]
                    refused = [_one_write(figures, one, what, unit, free, places) for unit, free in tried]
                    if not any(refused):
                        figures.count(False, False, f"{what}: never refused on {kind}")
    return figures


def _prepared(folder):
    """What commands need: a store that has everything, an archive of it, a shard, a notebook."""
    places = {"folder": folder, "disk": folder / "disk", "other": folder / "other", "archive": folder / "parts.tar"}
    other = {"GENBOOK_STORE": places["other"]}
    assert rows(folder, other).status == 0
    assert command(("claims", STUDY, "--profile", "smoke", "-p", "seeds", "2"), other, folder).status == 0
    assert command(("store", "export", places["archive"], STUDY), other, folder).status == 0
    words = ("pending", STUDY, "--profile", "smoke", "--seeds", "2", "--shards")
    places["shard"] = command(words, {"GENBOOK_STORE": folder / "empty"}, folder).out.split()[0]
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    cells = [nbformat.v4.new_code_cell("", metadata={"tags": ["parameters"]})]
    cells += [nbformat.v4.new_code_cell("print('x' * 500_000)")]
    (folder / "notebooks").mkdir()
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), folder / "notebooks" / "00_toy.ipynb")
    return places


def _one_write(figures, one, what, unit, free, places):
    """A trial; whether the disk refused."""
    write, folder = WRITES[what], places["folder"]
    _emptied(one, folder)

    def done(words, more=()):
        environment = {"TMPDIR": "{folder}/tmp", **write.environment, **dict(more)}
        filled = {name: value.format(**places) for name, value in environment.items()}
        return command([w.format(**places) for w in words], filled, folder, before=write.patched)

    if write.before:
        made = done(write.before, write.old)
        assert made.status == 0, made.err
    before = _products(one.point)
    _filled(one, unit, free)
    first = done(write.words)
    after, listed = _products(one.point), what == _LIST or _as_listed(one.point)
    for path in one.point.glob("filler*"):
        path.unlink()
    if first.status == 0:
        return False
    # Of several tables some may be published and whole, and the list says so.
    stayed = listed and (before.items() <= after.items() or bool(write.environment.get("RESULTS")))
    halves = [name for name in after.keys() - before.keys() if not name.endswith(".parquet")]
    rest = [*left(one.point), *halves, *(path.name for path in _temporary(one, folder) for path in path.iterdir())]
    said = first.status == 1 and first.well_said() and any(word in first.err for word in _FULL)
    again = done(write.words)
    lost = again.status != 0 or not stayed or bool(list(one.point.rglob("*.damaged-*"))) or not _as_listed(one.point)
    told = f"{what}, {free} {unit} on {one.kind}: {first.status} {first.err[-300:]!r}, left {rest}"
    figures.count(said and not rest, lost, f"{told}, old state {stayed}, then {again.status} {again.err[-300:]!r}")
    return True


def _emptied(one, folder):
    for path in one.point.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path in (folder / "new", folder / "any"):
        shutil.rmtree(path, ignore_errors=True)
    for path in _temporary(one, folder):
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir()
    (folder / "mine.ipynb").unlink(missing_ok=True)
    (one.point / "results").mkdir()


def _temporary(one, folder):
    """The two temporary folders that a command may be told."""
    return folder / "tmp", one.point / "tmp"


def _filled(one, unit, free):
    """Take up all of the disk but ``free`` KiB, or all of its files but so many."""
    if unit == "files":
        with contextlib.suppress(OSError):
            for number in range(2 * one.inodes):
                (one.point / f"filler-{number}").touch()
        for path in list(one.point.glob("filler-*"))[:free]:
            path.unlink()
        return
    room = os.statvfs(one.point).f_bavail * os.statvfs(one.point).f_frsize - free * 1024
    with (one.point / "filler").open("wb", buffering=0) as file, contextlib.suppress(OSError):  # ext4 may take less
        while room > 0:
            room -= file.write(bytes(room))
        os.fsync(file.fileno())


def _products(point):
    """What was produced, by name: the hash of its bytes."""
    files = [path for path in point.rglob("*") if path.suffix in _PRODUCTS or path.name == manifest.NAME]
    wanted = [path for path in files if path.is_file() and path.name != "more.csv" and "source" not in path.parts]
    return {str(path.relative_to(point)): sha256(path.read_bytes()) for path in wanted}


def _as_listed(point):
    """Whether published tables are as their list says, or there are neither."""
    if not (point / "results" / manifest.NAME).is_file():
        return not list((point / "results").rglob("*.parquet"))
    try:
        manifest.check(point / "results")
    except manifest.ManifestError:
        return False
    return True


def read_only():
    """A store that cannot be written is read all the same; what is missing is one message."""
    figures = Figures("store on a read-only disk")
    with figures.timed(), place() as folder, disk(folder) as one:
        places = _prepared(folder)
        store = {"GENBOOK_STORE": one.point / "store"}
        whole = rows(folder, store)
        assert whole.status == 0, whole.err
        remount(one.point, "ro")
        again = rows(folder, store)
        figures.count(again.out == whole.out, False, f"a stored table: {again.err[-300:]}")
        for words in (
            (*_TABLE, "3"),
            ("claims", STUDY, "--profile", "smoke", "-p", "seeds", "3"),
            ("compute", places["shard"].replace(".0-1.", ".5-6.")),
            ("store", "prune"),
            ("store", "export", one.point / "store.tar"),
            ("store", "import", places["archive"]),
            ("params", STUDY),
            ("run", "0"),
        ):
            toys = {"TOY_NOTEBOOKS": folder / "notebooks"} if words[0] == "run" else {}
            found = command(words, {**store, **toys}, folder, before=_toys if toys else lambda: None)
            said = found.status == 0 or "read-only" in found.err
            figures.count(found.well_said() and said, False, f"{words}: {found.status} {found.err[-300:]}")
        pending = command(("pending", STUDY, "--profile", "smoke"), store, folder)
        figures.count(pending.status == 0, False, f"pending: {pending.err[-300:]}")
        remount(one.point, "rw")
        figures.count(rows(folder, store).out == whole.out, rows(folder, store).out != whole.out, "afterwards")
    return figures
