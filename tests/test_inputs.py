"""An unchanged build is known by the content of all that it is made of."""

import os
import shutil

import pytest

from genbook.book import build, inputs

SOURCES = (
    "_config.yml",
    "book/index.md",
    "book/results/a/full.parquet",
    "notebooks/01_a.ipynb",
    "src/genbook/book/inputs.py",
    "src/genbook/studies/a.py",
)
RESULTS = ("executed/quick/01_a.ipynb", "tables/a/0123/seed-00000.parquet")


@pytest.fixture
def root(tmp_path, store, monkeypatch):
    """A checkout and its store, with a file of each kind."""
    monkeypatch.setattr(inputs, "repository", lambda: tmp_path)
    monkeypatch.setattr(inputs, "data_root", lambda: tmp_path / "data")
    monkeypatch.setattr(inputs, "__file__", str(tmp_path / "src" / "genbook" / "book" / "inputs.py"))
    for path in (*(tmp_path / name for name in SOURCES), *(store / name for name in RESULTS)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(path.name)
    return tmp_path


def now():
    return inputs.of_sources(), inputs.of_results("quick")


@pytest.mark.parametrize("name", [*SOURCES, *(f"store/{name}" for name in RESULTS)])
def test_other_content_a_file_more_and_a_file_less_are_other_inputs(root, name):
    path = root / name
    seen = {now()}
    before = path.stat()
    path.write_text(path.name[::-1])  # as long as before, and as old
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    seen.add(now())
    path.rename(path.with_name(f"2{path.name}"))
    seen.add(now())
    path.with_name(f"2{path.name}").unlink()
    seen.add(now())
    assert len(seen) == (3 if name == "_config.yml" else 4)  # of that there is one


def test_what_is_made_of_them_and_the_times_are_no_inputs(root):
    before = now()
    (root / "book" / "_build").mkdir()
    (root / "book" / "_build" / "index.md").write_text("made")
    (root / "book" / "index.md").touch()
    assert now() == before


def test_data_and_software_are_inputs(root, monkeypatch):
    seen = {now()}
    (root / "data" / "cifar").mkdir(parents=True)
    (root / "data" / "fingerprints.json").write_text("{}")
    assert now() in seen
    (root / "data" / "cifar" / "batch").write_text("images")
    seen.add(now())
    monkeypatch.setattr(inputs, "installed", lambda: ["another version"])
    seen.add(now())
    assert len(seen) == 3


def test_a_build_of_the_same_inputs_asks_nothing_of_any_chapter(root, monkeypatch):
    asked, out = [], root / "out"
    monkeypatch.setattr(build.manifest, "check", lambda folder: None)
    monkeypatch.setattr(build, "_execute_all", lambda *_: asked.append("chapters"))
    monkeypatch.setattr(build, "judged", lambda profile: [])
    monkeypatch.setattr(build, "stage", lambda profile, folder, rows: shutil.copytree(root / "book", folder))
    monkeypatch.setattr(build.render, "_jupyter_book", lambda source, out, again: _page(out))
    monkeypatch.setattr(build.render, "_frame_key", lambda source: "frame")
    monkeypatch.setattr(build, "_content_key", lambda folder: (folder / "index.md").read_text())
    for _ in range(2):
        build.build("quick", out)
    assert len(asked) == 1
    (root / "src/genbook/studies/a.py").write_text("# a word")  # outdates no page: all is asked, and nothing built
    said = []
    build.build("quick", out, say=said.append)
    assert len(asked) == 2
    assert said[0].startswith("nothing changed")
    build.build("quick", out)
    assert len(asked) == 2


def _page(out):
    (out / "_build" / "html").mkdir(parents=True, exist_ok=True)
    (out / "_build" / "html" / "index.html").write_text("a page")
