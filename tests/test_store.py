import multiprocessing
import os
import signal
import stat
import time

import numpy as np
import pandas as pd
import pytest

from genbook.files import StorageError, atomic
from genbook.store import DamagedTable, DamagedTableWarning, Part, Store, read_table, write_table

SPAWN = multiprocessing.get_context("spawn")


def frame(seed, rows=4):
    return pd.DataFrame({"seed": seed, "quantity": "loss", "value": np.linspace(0, 1, rows)})


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def test_a_part_comes_back_with_its_provenance(store):
    store.write("toy/abc", 3, Part(frame(3), {"seed": 3, "spec": {"rate": 0.1}}))
    part = store.read("toy/abc", 3)
    pd.testing.assert_frame_equal(part.frame, frame(3))
    assert part.provenance == {"seed": 3, "spec": {"rate": 0.1}}
    assert store.seeds("toy/abc") == [3]
    assert list(store.provenances()) == [part.provenance]


def test_a_missing_part_is_none_and_nothing_is_created(store):
    assert store.read("toy/abc", 0) is None
    assert store.seeds("toy/abc") == []
    assert not store.root.exists()


@pytest.mark.parametrize("damage", ["truncate", "empty", "flip", "text"])
def test_a_damaged_part_is_noticed_named_and_set_aside(store, damage):
    path = store.write("toy/abc", 0, Part(frame(0, rows=2000), {"seed": 0}))
    content = path.read_bytes()
    middle = 200
    flipped = content[:middle] + bytes([content[middle] ^ 0x10]) + content[middle + 1 :]
    path.write_bytes({"truncate": content[: len(content) // 2], "empty": b"", "flip": flipped, "text": b"a,b"}[damage])
    with pytest.warns(DamagedTableWarning, match="seed-00000.parquet"):
        assert store.read("toy/abc", 0) is None
    assert path.with_name(path.name + ".damaged-1").exists()
    assert not path.exists()


def test_a_table_of_another_program_is_refused(tmp_path):
    frame(0).to_parquet(tmp_path / "other.parquet")
    with pytest.raises(DamagedTable, match="no provenance"):
        read_table(tmp_path / "other.parquet")


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
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def _write_for_ever(path):
    while True:
        write_table(path, frame(0, rows=200_000), {"seed": 0})


def test_a_killed_writer_leaves_a_whole_table_or_none(tmp_path):
    path = tmp_path / "part.parquet"
    for wait in (0.0, 0.02, 0.05, 0.09):
        process = SPAWN.Process(target=_write_for_ever, args=(path,))
        process.start()
        deadline = time.monotonic() + 60
        while not path.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(wait)
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        assert len(read_table(path).frame) == 200_000


def _claim_and_log(root, log, name):
    with Store(root).claim("toy/abc", [2, 1]):
        with log.open("a") as file:
            file.write(f"{name} in\n")
        time.sleep(0.2)
        with log.open("a") as file:
            file.write(f"{name} out\n")


def test_two_processes_that_want_one_part_take_turns(store, tmp_path):
    log = tmp_path / "log"
    processes = [SPAWN.Process(target=_claim_and_log, args=(store.root, log, name)) for name in "ab"]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    lines = log.read_text().split("\n")
    assert lines[0][0] == lines[1][0] != lines[2][0] == lines[3][0]


def test_a_place_that_is_a_file_is_refused_in_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("GENBOOK_STORE", str(tmp_path / "store"))
    (tmp_path / "store").write_text("")
    with pytest.raises(StorageError, match=r"cannot write .*GENBOOK_STORE"):
        Store(tmp_path / "store").write("toy/abc", 0, Part(frame(0), {}))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_refused_in_one_sentence(tmp_path):
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        with pytest.raises(StorageError, match="not permitted"):
            Store(tmp_path / "store").write("toy/abc", 0, Part(frame(0), {}))
    finally:
        tmp_path.chmod(stat.S_IRWXU)


def test_a_full_disk_is_refused_in_one_sentence_and_leaves_nothing(store, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("genbook.store.pq.write_table", full)
    with pytest.raises(StorageError, match="the disk is full"):
        store.write("toy/abc", 0, Part(frame(0), {}))
    assert not list(store.root.rglob("*.part*"))
