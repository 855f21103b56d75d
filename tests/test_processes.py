"""Commands that are interrupted or killed, as real processes: what status they end with, and what they leave behind."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

import nbformat
import psutil
import pytest

from genbook.base.files import StorageError
from genbook.base.scratch import PREFIX, scratch, sweep

MESSAGE = "genbook: interrupted; what was stored stays, the next run goes on from there"
#: A cell that says that it has begun, in a file of its chapter, and goes on for as long as nobody stops it.
SLEEPS = "from pathlib import Path\nimport time\nPath({begun!r}).touch()\ntime.sleep(600)"
#: One that cannot be interrupted: it has to be killed.
STUBBORN = SLEEPS.replace(
    "time.sleep(600)", "\nwhile True:\n    try:\n        time.sleep(600)\n    except BaseException:\n        pass"
)


class Command:
    """A genbook command on toy chapters, whose processes are known by a mark in their environment."""

    def __init__(self, folder, *words, chapters=1, cell=SLEEPS):
        # Not below pytest's own folder, whose name is too long for the sockets of a kernel.
        self.temporary, self.mark = Path(tempfile.mkdtemp(prefix="t")), uuid.uuid4().hex
        self.begun = [folder / f"begun {number}" for number in range(chapters)]
        metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        for number, begun in enumerate(self.begun):
            cells = [nbformat.v4.new_code_cell("", metadata={"tags": ["parameters"]})]
            cells += [nbformat.v4.new_code_cell(cell.format(begun=str(begun)))]
            nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), folder / f"{number:02}_toy.ipynb")
        environment = {"TMPDIR": str(self.temporary), "TOY_NOTEBOOKS": str(folder), "TOY_MARK": self.mark}
        environment["GENBOOK_STORE"] = str(folder / "store")
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("toy_command.py")), *words],
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def wait_until_the_cells_run(self):
        self.wait_until(lambda: all(begun.exists() for begun in self.begun))

    def wait_until(self, begun):
        until = time.monotonic() + 120
        while not begun():
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < until
            time.sleep(0.05)

    def processes(self):
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("TOY_MARK") == self.mark and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def left(self):
        """The processes that are there still when ten seconds have passed, then killed."""
        until = time.monotonic() + 10
        while (left := self.processes()) and time.monotonic() < until:
            time.sleep(0.1)
        for process in left:
            process.kill()
        return left


@pytest.fixture
def command(tmp_path):
    started = []

    def start(*words, **settings):
        started.append(Command(tmp_path, *words, **settings))
        return started[-1]

    yield start
    for one in started:
        for process in (one.process, *one.processes()):
            process.kill()
        one.process.communicate()  # only now: what is left over would keep its ends of the pipes open
        shutil.rmtree(one.temporary)


@pytest.mark.parametrize(
    ("number", "whole_group", "cell"),
    [(signal.SIGINT, True, SLEEPS), (signal.SIGTERM, False, STUBBORN)],
    ids=["Ctrl-C", "SIGTERM"],
)
def test_an_interrupted_run_ends_with_130_one_message_and_nothing_left(command, tmp_path, number, whole_group, cell):
    run = command("run", "0", "--out", str(tmp_path / "out.ipynb"), cell=cell)
    run.wait_until_the_cells_run()
    assert len(run.processes()) == 2
    (os.killpg if whole_group else os.kill)(run.process.pid, number)
    _, err = run.process.communicate(timeout=20)
    assert run.process.returncode == 130
    assert err.split("\n", 1)[1].strip() == MESSAGE, "after the line that says how long it will take"
    assert not run.left()
    assert not list(run.temporary.iterdir())
    assert not (tmp_path / "out.ipynb").exists()


def test_a_killed_run_takes_its_kernel_along_and_the_next_one_sweeps_its_folder(command):
    run = command("run", "0")
    run.wait_until_the_cells_run()
    run.process.kill()
    run.process.communicate(timeout=20)
    assert not run.left()
    assert [path.name[: len(PREFIX)] for path in run.temporary.iterdir()] == [PREFIX], "one folder holds all"
    sweep(run.temporary)
    assert not list(run.temporary.iterdir())


@pytest.mark.parametrize(
    ("number", "whole_group"),
    [(signal.SIGINT, True), (signal.SIGKILL, False)],
    ids=["Ctrl-C", "SIGKILL"],
)
def test_a_build_that_ends_takes_its_workers_and_their_kernels_along(command, tmp_path, number, whole_group):
    build = command("build", "--profile", "smoke", "--out", str(tmp_path / "book"), chapters=2)
    build.wait_until_the_cells_run()
    assert len(build.processes()) >= 5, "the command, two workers, two kernels"
    (os.killpg if whole_group else os.kill)(build.process.pid, number)
    _, err = build.process.communicate(timeout=20)
    assert build.process.returncode == (-signal.SIGKILL if number == signal.SIGKILL else 130)
    assert not build.left()
    assert not list(build.temporary.iterdir())
    if number != signal.SIGKILL:
        assert err.strip() == MESSAGE


@pytest.mark.parametrize(
    ("number", "whole_group"),
    [(signal.SIGINT, True), (signal.SIGKILL, False)],
    ids=["Ctrl-C", "SIGKILL"],
)
def test_a_command_that_ends_takes_along_the_processes_that_compute_its_tables(command, tmp_path, number, whole_group):
    claims = command("claims", "sample_descent", "-p", "steps", "1000000", chapters=0)
    claims.wait_until(lambda: len(list(tmp_path.glob("store/checkpoints/*/*/*"))) >= 2)
    assert len(claims.processes()) >= 3, "the command and two workers"
    (os.killpg if whole_group else os.kill)(claims.process.pid, number)
    _, err = claims.process.communicate(timeout=20)
    assert claims.process.returncode == (-signal.SIGKILL if number == signal.SIGKILL else 130)
    assert not claims.left()
    if number != signal.SIGKILL:
        assert err.strip() == MESSAGE


SWALLOWS = """
import os, signal
from genbook.base.processes import interruptible
with interruptible():
    try:
        os.kill(os.getpid(), signal.SIGINT)
    except KeyboardInterrupt:
        pass  # as a library does that means well
    {last}
