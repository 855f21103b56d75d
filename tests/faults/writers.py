"""Several processes that want one table at the same time, and a clock that was set back."""

import os
import shutil
import subprocess
import sys

from tests.faults.forked import STUDY, command, ended, left, place, rows, start
from tests.faults.report import Figures
from tests.journalled import keep_a_journal


def at_once(numbers):
    """As many commands at once as ``numbers`` says: one table, each part written once."""
    figures = Figures("several writers of one table at once")
    words = ("table", STUDY, "--profile", "smoke", "-p", "seeds", 3)
    with figures.timed(), place() as folder:
        for round_, number in enumerate(numbers):
            store = {"GENBOOK_STORE": folder / f"store-{round_}", "JOURNAL": folder / f"journal-{round_}"}
            children = [start(words, store, folder, before=keep_a_journal) for _ in range(number)]
            found = [ended(child, folder) for child in children]
            lines = store["JOURNAL"].read_text().splitlines()
            stored = [line for line in lines if line.startswith("stored")]
            same = len({one.out for one in found}) == 1 and all(one.status == 0 for one in found)
            once = len(stored) == len(set(stored)) == 3 and not left(folder)
            figures.count(once, not same, f"{number} writers: {stored} {[one.err[-200:] for one in found]}")
    return figures


def clock_moves():
    """Whether libfaketime is installed."""
    return shutil.which("faketime") is not None


def set_back(trials):
    """A clock that goes back by years between two commands (libfaketime): the same tables, nothing computed again."""
    figures = Figures("clock set back between two commands")
    faketime = shutil.which("faketime")
    with figures.timed(), place() as folder:
        store = {"GENBOOK_STORE": folder / "store"}
        whole = rows(folder, store)
        before = _state(folder)
        for number in range(trials):
            script = f"import sys; sys.argv = ['genbook', 'table', {STUDY!r}, '--profile', 'smoke', '-p', 'seeds', '2']"
            script += "; from genbook.__main__ import main; main()"
            found = subprocess.run(
                [faketime, "-f", f"-{number + 1}y", sys.executable, "-c", script],
                env={**_environment(), "GENBOOK_STORE": str(store["GENBOOK_STORE"])},
                cwd=folder, capture_output=True, text=True, check=False,
            )  # fmt: skip
            same = found.stdout == whole.out
            figures.count(same and _state(folder) == before, not same, f"{found.returncode} {found.stderr[-300:]}")
        ahead = rows(folder, store)
        figures.count(ahead.out == whole.out and _state(folder) == before, ahead.out != whole.out, ahead.err[-300:])
        more = command(("table", STUDY, "--profile", "smoke", "-p", "seeds", 3), store, folder)
        figures.count(more.status == 0 and more.out.startswith(whole.out), more.status != 0, more.err[-300:])
    return figures


def _environment():
    return {**os.environ, "OMP_NUM_THREADS": "1"}


def _state(folder):
    return {path.name: path.stat().st_mtime_ns for path in folder.rglob("seed-*.parquet")}
