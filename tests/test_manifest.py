import errno
import os
import subprocess
import sys

import pytest

from genbook.base.errors import ForeseenError
from genbook.book import build
from genbook.results import published
from genbook.tables import manifest
from genbook.tables.manifest import ManifestError


@pytest.fixture
def folder(tmp_path, store):
    """Three files and their list."""
    for name in ("a.csv", "toy/b.parquet", "toy/c d.json"):
        (tmp_path / "results" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "results" / name).write_text(name)
    manifest.list_anew(tmp_path / "results")
    return tmp_path / "results"


def test_what_the_repository_publishes_is_as_its_list_says():
    manifest.check(published.root())
    assert len(manifest.read(published.root())) >= 46


def test_the_list_is_the_one_that_sha256sum_writes_and_checks(folder):
    names = ["a.csv", "toy/b.parquet", "toy/c d.json"]
    try:
        written = subprocess.run(["sha256sum", *names], cwd=folder, capture_output=True, text=True, check=True).stdout
    except FileNotFoundError:
        pytest.skip("this system has no sha256sum")
    assert (folder / "SHA256SUMS").read_text() == written
    subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=folder, capture_output=True, check=True)
    manifest.check(folder)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda folder: (folder / "toy" / "b.parquet").write_text("another"), "toy/b.parquet is not the file that was"),
        (lambda folder: (folder / "toy" / "b.parquet").unlink(), "toy/b.parquet is missing"),
        (lambda folder: (folder / "toy" / "new.parquet").write_text(""), "toy/new.parquet is not listed"),
        (lambda folder: (folder / "a.csv").rename(folder / "e.csv"), "a.csv is missing\n.*e.csv is not listed"),
        (lambda folder: (folder / "SHA256SUMS").unlink(), "a.csv is not listed"),
    ],
)
def test_a_file_that_is_not_as_listed_is_named(folder, change, said):
    change(folder)
    with pytest.raises(ManifestError, match=said):
        manifest.check(folder)


def test_a_link_is_not_the_file_that_was_listed(folder):
    (folder / "a.csv").rename(folder.parent / "a.csv")
    (folder / "a.csv").symlink_to(folder.parent / "a.csv")
    with pytest.raises(ManifestError, match=r"a\.csv is not the file that was listed"):
        manifest.check(folder)


def test_what_is_hidden_does_not_count(folder):
    (folder / ".DS_Store").write_text("")
    (folder / ".cache").mkdir()
    (folder / ".cache" / "a.csv").write_text("")
    manifest.check(folder)


@pytest.mark.parametrize("line", ["0123  a.csv", "", "0" * 64 + " a.csv", "0" * 64 + "  ", "Z" * 64 + "  a.csv"])
def test_a_line_that_cannot_be_read_is_named(folder, line):
    with (folder / "SHA256SUMS").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(ManifestError, match="SHA256SUMS, line 4: wants a SHA-256, two spaces and a name"):
        manifest.check(folder)


def test_a_file_that_is_listed_twice_is_named(folder):
    with (folder / "SHA256SUMS").open("a") as file:
        file.write("0" * 64 + "  a.csv\n")
    with pytest.raises(ManifestError, match=r"line 4: lists a\.csv again"):
        manifest.read(folder)


def test_one_file_is_entered_and_the_others_keep_their_lines(folder):
    (folder / "a.csv").write_text("changed by hand")
    (folder / "toy" / "b.parquet").write_text("published anew")
    manifest.enter(folder, folder / "toy" / "b.parquet")
    with pytest.raises(ManifestError, match=r"SHA256SUMS: a\.csv is not the file that was listed\nput it back"):
        manifest.check(folder)


def test_a_file_that_is_put_there_is_listed(folder):
    manifest.put(folder, folder / "toy" / "new.parquet", b"published")
    assert (folder / "toy" / "new.parquet").read_bytes() == b"published"
    manifest.check(folder)


@pytest.mark.parametrize("refused", [1, 2], ids=["the file", "its list"])
def test_where_the_disk_refuses_a_file_neither_it_nor_its_line_changes(folder, monkeypatch, refused):
    real, asked = os.fsync, []

    def full(handle):
        asked.append(handle)
        if len(asked) == refused:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(handle)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(ForeseenError, match="the disk is full"):
            manifest.put(folder, folder / "a.csv", b"published anew")
    assert (folder / "a.csv").read_text() == "a.csv"
    manifest.check(folder)
    assert not list(folder.rglob(".*"))


def test_a_book_is_not_built_on_a_file_that_is_not_as_listed(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(published, "root", lambda: folder)
    (folder / "a.csv").write_text("changed by hand")
    monkeypatch.setattr(build, "_execute_all", lambda *_: pytest.fail("a chapter was executed"))
    with pytest.raises(ForeseenError, match=r"a\.csv is not the file that was listed"):
        build.build("smoke", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_by_hand_all_files_are_listed_anew(folder):
    (folder / "a.csv").write_text("changed by hand")
    (folder / "toy" / "b.parquet").unlink()
    subprocess.run([sys.executable, "-m", "genbook.tables.manifest", str(folder)], check=True)
    manifest.check(folder)
    assert list(manifest.read(folder)) == ["a.csv", "toy/c d.json"]


@pytest.mark.parametrize("words", [(), ("no such folder",), ("a.csv",), ("a", "b")])
def test_what_is_no_folder_is_refused_in_one_line(folder, words):
    command = [sys.executable, "-m", "genbook.tables.manifest", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines() == ["python -m genbook.tables.manifest FOLDER: want a folder, such as book/results"]