"""


@pytest.mark.parametrize("last", ["pass", "raise SystemExit(0)"])
def test_an_interrupt_that_a_library_has_swallowed_counts_all_the_same(last):
    done = subprocess.run(
        [sys.executable, "-c", SWALLOWS.format(last=last)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 130


def test_ctrl_c_before_anything_has_begun_is_the_same_one_message(command):
    run = command("run", "0")
    time.sleep(0.7)
    os.killpg(run.process.pid, signal.SIGINT)
    run.process.communicate(timeout=20)
    assert run.process.returncode in (130, -signal.SIGINT)
    assert not run.left()
    assert not list(run.temporary.iterdir())


@pytest.fixture
def short_folder():
    """An empty folder whose name leaves room for a socket's, which those of pytest do not always."""
    with tempfile.TemporaryDirectory(prefix="g-") as folder:
        yield Path(folder)


def test_a_folder_is_swept_when_its_owner_is_dead_and_not_before(short_folder, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(short_folder))
    script = (
        "import os, tempfile; from genbook.base.scratch import scratch\n"
        f"tempfile.tempdir = {str(short_folder)!r}\n"
        "with scratch() as folder:\n    (folder / 'file').touch()\n    os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
    (dead,) = short_folder.iterdir()
    foreign = short_folder / f"{PREFIX}of-somebody-else"
    foreign.mkdir()
    with scratch() as first:
        assert not dead.exists()
        with scratch() as second:
            assert first.is_dir()
            assert second.is_dir()
    assert list(short_folder.iterdir()) == [foreign]
    os.utime(foreign, (0, 0))
    assert sweep(short_folder) == [foreign], "no one needs it after a day"


def test_a_folder_whose_lock_is_refused_is_not_left_behind(short_folder, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(short_folder))

    def full(lock, *words, **named):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("filelock.FileLock.acquire", full)
    with pytest.raises(StorageError, match="cannot write the temporary folder"), scratch():
        pass
    assert not list(short_folder.iterdir())
