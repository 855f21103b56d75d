"""A disk that is full at each kind of write, and one that takes no writes at all: small file systems of their own."""

import contextlib
import os
import shutil
import subprocess

from tests.faults.forked import STUDY, command, left, place, rows
from tests.faults.report import Figures

MIB = 4


def possible():
    """Whether a file system can be mounted here."""
    with place() as folder, disk(folder) as mounted:
        return mounted is not None


@contextlib.contextmanager
def disk(folder):
    """A small file system below ``folder``; None where none can be mounted."""
    point = folder / "disk"
    point.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={MIB}m", "tmpfs", str(point)]
    if (
        os.geteuid()
        or shutil.which("mount") is None
        or subprocess.run(words, capture_output=True, check=False).returncode
    ):
        yield None
        return
    try:
        yield point
    finally:
        subprocess.run(["umount", "-l", str(point)], check=True)


def remount(point, mode):
    subprocess.run(["mount", "-o", f"remount,{mode}", str(point)], check=True)


#: By what is written, the command that writes it on the disk {disk}; what it needs is computed in {other} before.
WRITES = {
    "parts and checkpoints of a table": (("table", STUDY, "--profile", "smoke", "-p", "seeds", "2"), "{disk}/store"),
    "a shard's parts": (("compute", "{shard}"), "{disk}/store"),
    "a table as a file": (
        ("table", STUDY, "--profile", "smoke", "-p", "seeds", "2", "--out", "{disk}/table.csv"),
        "{other}",
    ),
    "an archive of the store": (("store", "export", "{disk}/store.tar", STUDY), "{other}"),
    "what an archive brings": (("store", "import", "{archive}"), "{disk}/store"),
    "verdicts that are kept": (("claims", STUDY, "--profile", "smoke", "-p", "seeds", "2", "--json"), "{disk}/store"),
}


#: Those that differ the most in how they write.
SOME = ("parts and checkpoints of a table", "a table as a file", "what an archive brings")


def filled(point, free):
    """Take up all of the disk but ``free`` KiB."""
    room = os.statvfs(point).f_bavail * os.statvfs(point).f_frsize - free * 1024
    (point / "filler").write_bytes(bytes(max(room, 0)))


def full(sizes, writes=tuple(WRITES)):
    """Each kind of write on a disk with so many KiB left: it says so once, leaves nothing, and works with room."""
    figures = Figures("disk full at each kind of write")
    with figures.timed(), place() as folder, disk(folder) as point:
        other, archive = folder / "other", folder / "parts.tar"
        assert rows(folder, {"GENBOOK_STORE": other}).status == 0
        assert command(("store", "export", archive, STUDY), {"GENBOOK_STORE": other}, folder).status == 0
        words = ("pending", STUDY, "--profile", "smoke", "--seeds", "2", "--shards")
        shard = command(words, {"GENBOOK_STORE": folder / "empty"}, folder).out.split()[0]
        places = {"disk": point, "other": other, "archive": archive, "shard": shard}
        for what in writes:
            words, store = WRITES[what]
            for free in sizes:
                _one_write(figures, f"{what}, {free} KiB free", [w.format(**places) for w in words],
                           {"GENBOOK_STORE": store.format(**places)}, point, free, folder)  # fmt: skip
    return figures


def _one_write(figures, what, words, environment, point, free, folder):
    for path in point.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    filled(point, free)
    first = command(words, environment, folder)
    tidy = not left(point) and (first.status == 0 or not list(point.glob("*.csv")) + list(point.glob("*.tar")))
    (point / "filler").unlink()
    for path in [*point.glob("*.csv"), *point.glob("*.tar")]:
        path.unlink()
    again = command(words, environment, folder)
    named = first.status == 0 or "the disk is full" in first.err
    well = first.well_said() and tidy and named and again.status == 0
    figures.count(well, again.status != 0, f"{what}: {first.status} {first.err[-300:]} then {again.err[-300:]}")


def read_only():
    """A store that cannot be written is read all the same; what is missing is one message."""
    figures = Figures("store on a read-only disk")
    with figures.timed(), place() as folder, disk(folder) as point:
        store = {"GENBOOK_STORE": point / "store"}
        whole = rows(folder, store)
        assert whole.status == 0, whole.err
        remount(point, "ro")
        again = rows(folder, store)
        figures.count(again.out == whole.out, False, f"a stored table: {again.err[-300:]}")
        for words in (
            ("table", STUDY, "--profile", "smoke", "-p", "seeds", "3"),
            ("claims", STUDY, "--profile", "smoke", "-p", "seeds", "3"),
            ("store", "prune"),
        ):
            found = command(words, store, folder)
            said = found.status == 0 or "read-only" in found.err
            figures.count(found.well_said() and said, False, f"{' '.join(words)}: {found.status} {found.err[-300:]}")
        pending = command(("pending", STUDY, "--profile", "smoke"), store, folder)
        figures.count(pending.status == 0, False, f"pending: {pending.err[-300:]}")
        remount(point, "rw")
        figures.count(rows(folder, store).out == whole.out, rows(folder, store).out != whole.out, "afterwards")
    return figures
