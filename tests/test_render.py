"""When a build begins with the old pages, and when with none; Jupyter Book itself is a stand-in here."""

import errno
import shutil
import subprocess
from pathlib import Path

import pytest

from genbook.base.files import StorageError
from genbook.book import render
from genbook.book.render import BuildError


@pytest.fixture
def out(tmp_path, monkeypatch):
    """The folder of a build with two sources, and how often it was begun anew or with the old pages."""
    begun = []

    def play(source, out, again):
        begun.append(again)
        html = out / "_build" / "html"
        html.mkdir(parents=True, exist_ok=True)
        if "broken" in (source / "a.md").read_text():
            raise BuildError("broken")
        for page in source.glob("*.md"):
            (html / f"{page.stem}.html").write_text(page.read_text())

    monkeypatch.setattr(render, "_jupyter_book", play)
    source = tmp_path / "out" / "source"
    (source / "assets").mkdir(parents=True)
    for name in ("a.md", "b.md", "_toc.yml", "references.bib", "assets/book.css"):
        (source / name).write_text(name)
    render.render(tmp_path / "out", "first")
    assert begun == [False]
    begun.clear()
    return tmp_path / "out", begun


def test_reworded_pages_begin_with_the_old_ones_and_the_new_key_is_noted(out):
    folder, begun = out
    (folder / "source" / "a.md").write_text("other words")
    render.render(folder, "second")
    assert begun == [True]
    assert (folder / "html" / "a.html").read_text() == "other words"
    assert render.said(folder / "html") == "second"


@pytest.mark.parametrize("name", ["_toc.yml", "references.bib", "assets/book.css", "c.md"])
def test_what_every_page_depends_on_begins_anew(out, name):
    folder, begun = out
    (folder / "source" / name).write_text("changed")
    render.render(folder, "second")
    assert begun == [False]


def test_a_page_that_is_gone_is_gone_from_the_book(out):
    folder, begun = out
    (folder / "source" / "b.md").unlink()
    render.render(folder, "second")
    assert begun == [False]
    assert not (folder / "html" / "b.html").exists()


@pytest.mark.parametrize("where", ["html", "known"])
def test_pages_that_are_not_the_last_builds_begin_anew(out, where):
    folder, begun = out
    (folder / where / render._CONTENT).write_text("another")
    render.render(folder, "second")
    assert begun == [False]


def test_a_build_that_fails_leaves_the_old_pages_and_the_next_one_begins_with_them(out):
    folder, begun = out
    (folder / "source" / "a.md").write_text("broken")
    with pytest.raises(BuildError):
        render.render(folder, "second")
    assert (folder / "html" / "a.html").read_text() == "a.md"
    assert render.said(folder / "html") == "first"
    assert not (folder / "fresh").exists(), "what is half made takes no room"
    (folder / "source" / "a.md").write_text("mended")
    render.render(folder, "third")
    assert begun == [True, True]
    assert (folder / "html" / "a.html").read_text() == "mended"


def test_what_belongs_beside_the_pages_is_put_there_before_they_are_shown(out):
    folder, _ = out

    def beside(pages):
        assert not (folder / "html" / "record").exists()
        (pages / "record").write_text("made")

    render.render(folder, "second", beside)
    assert (folder / "html" / "record").read_text() == "made"

    def fails(pages):
        raise OSError("full")

    with pytest.raises(OSError, match="full"):
        render.render(folder, "third", fails)
    assert render.said(folder / "html") == "second"


def test_a_source_that_is_the_same_keeps_its_time_and_one_that_is_not_staged_goes(tmp_path):
    staged, source = tmp_path / "staged", tmp_path / "source"
    for folder, names in ((staged, ("same", "other", "new")), (source, ("same", "other", "old"))):
        (folder / "below").mkdir(parents=True)
        for name in names:
            (folder / "below" / name).write_text("same" if name == "same" else f"{folder.name} {name}")
    before = (source / "below" / "same").stat()
    render.mirror(staged, source)
    assert (source / "below" / "same").stat() == before
    found = {path.name: path.read_text() for path in (source / "below").iterdir()}
    assert found == {"same": "same", "other": "staged other", "new": "staged new"}
    assert not staged.exists()


def full(*_, **__):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_one_message_and_the_old_pages_stay_until_there_is_room(out, monkeypatch):
    folder, begun = out
    (folder / "source" / "a.md").write_text("other words")
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copy2", full)
        with pytest.raises(StorageError, match="the disk is full; free some space"):
            render.render(folder, "second")
    assert (folder / "html" / "a.html").read_text() == "a.md"
    assert render.said(folder / "html") == "first"
    render.render(folder, "second")
    assert begun == [True]
    assert (folder / "html" / "a.html").read_text() == "other words"


def test_jupyter_book_on_a_full_disk_is_told_as_the_disks_refusal(tmp_path, monkeypatch):
    said = "OSError: [Errno 28] No space left on device\nanother ERROR"
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 1, "", said))
    with pytest.raises(StorageError, match=r"the disk is full; free some space$"):
        render._jupyter_book(tmp_path, tmp_path / "out")


def test_what_sphinx_leaves_of_its_errors_is_gone_with_the_command(tmp_path, monkeypatch):
    told = []

    def run(*words, env, **named):
        told.append(Path(env["TMPDIR"]))
        (told[0] / "sphinx-err-1.log").touch()
        return subprocess.CompletedProcess([], 1, "", "an ERROR")

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(BuildError, match="an ERROR"):
        render._jupyter_book(tmp_path, tmp_path / "out")
    assert not told[0].exists()
