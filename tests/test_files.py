import multiprocessing
import os
import signal
import subprocess
import sys
import threading

import pytest

from genbook.base.files import atomic, remove_abandoned, set_aside, write_text

FORK = multiprocessing.get_context("fork")


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path):
    target = tmp_path / "file"
    target.write_text("old")

    def fail():
        with atomic(target) as temporary:
            temporary.write_text("half")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError):
        fail()
    assert target.read_text() == "old"
    assert names(tmp_path) == ["file"]


def test_a_reader_sees_the_old_file_until_the_new_one_is_whole(tmp_path):
    target = tmp_path / "file"
    target.write_text("old")
    with target.open() as reader:
        with atomic(target) as temporary:
            temporary.write_text("new, and longer")
            assert target.read_text() == "old"
            assert temporary.parent == target.parent, "a rename between file systems is a copy"
        assert target.read_text() == "new, and longer"
        assert reader.read() == "old", "who had opened the old file reads it to its end"
    assert names(tmp_path) == ["file"]


def test_a_file_that_was_not_there_is_not_there_before_it_is_whole(tmp_path):
    target = tmp_path / "new" / "file"
    with atomic(target) as temporary:
        temporary.write_text("half")
        assert not target.exists()
    assert target.read_text() == "half"


def _write_and_stop(target, ready, go_on):
    with atomic(target) as temporary:
        temporary.write_text("half")
        ready.set()
        go_on.wait(60)


def writing(target):
    """A process in the midst of a write, and the event that lets it go on."""
    ready, go_on = FORK.Event(), FORK.Event()
    process = FORK.Process(target=_write_and_stop, args=(target, ready, go_on))
    process.start()
    assert ready.wait(60)
    return process, go_on


def test_a_killed_writer_leaves_the_old_file_and_the_next_one_clears_up(tmp_path):
    target = tmp_path / "file"
    target.write_text("old")
    for _ in range(3):
        process, _ = writing(target)
        os.kill(process.pid, signal.SIGKILL)
        process.join()
    assert target.read_text() == "old"
    assert len(names(tmp_path)) == 2, "each writer removes what the one before it left"
    write_text(target, "new")
    assert target.read_text() == "new"
    assert names(tmp_path) == ["file"]


def test_what_a_living_writer_holds_is_left_alone(tmp_path):
    target = tmp_path / "file"
    process, go_on = writing(target)
    write_text(target, "first")
    remove_abandoned(target)
    assert target.read_text() == "first"
    assert len(names(tmp_path)) == 2
    go_on.set()
    process.join()
    assert process.exitcode == 0
    assert target.read_text() == "half"
    assert names(tmp_path) == ["file"]


def test_temporary_files_of_other_files_are_left_alone(tmp_path):
    for name in (".other.abc.part", ".file.abc.partial", "file.abc.part"):
        (tmp_path / name).write_text("")
    write_text(tmp_path / "file", "new")
    assert names(tmp_path) == [".file.abc.partial", ".other.abc.part", "file", "file.abc.part"]


def test_a_temporary_file_that_is_swept_before_it_is_locked_is_made_anew(tmp_path, monkeypatch):
    import tempfile

    make, made = tempfile.mkstemp, []

    def swept(**words):
        handle, name = make(**words)
        made.append(name)
        if len(made) == 1:
            remove_abandoned(tmp_path / "file")
        return handle, name

    monkeypatch.setattr(tempfile, "mkstemp", swept)
    write_text(tmp_path / "file", "new")
    assert len(made) == 2
    assert (tmp_path / "file").read_text() == "new"
    assert names(tmp_path) == ["file"]


def test_many_writers_and_sweepers_at_once_lose_nothing(tmp_path):
    target, stop, mistakes = tmp_path / "file", threading.Event(), []

    def write(word):
        try:
            for _ in range(40):
                write_text(target, word * 1000)
                assert len(set(target.read_text())) == 1
        except BaseException as error:
            mistakes.append(error)

    def sweep():
        while not stop.is_set():
            remove_abandoned(target)

    sweepers = [threading.Thread(target=sweep) for _ in range(2)]
    writers = [threading.Thread(target=write, args=(word,)) for word in "abcd"]
    for thread in [*sweepers, *writers]:
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    for thread in sweepers:
        thread.join()
    assert not mistakes
    assert names(tmp_path) == ["file"]


def test_a_file_is_set_aside_under_a_free_name(tmp_path):
    for number in (1, 2):
        (tmp_path / "file").write_text(f"{number}")
        assert set_aside(tmp_path / "file").name == f"file.damaged-{number}"
    (tmp_path / "file.damaged-1").unlink()
    (tmp_path / "file.damaged-1").symlink_to("nowhere")
    (tmp_path / "file").write_text("3")
    assert set_aside(tmp_path / "file").name == "file.damaged-3"
    assert (tmp_path / "file.damaged-2").read_text() == "2"


WITHOUT_LOCKS = """
import os, sys
sys.modules["fcntl"] = None
for name in ("O_NOFOLLOW", "O_NONBLOCK"):
    delattr(os, name)
from pathlib import Path
from genbook.base import files
import genbook.gradients, genbook.curvature, genbook.training, genbook.probes, genbook.models, genbook.data
path = Path(sys.argv[1])
(path.parent / ".table.old.part").touch()
files.write_text(path, "first")
files.write_text(path, "second")
try:
    with files.atomic(path) as temporary:
        raise KeyError
except KeyError:
    pass
print(path.read_text(), sorted(os.listdir(path.parent)))
"""


def test_files_are_written_where_there_are_no_locks(tmp_path):
    """As on Windows, which has no `fcntl`: nothing is taken for abandoned there."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_LOCKS, tmp_path / "table"], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "second ['.table.old.part', 'table']"
