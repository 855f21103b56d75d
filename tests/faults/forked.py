"""genbook's commands in forked processes: as separate as started ones, without what importing costs each time."""

import contextlib
import importlib
import os
import signal
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

import torch

from genbook import studies
from genbook.__main__ import main
from genbook.training import train

#: A study that trains, writes checkpoints and stores parts, in a second.
STUDY = "sample_descent"


@dataclass(frozen=True)
class Ended:
    """What became of a command: its status (below 0: the signal that ended it) and what it printed."""

    status: int
    out: str
    err: str

    def well_said(self):
        """Whether it ended well, or with one message and no traceback."""
        lines = [line for line in self.err.splitlines() if line.startswith("genbook: ") or "Error" in line]
        return self.status == 0 or (self.status in (1, 2) and len(lines) == 1 and "Traceback" not in self.err)


def prepare():
    """Import what commands import, run the study once, and let trainings write a checkpoint at every step."""
    torch.set_num_threads(1)
    for name in (
        "chapters",
        "compute",
        "judged",
        "published",
        "shards",
        "shared_store",
        "shipped",
        "verdicts",
        "verify",
    ):
        importlib.import_module(f"genbook.results.{name}")
    study = studies.get(STUDY)
    study.run(study.build("smoke", {}), [0], "cpu")
    train.__kwdefaults__["checkpoint_every"] = 0.0


def start(words, environment, folder, before=lambda: None):
    """Start ``genbook`` with ``words`` in a process and a process group of its own; returns its number."""
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child:
        return child
    try:
        os.setsid()
        os.chdir(folder)
        os.environ.update({name: str(value) for name, value in environment.items()})
        tempfile.tempdir = None  # it may be named anew
        for number, name in ((1, "out"), (2, "err")):
            handle = os.open(folder / f".{os.getpid()}.{name}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(handle, number)
        sys.stdout, sys.stderr = (os.fdopen(os.dup(number), "w") for number in (1, 2))
        sys.argv = ["genbook", *map(str, words)]
        status = 0
        try:
            before()
            main()
        except SystemExit as stop:
            status = stop.code if isinstance(stop.code, int) else 0 if stop.code is None else 1
            if isinstance(stop.code, str):
                print(stop.code, file=sys.stderr)
        except BaseException:
            traceback.print_exc()
            status = 70
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError):
                stream.flush()
        os._exit(status)
    finally:
        os._exit(71)


def ended(child, folder):
    """Wait for a command that `start` started."""
    _, state = os.waitpid(child, 0)
    files = [folder / f".{child}.{name}" for name in ("out", "err")]
    said = [file.read_text(errors="replace") if file.exists() else "" for file in files]
    for file in files:
        file.unlink(missing_ok=True)
    return Ended(os.waitstatus_to_exitcode(state), *said)


def command(words, environment, folder, **settings):
    """Run a command to its end."""
    return ended(start(words, environment, folder, **settings), folder)


def killed(words, environment, folder, seconds):
    """Run a command and ``kill -9`` it after ``seconds``; None where it had ended by then."""
    child = start(words, environment, folder)
    time.sleep(seconds)
    if os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        os.kill(child, signal.SIGKILL)
    found = ended(child, folder)
    return found if found.status == -signal.SIGKILL else None


@contextlib.contextmanager
def place():
    """A folder for one trial: its store lies in it; commands print into it."""
    with tempfile.TemporaryDirectory(prefix="fault-") as folder:
        yield Path(folder)


def left(folder):
    """Temporary files that a command has left below ``folder``."""
    return sorted(
        path.name for path in folder.rglob("*") if path.name.endswith(".part") or path.name.startswith("genbook-")
    )


def rows(folder, environment, seeds=2):
    """The table's rows as CSV, from what is stored or computed; and what the command said besides."""
    return command(("table", STUDY, "--profile", "smoke", "-p", "seeds", seeds), environment, folder)
