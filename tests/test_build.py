"""The build's own refusals, on a book of one toy chapter."""

import json

import pytest

from genbook import data
from genbook.base.files import StorageError
from genbook.book import build, front, generated, scoreboard
from genbook.book.build import BuildError
from tests.toy import toy_study

CHAPTER = "99_toy"


@pytest.fixture
def book(store, tmp_path, monkeypatch):
    """Stage a book whose only chapter tells the study given."""
    executed = tmp_path / "executed.ipynb"
    title = {"cell_type": "markdown", "metadata": {}, "source": ["# A toy\n"]}
    notebook = {"cells": [title], "metadata": {"papermill": {"duration": 1.0}}, "nbformat": 4, "nbformat_minor": 5}
    executed.write_text(json.dumps(notebook))
    monkeypatch.setattr(data, "fingerprint", lambda name: f"fingerprint of {name}")
    monkeypatch.setattr(data, "available", lambda name: True)
    for module in (build, front, generated):
        monkeypatch.setattr(module, "chapters", lambda: [CHAPTER])
        monkeypatch.setattr(module, "executed_path", lambda chapter, profile: executed)
    for module in (front, generated, scoreboard):
        monkeypatch.setattr(module, "chapter_title", lambda chapter: "A toy")
    monkeypatch.setattr(build, "filled", lambda text, rows: text)
    monkeypatch.setattr(build, "statistics", lambda studies: {"evidence/index": "# None", "evidence/toy": "# None"})

    def stage(study, profile="quick"):
        monkeypatch.setattr(build, "studies_of", lambda chapter: [study])
        for module in (front, scoreboard):
            monkeypatch.setattr(module, "chapter_of", lambda study: CHAPTER)
        return build.stage(profile, tmp_path / "out" / "source", build.judged(profile))

    return stage


def test_a_claim_that_fails_in_its_control_goes_into_the_book(book):
    folder = book(toy_study())
    assert "above-half" in (folder / "scoreboard.md").read_text()


@pytest.mark.parametrize(
    ("effect", "verdict"), [(0.9, "holds"), (0.5, "undecided")], ids=["holds there", "undecided there"]
)
def test_a_claim_that_does_not_fail_in_its_control_stops_the_build_by_name(book, effect, verdict):
    study = toy_study(controls={"nothing": {"effect": effect}})
    with pytest.raises(BuildError) as raised:
        book(study)
    said = str(raised.value)
    assert "study toy, profile quick" in said
    assert "control 'nothing' the claim above-half" in said
    assert f"came out as '{verdict}'" in said
    assert "where > 0.5 is claimed; it must come out as 'fails'" in said


def test_a_control_that_was_not_run_stops_the_build(book, monkeypatch):
    monkeypatch.setattr(data, "available", lambda name: name != "mnist1d")
    monkeypatch.setattr(data, "load", lambda name: (_ for _ in ()).throw(data.DataNotFound(name)))
    with pytest.raises(BuildError, match="came out as 'not run'"):
        book(toy_study(controls={"nothing": {"effect": 0.0, "dataset": "mnist1d"}}, replication=None))


def test_a_profile_that_judges_nothing_is_not_held_to_it(book):
    folder = book(toy_study(controls={"nothing": {"effect": 0.9}}), "smoke")
    assert "above-half" in (folder / "scoreboard.md").read_text()


def test_a_build_that_is_refused_leaves_the_old_book(book, tmp_path, monkeypatch):
    study = toy_study(controls={"nothing": {"effect": 0.9}})
    monkeypatch.setattr(build, "studies_of", lambda chapter: [study])
    monkeypatch.setattr(build, "_execute_all", lambda profile, jobs, say: None)
    index = tmp_path / "out" / "html" / "index.html"
    index.parent.mkdir(parents=True)
    index.write_text("the old book")
    (tmp_path / "out" / build._MARK).touch()
    with pytest.raises(BuildError, match="control 'nothing'"):
        build.build("quick", tmp_path / "out")
    assert index.read_text() == "the old book"


def test_pages_that_could_not_be_laid_out_take_no_room(book, tmp_path, monkeypatch):
    def full(profile, folder, rows):
        folder.mkdir(parents=True)
        raise StorageError(28, "the disk is full")

    monkeypatch.setattr(build, "_execute_all", lambda profile, jobs, say: None)
    monkeypatch.setattr(build, "judged", lambda profile: [])
    monkeypatch.setattr(build, "stage", full)
    with pytest.raises(StorageError, match="the disk is full"):
        build.build("quick", tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == [build._MARK]
