"""``kill -9`` at random moments; the same command again goes on to the same table."""

import random
import shutil
import tempfile
import time
from pathlib import Path

import nbformat
import psutil

from genbook.base.scratch import sweep
from tests.faults.forked import STUDY, killed, left, place, rows
from tests.faults.report import Figures
from tests.test_processes import Command


def computing(trials):
    """A command that computes, killed again and again until it is done, then another."""
    figures, draw = Figures("kill -9 of a command that computes, at a random moment"), random.Random(0)
    words = ("table", STUDY, "--profile", "smoke", "-p", "seeds", 2)
    with figures.timed(), place() as folder:
        start = time.monotonic()
        whole = rows(folder, {"GENBOOK_STORE": folder / "undisturbed"})
        usual = time.monotonic() - start
        assert whole.status == 0, whole.err
        number = 0
        while figures.tried < trials:
            number += 1
            store = {"GENBOOK_STORE": folder / f"store-{number}"}
            kills = 0
            while figures.tried + kills < trials and killed(words, store, folder, draw.uniform(0, 1.1 * usual)):
                kills += 1
            start = time.monotonic()
            again = rows(folder, store)
            if not kills:
                usual *= 0.9  # it had ended before: the machine has less to do than at first
            same, tidy = again.out == whole.out and again.status == 0, not left(folder)
            for _ in range(kills):
                figures.count(same and tidy, not same, f"store {number}: {again.err[-500:]} {left(folder)}")
    return figures


#: A chapter that stores some tables and says in the end what it holds.
STORES = """
from pathlib import Path
import pandas as pd
from genbook.tables.store import Part, Store
Path({begun!r}).touch()
for seed in range(200):
    if Store().read("toy/abc", seed, {{}}) is None:
        Store().write("toy/abc", seed, Part(pd.DataFrame({{"seed": [seed], "value": [seed / 7]}}), {{"seed": seed}}))
print(sum(Store().read("toy/abc", seed, {{}}).frame["value"].sum() for seed in range(200)))
"""


def processes(trials):
    """A command, the worker of a build, or a kernel killed while chapters run; the same command again goes on."""
    figures, draw = Figures("kill -9 of a command, a build's worker or a kernel, at a random moment"), random.Random(1)
    with figures.timed():
        for number in range(3 * trials):  # some end before they are hit, and do not count
            if figures.tried == trials:
                break
            victim = ("command", "worker", "kernel")[number % 3]
            _one_process(figures, victim, draw.uniform(0, 1.5))
    return figures


def _one_process(figures, victim, seconds):
    folder = Path(tempfile.mkdtemp(prefix="fault-"))
    words = ("run", "0", "--out", str(folder / "out.ipynb"))
    build = ("build", "--profile", "smoke", "--out", str(folder / "book"))
    first, chapters = (build, 2) if victim == "worker" else (words, 1)
    command = Command(folder, *first, chapters=chapters, cell=STORES)
    again = None
    try:
        command.wait_until_the_cells_run()
        time.sleep(seconds)
        if (hit := _chosen(command, victim)) is None:
            return
        hit.kill()
        command.process.communicate(timeout=120)
        stayed = command.left()
        sweep(command.temporary)
        rest = [path.name for path in command.temporary.iterdir()]
        again = Command(folder, *words, cell=STORES)
        _, err = again.process.communicate(timeout=300)
        notebook = nbformat.read(folder / "out.ipynb", as_version=4) if again.process.returncode == 0 else None
        out = (
            "" if notebook is None else "".join(o.get("text", "") for c in notebook.cells for o in c.get("outputs", ()))
        )
        same = out.strip() == str(sum(seed / 7 for seed in range(200)))
        said = (
            f"{victim} after {seconds:.2f} s: left {stayed} {rest}; again {again.process.returncode} {err[-300:]} {out}"
        )
        figures.count(same and not stayed and not rest, not same, said)
    finally:
        for one in filter(None, (command, again)):
            for process in (one.process, *one.processes()):
                process.kill()
            shutil.rmtree(one.temporary, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)


def _chosen(command, victim):
    """The process to kill: the command itself, or one that it has started; None where that has ended."""
    if command.process.poll() is not None:
        return None
    if victim == "command":
        return command.process
    try:
        below = psutil.Process(command.process.pid).children(recursive=True)
        kernels = [one for one in below if "ipykernel_launcher" in " ".join(one.cmdline())]
        workers = [one for one in below if one not in kernels and any(child in kernels for child in one.children())]
    except psutil.Error:  # it has ended just now
        return None
    return next(iter(kernels if victim == "kernel" else workers), None)
