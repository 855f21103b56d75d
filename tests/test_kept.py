"""What a command keeps of what it has printed, and when that is no longer believed."""

import os

import pytest

from genbook import data
from genbook.base.files import write_text
from genbook.cli import kept


@pytest.fixture
def sources(store, tmp_path, monkeypatch):
    write_text(tmp_path / "package" / "one.py", "x = 1")
    monkeypatch.setattr(kept, "_python", lambda folder: sorted((tmp_path / "package").glob("*.py")))
    monkeypatch.setattr(kept, "checkout", lambda: tmp_path / "checkout")
    for file in ("chapters.yml", "primary.yml"):
        write_text(tmp_path / "checkout" / "book" / file, "one: 1")
    monkeypatch.setenv("GENBOOK_DATA", str(tmp_path / "data"))
    return tmp_path / "package"


def test_what_was_printed_is_printed_again_without_being_made(sources):
    assert kept.of_sources(["params", "05"], lambda: "made") == "made"
    assert kept.of_sources(["params", "05"], lambda: pytest.fail("made again")) == "made"
    assert kept.of_sources(["params", "06"], lambda: "other") == "other"


@pytest.mark.parametrize("name", ["one.py", "two.py"])
def test_once_a_source_is_written_it_is_made_again(sources, name):
    kept.of_sources(["a"], lambda: "old")
    write_text(sources / name, "x = 22")
    assert kept.of_sources(["a"], lambda: "new") == "new"


def test_what_cannot_be_read_is_made_again(sources, store):
    kept.of_sources(["a"], lambda: "old")
    (file,) = (store / "printed").glob("*.json")
    damages = ("", "[]", "{}", file.read_text().replace("old", "odd"))
    for damage in damages:
        file.write_text(damage)
        assert kept.of_sources(["a"], lambda: "new") == "new"


def test_a_store_that_takes_no_file_is_no_reason_not_to_answer(sources, store):
    store.write_text("no folder")
    assert kept.of_sources(["a"], lambda: "made") == "made"


@pytest.mark.parametrize(
    "written",
    ["store/tables/toy/ab/3.parquet", "checkout/book/results/toy/full-discovery.parquet"],
)
def test_once_a_table_is_written_what_follows_from_it_is_made_again(sources, tmp_path, written, store):
    file = store / written.removeprefix("store/") if written.startswith("store/") else tmp_path / written
    asked = ["claims", ()]
    for said in ("none", "first", "other"):
        assert kept.of_tables(asked, lambda said=said: said) == said
        assert kept.of_tables(asked, lambda: pytest.fail("made again")) == said
        write_text(file, said)
    stamp = file.stat()
    assert kept.of_tables(asked, lambda: "as it is") == "as it is"
    write_text(file, "OTHER")
    os.utime(file, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert kept.of_tables(asked, lambda: "edited, and its time set back") == "edited, and its time set back"
    file.unlink()
    assert kept.of_tables(asked, lambda: "without it") == "without it"


def test_what_data_there_are_changes_what_follows(sources, monkeypatch):
    there = {"digits": "ab"}
    monkeypatch.setattr(data, "available", there.__contains__)
    monkeypatch.setattr(data, "fingerprint", there.__getitem__)
    assert kept.of_tables(["a"], lambda: "digits") == "digits"
    assert kept.of_tables(["a"], lambda: pytest.fail("made again")) == "digits"
    there["mnist"] = "cd"
    assert kept.of_tables(["a"], lambda: "both") == "both"
    there["mnist"] = "ef"
    assert kept.of_tables(["a"], lambda: "another") == "another"


def test_a_setting_of_the_environment_and_a_primary_claim_change_what_follows(sources, tmp_path, monkeypatch):
    assert kept.of_tables(["a"], lambda: "old") == "old"
    monkeypatch.setenv("GENBOOK_FRESH", "1")
    assert kept.of_tables(["a"], lambda: "fresh") == "fresh"
    write_text(tmp_path / "checkout" / "book" / "primary.yml", "one: 22")
    assert kept.of_tables(["a"], lambda: "primary") == "primary"


def test_what_was_said_while_tables_were_written_is_not_kept(sources, store):
    def made():
        write_text(store / "tables" / "toy" / "ab" / "0.parquet", "rows")
        return "before or after?"

    assert kept.of_tables(["a"], made) == "before or after?"
    assert kept.of_tables(["a"], lambda: "after") == "after"
    assert kept.of_tables(["a"], lambda: pytest.fail("made again")) == "after"
